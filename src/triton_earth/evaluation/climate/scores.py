"""Climate scores of a run: how far its statistics are from those of the training climate at the same times."""

import numpy as np
from jaxtyping import Float64

from triton_earth.data.statistics.climatology import Climatology
from triton_earth.evaluation.climate.measures import (
    BANDS,
    CHANGE,
    LAGS,
    MEAN,
    PRODUCTS,
    QUANTILES,
    QUANTILES_EVERY,
    SQUARE,
    RunStatistics,
    expected_map,
)
from triton_earth.evaluation.climate.reference import ClimateReference

DEFINITIONS = {
    "bias_map": "root mean square over the area of the mean anomaly of the run at each place, over the standard "
    "deviation of the anomaly",
    "season_map": "bias_map of every complete season (91 days, or 30 steps), root mean square over seasons",
    "global_mean": "root mean square of the means over 30 days (10 steps) of the area-mean anomaly, over the standard "
    "deviation of the anomaly",
    "zonal_mean": "root mean square over rows, by their area, of the mean anomaly of each row, over the standard "
    "deviation of the anomaly",
    "seasonal_cycle": "root mean square over rows of the annual wave that the mean of the row lacks or has too much "
    "of, over the standard deviation of the anomaly; missing for less than a year",
    "variance": "root mean square over windows of 90 days (30 steps) of ln(mean square anomaly / expected)",
    "variance_map": "root mean square over the area of ln(mean square anomaly of the run at a place / expected)",
    "spectrum": "root mean square over octaves of the wavenumber along rows of ln(variance / expected); octaves below "
    "a millionth of the variance are left out",
    "step_change": "|1 - ratio| of the root mean square change per step of the run to that expected",
    "lag_correlation": f"root mean square departure of the autocorrelation at lags of {LAGS[0]} and {LAGS[1]} steps",
    "quantiles": "root mean square departure of the 1 % and 99 % quantiles of the anomaly over cells, over the "
    "standard deviation of the anomaly",
}
"""What each climate score is; 0 is a run whose statistics are exactly those that are expected."""

WINDOWED = {"season_map": "season", "global_mean": "month", "variance": "quarter"}
"""Scores that look at windows of the run; the noise of all others falls with the root of its length."""

EMPTY_BAND = 1e-6
"""Part of the variance below which an octave counts as empty."""

Scores = dict[str, Float64[np.ndarray, "run channel"]]


def climate_scores(run: RunStatistics, reference: ClimateReference) -> Scores:
    """Return the climate scores of some runs, by name, as `DEFINITIONS` says; NaN where one cannot be told.

    Args:
        run: Their statistics, with the anomalies of `reference`.
        reference: The climate that they are compared with.
    """
    measures, deviation = reference.measures, reference.deviation
    numbers, times = run.numbers, run.valid_times
    expected = np.stack([reference.expectation.at(row) for row in times])
    bias = run.anomaly_sum / run.steps
    found: Scores = {}
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found["bias_map"] = np.sqrt(measures.mean(bias**2)) / deviation
        if run.season_squares:
            found["season_map"] = np.sqrt(np.mean(run.season_squares, axis=0)) / deviation
        means = windows(numbers[..., MEAN] - expected[..., MEAN], measures.month)
        found["global_mean"] = np.sqrt((means**2).mean(axis=1)) / deviation
        rows = (bias * measures.weights).sum(axis=-1)
        share = measures.weights.sum(axis=-1)
        row_means = np.divide(rows, share, where=share > 0, out=np.zeros_like(rows))
        found["zonal_mean"] = np.sqrt((row_means**2 * share).sum(axis=-1)) / deviation
        if measures.year is not None and run.steps >= int(measures.year):
            waves = np.linalg.solve(run.row_normal[:, None], _rows_last(run.row_sums))[:, :, 1:]
            power = (waves**2).sum(axis=2) / 2
            found["seasonal_cycle"] = np.sqrt((power * share).sum(axis=-1)) / deviation
        ratios = variance_ratios(run, reference)
        found["variance"] = np.sqrt((np.log(ratios) ** 2).mean(axis=1))
        found["variance_map"] = _variance_map(run, reference)
        found["spectrum"] = _spectrum(numbers, expected, measures.bands)
        change = _over_run(numbers, CHANGE) / _over_run_where(expected, numbers, CHANGE)
        found["step_change"] = np.abs(1 - np.sqrt(change))
        found["lag_correlation"] = _lag_correlation(numbers, expected)
        last = slice(BANDS + measures.bands, BANDS + measures.bands + len(QUANTILES))
        apart = (numbers - expected)[:, ::QUANTILES_EVERY, :, last].mean(axis=1)
        found["quantiles"] = np.sqrt((apart**2).mean(axis=-1)) / deviation
    return {
        name: found[name] if name in found else np.full(bias.shape[:2], np.nan)
        for name in DEFINITIONS
    }


def windows(
    values: Float64[np.ndarray, "run step *rest"], length: int
) -> Float64[np.ndarray, "run window *rest"]:
    """Return the means over successive windows of so many steps; over all where there are fewer; a rest is left out."""
    length = min(length, values.shape[1])
    count = values.shape[1] // length
    return (
        values[:, : count * length]
        .reshape(len(values), count, length, *values.shape[2:])
        .mean(axis=2)
    )


def variance_ratios(
    run: RunStatistics, reference: ClimateReference
) -> Float64[np.ndarray, "run window channel"]:
    """Return the mean square anomaly over that expected, of every window of 90 days (30 steps)."""
    length = reference.measures.quarter
    expected = np.stack([reference.expectation.at(row)[..., SQUARE] for row in run.valid_times])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return windows(run.numbers[..., SQUARE], length) / windows(expected, length)


def seasonal_cycle(
    run: RunStatistics, reference: ClimateReference
) -> tuple[Float64[np.ndarray, "run channel"], Float64[np.ndarray, "run channel"]]:
    """Return amplitude, as a part of that of the climate, and phase, in days late, of the annual wave of the row means.

        b = Σ_rows w A_run A_c* / Σ_rows w |A_c|²,    amplitude |b|,    phase −arg(b) 365.25 / 2π

    with A the complex annual wave of each row's mean. Both are NaN for less than a year and without a calendar.
    """
    shape = run.anomaly_sum.shape[:2]
    measures = reference.measures
    if measures.year is None or run.steps < int(measures.year):
        return np.full(shape, np.nan), np.full(shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        waves = np.linalg.solve(run.row_normal[:, None], _rows_last(run.row_sums))
        climate = reference.annual[0] - 1j * reference.annual[1]
        own = climate + waves[:, :, 1] - 1j * waves[:, :, 2]
        weight = measures.weights.sum(axis=-1)
        response = (weight * own * climate.conj()).sum(axis=-1) / (
            weight * np.abs(climate) ** 2
        ).sum(axis=-1)
        return np.abs(response), -np.angle(response) * 365.25 / (2 * np.pi)


def _rows_last(sums: np.ndarray) -> Float64[np.ndarray, "run channel wave y"]:
    return np.moveaxis(sums, 1, 2)


def _variance_map(
    run: RunStatistics, reference: ClimateReference
) -> Float64[np.ndarray, "run channel"]:
    measures = reference.measures
    found = []
    for squares, times in zip(run.square_sum, run.valid_times, strict=True):
        expected = _expected_squares(reference, times)
        logarithm = np.log(squares / run.steps / expected) ** 2
        # A cell where the truth never changes, as one under ice, has no variance to compare.
        changing = (measures.weights > 0) & (
            expected > EMPTY_BAND * reference.deviation[:, None, None] ** 2
        )
        weights = np.where(changing, measures.weights, 0.0)
        total = (weights * np.where(changing, logarithm, 0.0)).sum(axis=(1, 2))
        found.append(np.sqrt(total / weights.sum(axis=(1, 2))))
    return np.stack(found)


def _expected_squares(
    reference: ClimateReference, times: np.ndarray
) -> Float64[np.ndarray, "channel y x"]:
    squares: Climatology = reference.squares
    places = expected_map(squares, times)
    if not reference.expectation.by_step:
        return places
    # A flow that decays: the pattern of all times, with the mean square that belongs to these times.
    level = reference.expectation.at(times)[..., SQUARE].mean(axis=0)
    return places * (level / reference.deviation**2)[:, None, None]


def _spectrum(
    numbers: np.ndarray, expected: np.ndarray, bands: int
) -> Float64[np.ndarray, "run channel"]:
    columns = slice(BANDS, BANDS + bands)
    own, wanted = numbers[..., columns].mean(axis=1), expected[..., columns].mean(axis=1)
    full = wanted > EMPTY_BAND * wanted.sum(axis=-1, keepdims=True)
    logarithm = np.where(full, np.log(own / wanted) ** 2, 0.0)
    return np.sqrt(logarithm.sum(axis=-1) / full.sum(axis=-1))


def _lag_correlation(
    numbers: np.ndarray, expected: np.ndarray
) -> Float64[np.ndarray, "run channel"]:
    apart = []
    for column in range(PRODUCTS, PRODUCTS + len(LAGS)):
        own = _over_run(numbers, column) / _over_run(numbers, SQUARE)
        wanted = _over_run_where(expected, numbers, column) / _over_run(expected, SQUARE)
        apart.append(own - wanted)
    return np.sqrt(np.mean(np.square(apart), axis=0))


def _over_run(numbers: np.ndarray, column: int) -> Float64[np.ndarray, "run channel"]:
    """Return the mean over steps; the first steps have no earlier ones to be compared with, a short run has no mean."""
    return _mean_over_steps(numbers[:, _first(column) :, :, column])


def _over_run_where(expected: np.ndarray, numbers: np.ndarray, column: int) -> np.ndarray:
    return _mean_over_steps(expected[:, _first(column) :, :, column])


def _mean_over_steps(chosen: np.ndarray) -> np.ndarray:
    if chosen.shape[1] == 0:
        return np.full((chosen.shape[0], *chosen.shape[2:]), np.nan)
    return chosen.mean(axis=1)


def _first(column: int) -> int:
    return {CHANGE: 1, **{PRODUCTS + place: lag for place, lag in enumerate(LAGS)}}.get(column, 0)
