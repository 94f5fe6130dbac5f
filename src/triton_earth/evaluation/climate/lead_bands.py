"""Bands of single leads that the truth itself stays within beside another truth of the same season."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float64

from triton_earth.data.statistics.climatology import ClimatologyFit
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.evaluation.aggregator import Case
from triton_earth.evaluation.climate.measures import Measures
from triton_earth.evaluation.climate.reference import (
    YEARLY_HARMONICS,
    depends_on_step,
    divide,
    fit_expectation,
)
from triton_earth.evaluation.climate.stability import COVERAGE, MARGIN
from triton_earth.evaluation.metrics.error_metrics import forecast_variance
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.metrics.stability import TOTALS, Band, Ratio
from triton_earth.evaluation.spectra.flow import ENERGY, ENSTROPHY, FlowSpectra, flow_spectra
from triton_earth.models.climatology import (
    MOST_STATES,
    TRAIN,
    Climatology,
    fit_climatology,
    spread_states,
)

LEAST_MEAN, LEAST_RATIO = 0.1, 1.25
"""Half widths below which no band falls: of a mean in standard deviations of the anomaly, and a factor of a ratio."""

MOST_BYTES = 2**33
"""Most that is read of a training split, but for a hundred states that are read of any."""

FEWEST = 5
"""States of each fold below which nothing is measured."""


@dataclass(frozen=True)
class MeasuredBands:
    """Bands of each variable, measured on the training split.

    Attributes:
        drift: Largest |mean f − mean t| of each variable, in its units.
        variance: Band of var f / var t of the anomalies of each variable.
        totals: Bands of the ratios of `TOTALS` that there are.
        steps: Leads that a forecast stays inside at in 95 of 100 cases where it is another truth.
        states: Training states that they were measured on.
        fold_word: Which parts of the training split were compared with the rest.
    """

    drift: Float64[np.ndarray, " variable"]
    variance: tuple[Band, ...]
    totals: dict[str, Band]
    steps: int
    states: int
    fold_word: str

    def largest_drift(self, variable: int, variance: Ratio) -> np.float64:
        """Return the largest drift of the mean of a variable, the same at every lead."""
        return np.float64(self.drift[variable])

    def of_variance(self, variable: int) -> Band:
        """Return the band of the variance of a variable."""
        return self.variance[variable]

    def of_total(self, name: str) -> Band:
        """Return the band of one of the `TOTALS`."""
        return self.totals[name]

    def of(self, variable: int) -> "MeasuredBands":
        """Return the bands of a single variable."""
        return MeasuredBands(
            self.drift[variable : variable + 1],
            self.variance[variable : variable + 1],
            self.totals,
            self.steps,
            self.states,
            self.fold_word,
        )

    def words(self, variables: Sequence[str]) -> str:
        """Return the bands in words; of many variables only how they were measured."""
        how = (
            f"within which 95 of 100 runs of the truth of {self.steps} leads stay beside another truth of the same "
            f"season or time after the start, measured on {self.states} training states ({self.fold_word} held out)"
        )
        if len(variables) > 4:
            return f"({how})"
        parts = [
            f"{name}: mean within {drift:.3g}, ratio of anomaly variances {band.lower:.3g} to {band.upper:.3g}"
            for name, drift, band in zip(variables, self.drift, self.variance, strict=True)
        ]
        parts += [
            f"{TOTALS[name]} ratio {band.lower:.3g} to {band.upper:.3g}"
            for name, band in self.totals.items()
        ]
        return f"({how}; {'; '.join(parts)})"

    def to_dict(self, variables: Sequence[str]) -> dict[str, Any]:
        """Return the bands as plain values."""
        return {
            "measured_on": f"{self.states} training states, {self.fold_word} held out",
            "leads": self.steps,
            "mean_drift": dict(zip(variables, self.drift.tolist(), strict=True)),
            "variance": {
                name: band.model_dump() for name, band in zip(variables, self.variance, strict=True)
            },
            **{name: band.model_dump() for name, band in self.totals.items()},
        }


def measure_lead_bands(case: Case) -> MeasuredBands | None:
    """Measure the bands of a case on the training split of its climatology.

    With r the departures of mean, ln variance of the anomaly, ln energy and ln small-scale enstrophy of training states
    from what the other folds of the split (whole years where there are some) have at the same time of the year, or
    after the start,

        half width = max(z √2 σ, 1.15 √2 max |r|, least),    z = Φ⁻¹(1 − 0.05 / (2 tests)),    σ² = ⟨r²⟩

    as two truths are apart by √2 σ, and as many tests as leads times criteria. `least` is a tenth of the standard
    deviation of the anomaly, and a factor of 1.25.

    Args:
        case: What is scored, with its baselines.

    Returns:
        None where there is no training split, or it is too short to be divided.
    """
    store = case.training
    if not isinstance(store, TrainingStore) or TRAIN not in store.split_names:
        return None
    names = case.variables.names
    channels = store.variables.indices(names)
    measures = Measures.of(
        store.grid, len(channels), case.valid_mask, store.time_step, case.weights
    )
    folds, word = divide(store.segments(TRAIN), store.times, measures, 1)
    if len(folds) < 2:
        return None
    climatology = case.baselines.climatology or fit_climatology(store, names)
    flow = None
    if case.region is None:
        flow = flow_spectra(case.variables, case.grid, case.defined)
    found = [_measured(case, store, fold, channels, climatology, flow) for fold in folds]
    if min(len(times) for times, _, _ in found) < FEWEST:
        return None
    times = np.concatenate([when for when, _, _ in found])
    harmonics = min(YEARLY_HARMONICS, ClimatologyFit(times, (1,)).harmonics)
    by_step = depends_on_step(
        folds, measures, [one for when, numbers, _ in found for one in _trajectories(when, numbers)]
    )
    residuals = []
    for held_out, (when, numbers, _) in enumerate(found):
        others = [one for number, one in enumerate(found) if number != held_out]
        expected = fit_expectation(
            np.concatenate([each for each, _, _ in others]),
            np.concatenate([each for _, each, _ in others])[:, None],
            harmonics,
            store.time_step,
            by_step,
        )
        residuals.append(numbers - expected.at(when)[:, 0])
    leads = len(case.alignment.leads)
    deviation = np.sqrt(np.concatenate([squares for _, _, squares in found]).mean(axis=0))
    widths = _half_widths(np.concatenate(residuals), leads, deviation)
    count = len(names)
    bands = [Band(lower=float(np.exp(-one)), upper=float(np.exp(one))) for one in widths[count:]]
    return MeasuredBands(
        widths[:count],
        tuple(bands[:count]),
        dict(zip(TOTALS if flow is not None else (), bands[count:], strict=True)),
        leads,
        len(times),
        word,
    )


def _trajectories(
    when: np.ndarray, numbers: Float64[np.ndarray, "time number"]
) -> list[Float64[np.ndarray, "_ number"]]:
    """Return the numbers of a fold by trajectory: its times begin anew with each."""
    return np.split(numbers, 1 + np.flatnonzero(when[1:] <= when[:-1]))


def _measured(
    case: Case,
    store: TrainingStore,
    fold: Sequence[Segment],
    channels: list[int],
    climatology: Climatology,
    flow: FlowSpectra | None,
) -> tuple[np.ndarray, Float64[np.ndarray, "time number"], Float64[np.ndarray, "time variable"]]:
    """Return times, numbers and mean square anomalies of evenly spread states of a fold."""
    weights, mask = case.weights, case.valid_mask
    size = 4 * len(store.variables) * int(np.prod(store.grid.shape))
    most = max(25, min(MOST_STATES, MOST_BYTES // (4 * size)))
    times, numbers, squares = [], [], []
    for when, fields in spread_states(store, fold, channels, most):
        cycle = climatology.at(when)
        sums = error_sums(fields, cycle, weights, mask)
        anomaly = error_sums(fields - cycle, cycle, weights, mask)
        with np.errstate(invalid="ignore", divide="ignore"):
            each = [sums.forecast / sums.weight, np.log(forecast_variance(anomaly))]
            if flow is not None:
                spectra = flow.spectra([fields])[0, 0]
                small = spectra[ENSTROPHY][:, flow.small_scales].sum(axis=-1)
                each.append(np.log(np.stack([spectra[ENERGY].sum(axis=-1), small], axis=-1)))
        times.append(when)
        joined = np.concatenate(each, axis=1)
        numbers.append(np.where(np.isfinite(joined), joined, np.nan))
        squares.append(sums.error_squared / sums.weight)
    return np.concatenate(times), np.concatenate(numbers), np.concatenate(squares)


def _half_widths(
    residuals: Float64[np.ndarray, "time number"],
    leads: int,
    deviation: Float64[np.ndarray, " variable"],
) -> Float64[np.ndarray, " number"]:
    """Return the half width of each band, of logarithms but for the means."""
    count = residuals.shape[1]
    known = np.isfinite(residuals)
    apart = np.where(known, residuals, 0.0)
    sigma = np.sqrt((apart**2).sum(axis=0) / np.maximum(1, known.sum(axis=0)))
    z = NormalDist().inv_cdf(1 - (1 - COVERAGE) / (2 * leads * count))
    largest = np.maximum(z * sigma, MARGIN * np.abs(apart).max(axis=0))
    least = np.full(count, np.log(LEAST_RATIO))
    least[: len(deviation)] = LEAST_MEAN * deviation
    return np.asarray(np.maximum(np.sqrt(2) * largest, least))
