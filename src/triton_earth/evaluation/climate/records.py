"""What is kept of every long run of an evaluation, and the one number that is made of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int

from triton_earth.evaluation.climate.measures import MEAN, RunStatistics
from triton_earth.evaluation.climate.scores import (
    DEFINITIONS,
    climate_scores,
    seasonal_cycle,
    variance_ratios,
    windows,
)
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.evaluation.climate.stability import FAILURES, judge

STATISTICS = tuple(DEFINITIONS)


@dataclass(frozen=True)
class ClimateRecords:
    """What is kept of every run.

    Attributes:
        statistics: Climate scores.
        horizon: Steps at the end of the first window outside the climate.
        failures: Which runs fail, by kind.
        departure: Departure of the area mean from the season in windows of 30 days (10 steps).
        variance: Mean square anomaly over that expected in windows of 90 days (30 steps).
        amplitude: Amplitude of the annual wave, as a part of that of the climate.
        late: Its phase, in days late.
    """

    statistics: Float64[np.ndarray, "model init statistic variable"]
    horizon: Float64[np.ndarray, "model init"]
    failures: Bool[np.ndarray, "model init failure"]
    departure: Float64[np.ndarray, "model init window variable"]
    variance: Float64[np.ndarray, "model init quarter variable"]
    amplitude: Float64[np.ndarray, "model init variable"]
    late: Float64[np.ndarray, "model init variable"]

    @classmethod
    def empty(cls, models: int, inits: int, setting: ClimateSetting) -> "ClimateRecords":
        """Return records to put runs into."""
        measures, variables = setting.reference.measures, len(setting.names)
        steps = len(setting.leads)
        by_init = (models, inits)

        def missing(*shape: int) -> np.ndarray:
            return np.full((*by_init, *shape), np.nan)

        return cls(
            missing(len(STATISTICS), variables),
            missing(),
            np.zeros((*by_init, len(FAILURES)), bool),
            missing(max(1, steps // measures.month), variables),
            missing(max(1, steps // measures.quarter), variables),
            missing(variables),
            missing(variables),
        )

    def put(
        self, model: int, rows: Int[np.ndarray, " run"], run: RunStatistics, setting: ClimateSetting
    ) -> None:
        """Keep the statistics of some finished runs."""
        at = (model, rows)
        reference = setting.reference
        found = climate_scores(run, reference)
        self.statistics[at] = np.stack([found[name] for name in STATISTICS], axis=1)
        judged = judge(run, reference, setting.bands, list(setting.names))
        self.horizon[at] = judged.horizon
        self.failures[at] = np.stack([judged.failures[name] for name in FAILURES], axis=1)
        expected = np.stack([reference.expectation.at(row)[..., MEAN] for row in run.valid_times])
        self.departure[at] = windows(run.numbers[..., MEAN] - expected, reference.measures.month)
        self.variance[at] = variance_ratios(run, reference)
        self.amplitude[at], self.late[at] = seasonal_cycle(run, reference)


def climate_skill(
    scores: Float64[np.ndarray, "*run statistic variable"], setting: ClimateSetting
) -> Float64[np.ndarray, "*run"]:
    """Return one number for the climate of a run: 1 is a perfect run, 0 a state that never changes.

        mean over scores and variables of  1 − √(max(0, s² − n²) / (r² − n²)),  within 0 … 1

    with s the score, n its noise floor and r what a held state scores; scores that cannot tell a held state from the
    truth (r < 2 n) or are missing do not count. A run that is not finite has 0.

    Args:
        scores: s.
        setting: n and r.
    """
    floor = np.stack([setting.floor[name] for name in STATISTICS])
    frozen = np.stack([setting.frozen[name] for name in STATISTICS])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        tells = frozen >= 2 * floor
        lost = np.sqrt(np.maximum(0.0, scores**2 - floor**2) / (frozen**2 - floor**2))
        part = np.clip(1 - lost, 0.0, 1.0)
    measured = np.array([name in ("bias_map", "variance", "spectrum") for name in STATISTICS])
    broken = ~np.isfinite(scores[..., measured, :]).all(axis=(-1, -2))
    counts = tells & np.isfinite(part)
    mean = np.where(counts, part, 0.0).sum(axis=(-1, -2)) / np.maximum(1, counts.sum(axis=(-1, -2)))
    return np.where(broken, 0.0, mean)
