"""Whether runs stay in the training climate: bands that the truth itself stays within, and how a run leaves them."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.evaluation.climate.floor import NoiseFloor
from triton_earth.evaluation.climate.measures import (
    BANDS,
    CHANGE,
    MEAN,
    SQUARE,
    Measures,
    RunStatistics,
)
from triton_earth.evaluation.climate.reference import ClimateReference
from triton_earth.evaluation.climate.scores import EMPTY_BAND, seasonal_cycle, windows

COVERAGE = 0.95
"""Part of the truth's own runs that stay within the bands for their whole length."""

LEAST = {"mean": 0.1, "variance": np.log(1.25), "small_scales": np.log(1.5), "change": np.log(1.1)}
"""Half widths below which no band falls, however regular the truth is: smaller departures harm nobody."""

MARGIN = 1.15
"""How far beyond the largest departure of the truth the bands reach at least."""

BLOW_UP = 4.0
"""Mean square anomaly over that expected, from which on a run has blown up."""

SEASON_AMPLITUDE, SEASON_DAYS = 0.25, 20.0
"""Departures of amplitude (as a part) and phase (in days) of the annual wave with which a season counts as lost."""

SEASONAL = 0.3
"""Annual wave of the rows, over the standard deviation of the anomaly, from which on a variable has a season."""

FAILURES = {
    "blow_up": "a value is not finite, or the mean square anomaly of a window is above "
    f"{BLOW_UP:g} times that expected",
    "drift": "the area mean of a window departs from the season by more than that of any window of the truth",
    "season_lost": "the annual wave, of a variable with an annual wave, is weaker or stronger by more than "
    f"{SEASON_AMPLITUDE:.0%}, or more than {SEASON_DAYS:g} days early or late",
    "frozen": "the change per step or the variance of the smallest scales of a window is below that of the "
    "windows of the truth: the run freezes or blurs",
    "variance": "the mean square anomaly of a window is outside the range of the windows of the truth",
}
"""The ways to leave the climate, in the order in which they are named."""

Departures = dict[str, Float64[np.ndarray, "run window channel"]]


@dataclass(frozen=True)
class ClimateBands:
    """Half width of the band of each departure and variable.

    Attributes:
        widths: By departure; departures are those of `departures`.
    """

    widths: dict[str, Float64[np.ndarray, " channel"]]


@dataclass(frozen=True)
class ClimateStability:
    """How some runs fare within the bands.

    Attributes:
        horizon: Steps at the end of the first window outside any band; +∞ where there is none.
        failures: Which runs fail, by the names of `FAILURES`.
        variables: Names of the variables that are outside, of each run.
    """

    horizon: Float64[np.ndarray, " run"]
    failures: dict[str, Bool[np.ndarray, " run"]]
    variables: list[list[str]]

    @property
    def stable(self) -> Bool[np.ndarray, " run"]:
        """Which runs do not fail in any way."""
        return ~np.any(list(self.failures.values()), axis=0)


def departures(run: RunStatistics, reference: ClimateReference) -> Departures:
    """Return how far the windows of 30 days (10 steps) of some runs are from what is expected of them.

    Of the area mean it is the difference over the standard deviation of the anomaly, of the mean square anomaly, of
    that of the change per step and of the variance in the smallest octave that is not empty the logarithm of the ratio.
    """
    measures = reference.measures
    numbers = run.numbers
    expected = np.stack([reference.expectation.at(row) for row in run.valid_times])
    length = measures.month
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found = {
            "mean": windows(numbers[..., MEAN] - expected[..., MEAN], length) / reference.deviation,
            "variance": np.log(
                windows(numbers[..., SQUARE], length) / windows(expected[..., SQUARE], length)
            ),
        }
        bands = slice(BANDS, BANDS + measures.bands)
        own, wanted = windows(numbers[..., bands], length), windows(expected[..., bands], length)
        place = _smallest(wanted, measures)
        found["small_scales"] = np.log(_at(own, place) / _at(wanted, place))
        change = numbers[..., CHANGE].copy()
        change[:, 0] = expected[:, 0, :, CHANGE]  # the first step has none before it
        found["change"] = 0.5 * np.log(
            windows(change, length) / windows(expected[..., CHANGE], length)
        )
    return found


def calibrate(floor: NoiseFloor, steps: int) -> ClimateBands:
    """Return bands that the truth's own runs of so many steps stay within, in 95 of 100 cases.

        half width = max(z σ, least),    z = max(Φ⁻¹(1 − 0.05 / (2 tests)), 1.15 max |departure| / σ)

    with σ the root mean square departure of the stretches of truth against the rest of it, and as many tests as a run
    has windows, variables and departures.

    Args:
        floor: Stretches of the truth, each beside the climate of the rest.
        steps: Steps of the runs.
    """
    pooled: dict[str, list[np.ndarray]] = {name: [] for name in LEAST}
    for run, reference in floor.runs:
        for name, values in departures(run, reference).items():
            pooled[name].append(values[0])
    joined = {name: np.concatenate(values) for name, values in pooled.items()}
    measures = floor.runs[0][1].measures
    channels = joined["mean"].shape[1]
    tests = max(1, steps // measures.month) * channels * len(LEAST)
    z = NormalDist().inv_cdf(1 - (1 - COVERAGE) / (2 * tests))
    widths = {}
    for name, values in joined.items():
        known = np.where(np.isfinite(values), values, 0.0)
        largest = MARGIN * np.abs(known).max(axis=0)
        sigma = np.sqrt((known**2).mean(axis=0))
        widths[name] = np.maximum(np.maximum(z * sigma, largest), LEAST[name])
    return ClimateBands(widths)


def judge(
    run: RunStatistics, reference: ClimateReference, bands: ClimateBands, names: list[str]
) -> ClimateStability:
    """Return how some runs fare within the bands.

    Args:
        run: Statistics of the runs.
        reference: The climate that they are compared with.
        bands: The bands.
        names: Names of the variables.
    """
    found = departures(run, reference)
    finite = np.isfinite(run.numbers[..., [MEAN, SQUARE]]).all(axis=(1, 3))
    with np.errstate(invalid="ignore"):
        outside = {name: ~(np.abs(values) <= bands.widths[name]) for name, values in found.items()}
        # A band of the truth that is empty has nothing to be judged by.
        for name in ("small_scales", "change"):
            outside[name] &= ~np.isnan(found[name]) | ~finite[:, None]
        low = {name: outside[name] & ~(found[name] >= 0) for name in ("small_scales", "change")}
        exploded = (outside["variance"] & ~(found["variance"] <= np.log(BLOW_UP))).any(
            axis=1
        ) | ~finite
        frozen = (low["small_scales"] | low["change"]).any(axis=1) & ~exploded
        by_variable = {
            "blow_up": exploded,
            "drift": outside["mean"].any(axis=1),
            "season_lost": _season_lost(run, reference),
            "frozen": frozen,
            "variance": outside["variance"].any(axis=1) & ~exploded,
        }
    tripped = np.any([values.any(axis=2) for values in outside.values()], axis=0)
    first = np.where(tripped.any(axis=1), tripped.argmax(axis=1), -1)
    window = min(reference.measures.month, run.steps)
    horizon = np.where(first < 0, np.inf, (first + 1.0) * window)
    late = np.isinf(horizon) & by_variable["season_lost"].any(axis=1)
    horizon[late] = run.steps
    any_failure = np.any(list(by_variable.values()), axis=0)
    return ClimateStability(
        horizon,
        {name: values.any(axis=1) for name, values in by_variable.items()},
        [[name for name, one in zip(names, row, strict=True) if one] for row in any_failure],
    )


def _season_lost(
    run: RunStatistics, reference: ClimateReference
) -> Bool[np.ndarray, "run channel"]:
    amplitude, late = seasonal_cycle(run, reference)
    share = reference.measures.weights.sum(axis=-1)
    power = ((reference.annual**2).sum(axis=0) / 2 * share).sum(axis=-1)
    has_season = np.sqrt(power) > SEASONAL * reference.deviation
    with np.errstate(invalid="ignore"):
        lost = (np.abs(amplitude - 1) > SEASON_AMPLITUDE) | (np.abs(late) > SEASON_DAYS)
    return lost & has_season


def _smallest(
    expected: Float64[np.ndarray, "run window channel band"], measures: Measures
) -> Float64[np.ndarray, "run window channel band"]:
    """Return 1 at the smallest scale that is not empty, 0 elsewhere."""
    full = expected > EMPTY_BAND * expected.sum(axis=-1, keepdims=True)
    last = measures.bands - 1 - full[..., ::-1].argmax(axis=-1)
    return (np.arange(measures.bands) == last[..., None]).astype(np.float64)


def _at(values: np.ndarray, place: np.ndarray) -> Float64[np.ndarray, "run window channel"]:
    return np.where(place > 0, values, 0.0).sum(axis=-1)
