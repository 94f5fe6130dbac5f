"""Climate scores of an evaluation: kept while fields pass, joined, and written with intervals over the starts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float64, Int

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
from triton_earth.evaluation.metrics.drift import trend

STATISTICS = tuple(DEFINITIONS)


@dataclass(frozen=True)
class ClimateRecords:
    """What is kept of every run.

    Attributes:
        scores: Climate scores.
        horizon: Steps at the end of the first window outside the climate.
        failures: Which runs fail, by kind.
        departure: Departure of the area mean from the season in windows of 30 days (10 steps).
        variance: Mean square anomaly over that expected in windows of 90 days (30 steps).
        amplitude: Amplitude of the annual wave, as a part of that of the climate.
        late: Its phase, in days late.
    """

    scores: Float64[np.ndarray, "model init statistic variable"]
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
        """Keep what is scored of some finished runs."""
        at = (model, rows)
        reference = setting.reference
        found = climate_scores(run, reference)
        self.scores[at] = np.stack([found[name] for name in STATISTICS], axis=1)
        judged = judge(run, reference, setting.bands, list(setting.names))
        self.horizon[at] = judged.horizon
        self.failures[at] = np.stack([judged.failures[name] for name in FAILURES], axis=1)
        expected = np.stack([reference.expectation.at(row)[..., MEAN] for row in run.valid_times])
        self.departure[at] = windows(run.numbers[..., MEAN] - expected, reference.measures.month)
        self.variance[at] = variance_ratios(run, reference)
        self.amplitude[at], self.late[at] = seasonal_cycle(run, reference)

    @classmethod
    def joined(cls, parts: Sequence["ClimateRecords"]) -> "ClimateRecords":
        """Return the records of consecutive initial conditions."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts], axis=1)
                for name in cls.__annotations__
            )
        )


@dataclass
class ClimateRecorder:
    """Puts the runs of some initial conditions together, lead after lead.

    Attributes:
        setting: What runs are compared with.
        records: What is kept.
        last: Position of the last lead of a run.
    """

    setting: ClimateSetting
    records: ClimateRecords
    last: int
    _running: dict[tuple[int, int], RunStatistics] = field(default_factory=dict)

    def add(
        self,
        model: int,
        rows: Int[np.ndarray, " run"],
        lead: int,
        times: np.ndarray,
        fields: Float[np.ndarray, "run channel y x"],
    ) -> None:
        """Add one lead of some runs; leads come in ascending order.

        Args:
            model: Number of the model.
            rows: Which initial conditions, the same at every lead.
            lead: Position of the stored lead.
            times: Valid times.
            fields: States in physical units.
        """
        key = (model, int(rows[0]))
        run = self._running.setdefault(key, self.setting.reference.run(len(rows)))
        run.add(times, fields)
        if lead == self.last:
            self.records.put(model, rows, self._running.pop(key), self.setting)


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


def climate_dataset(
    records: ClimateRecords, setting: ClimateSetting, models: Sequence[str], units: Sequence[str]
) -> xr.Dataset:
    """Return what is said of the climate of the runs.

    Args:
        records: What was kept of every run.
        setting: What they are compared with.
        models: Names of the models.
        units: Units of each variable.
    """
    floor = np.stack([setting.floor[name] for name in STATISTICS])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = records.scores / floor
    skill = climate_skill(records.scores, setting)
    measures = setting.reference.measures
    month, quarter = measures.month, measures.quarter
    ends = np.arange(1, records.departure.shape[2] + 1.0) * min(month, len(setting.leads))
    slope = trend(np.moveaxis(records.departure, 2, -1), ends)
    data: dict[str, Any] = {
        "climate_score": (
            ("model", "init", "climate_statistic", "variable"),
            records.scores,
            _words(
                "climate score",
                "1",
                "what each is stands in climate_definition; 0 is the expected climate itself",
            ),
        ),
        "climate_floor": (
            ("climate_statistic", "variable"),
            floor,
            _words("noise floor of the climate score", "1", setting.remark),
        ),
        "climate_ratio": (
            ("model", "init", "climate_statistic", "variable"),
            ratio,
            _words(
                "climate score over its noise floor",
                "1",
                "about 1: as close to the climate as the truth itself",
            ),
        ),
        "climate_skill": (
            ("model", "init"),
            skill,
            _words(
                "climate skill",
                "1",
                " ".join((climate_skill.__doc__ or "").split("Args:")[0].split()),
            ),
        ),
        "climate_horizon": (
            ("model", "init"),
            records.horizon,
            _words(
                "first step outside the training climate",
                "1",
                f"last step of the first window of {month} steps outside the bands that 95 of 100 runs of the truth of "
                "the same length stay within; infinite where there is none",
            ),
        ),
        "climate_failure": (
            ("model", "init", "failure"),
            records.failures,
            _words(
                "way of leaving the training climate",
                "1",
                "; ".join(f"{k}: {v}" for k, v in FAILURES.items()),
            ),
        ),
        "climate_departure": (
            ("model", "init", "climate_window", "variable"),
            records.departure,
            _words(
                "departure of the area mean from the season",
                "; ".join(units) if len(set(units)) > 1 else units[0],
                f"mean over windows of {month} steps of the area-mean anomaly",
            ),
        ),
        "climate_departure_trend": (
            ("model", "init", "variable"),
            slope,
            _words(
                "trend of the departure from the season, per step",
                "; ".join(units) if len(set(units)) > 1 else units[0],
                "least-squares slope of climate_departure over the run",
            ),
        ),
        "climate_variance_ratio": (
            ("model", "init", "climate_quarter", "variable"),
            records.variance,
            _words("mean square anomaly over that expected", "1", f"of windows of {quarter} steps"),
        ),
        "climate_definition": (
            ("climate_statistic",),
            [DEFINITIONS[name] for name in STATISTICS],
            _words("what the climate score is", "", "in words"),
        ),
    }
    if np.isfinite(records.amplitude).any():
        data["seasonal_amplitude"] = (
            ("model", "init", "variable"),
            records.amplitude,
            _words(
                "amplitude of the annual wave over that of the climate",
                "1",
                "regression of the rows' waves, its modulus",
            ),
        )
        data["seasonal_delay"] = (
            ("model", "init", "variable"),
            records.late,
            _words(
                "delay of the annual wave", "days", "regression of the rows' waves, its argument"
            ),
        )
    return xr.Dataset(
        data,
        coords={
            "model": ("model", list(models), {"long_name": "model"}),
            "climate_statistic": (
                "climate_statistic",
                list(STATISTICS),
                {"long_name": "climate score"},
            ),
            "failure": ("failure", list(FAILURES), {"long_name": "way of leaving the climate"}),
            "climate_window": (
                "climate_window",
                ends.astype(np.int64),
                {"long_name": "last step of the window", "units": "1"},
            ),
            "climate_quarter": (
                "climate_quarter",
                (np.arange(1, records.variance.shape[2] + 1) * min(quarter, len(setting.leads))),
                {"long_name": "last step of the window", "units": "1"},
            ),
        },
    )


def _words(long_name: str, units: str, definition: str) -> dict[str, str]:
    return {"long_name": long_name, "units": units, "definition": definition}
