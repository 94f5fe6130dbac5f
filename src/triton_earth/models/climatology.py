"""Climatology and lag correlation of a training split: what simple forecasts and anomaly scores are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np
import torch
from jaxtyping import Float, Float64, Int

from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.time import Duration
from triton_earth.data.climatology import Climatology, ClimatologyFit
from triton_earth.data.normalization import signed_log
from triton_earth.data.store import TrainingStore
from triton_earth.data.windows import Segment

__all__ = [
    "Climatology",
    "LagCorrelation",
    "fit_climatology",
    "fit_lag_correlation",
]

MOST_STATES = 1500
"""Training states, evenly spread, that a climatology is fitted to at most: weather forgets itself in days, so that the
states between them would tell little more."""

MOST_STARTS, MOST_LAGS = 32, 12
"""Initial times and lags that lag correlations are fitted from."""

TRAIN = "train"
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class LagCorrelation:
    """How much of an anomaly is left after a lag, on average over cells and training states.

        α(n) = Σ w a(t) a(t + n Δt) / Σ w a(t)²,    a = x − c

    It is the least-squares damping of the initial anomaly: the lag correlation, but for a variance that changes in
    time. Between the lags that were fitted it is interpolated linearly, beyond the last it stays as it is.

    Attributes:
        lags: Lags n in steps of the training store, 0 first.
        values: α(n) of each variable, 0 … 1.
    """

    lags: Int[np.ndarray, " lag"]
    values: Float64[np.ndarray, "lag channel"]

    def at(self, lag: float | int) -> Float64[np.ndarray, " channel"]:
        """Return α of each variable at one lag, in steps of the training store."""
        return np.array([np.interp(lag, self.lags, value) for value in self.values.T])


def fit_climatology(
    store: TrainingStore, names: Sequence[str], log_scale: Mapping[str, float] | None = None
) -> Climatology:
    """Fit the climatology of some variables to the training split by least squares.

    Args:
        store: Training store.
        names: Variables wanted.
        log_scale: ε of those whose logarithms sign(x) ln(1 + |x|/ε) are meant.

    Returns:
        The climatology, smoothed by harmonics of the year and, for steps below a day, of the day.

    Raises:
        UserError: if the store has no training split.
    """
    channels = store.variables.indices(names)
    segments = _segments(store)
    times = np.concatenate([store.times[one.start : one.stop] for one in segments])
    fit = ClimatologyFit(times, (len(channels), *store.grid.shape))
    for when, fields in _states(store, segments, channels):
        fit.add(when, _logarithms(fields, names, log_scale or {}))
    climatology = fit.climatology()
    if isinstance(store.grid, PeriodicGrid) and store.valid_mask is None:
        everywhere = climatology.coefficients.mean(axis=(-2, -1), keepdims=True)
        return replace(
            climatology,
            coefficients=np.broadcast_to(everywhere, climatology.coefficients.shape).copy(),
            definition=f"{climatology.definition} and in all cells",
        )
    if store.valid_mask is not None:
        climatology.coefficients[:, ~store.valid_mask[channels]] = np.nan
    return climatology


def fit_lag_correlation(
    store: TrainingStore, names: Sequence[str], climatology: Climatology, longest: int
) -> LagCorrelation:
    """Fit lag correlations of some variables to the training split.

    Args:
        store: Training store.
        names: Variables wanted.
        climatology: Their climatology.
        longest: Longest lag wanted, in steps.

    Returns:
        Lag correlations at lags up to `longest`, as far as the training split reaches.

    Raises:
        UserError: if the store has no training split.
    """
    channels = store.variables.indices(names)
    segments = _segments(store)
    reach = min(longest, max(len(one) for one in segments) - 1)
    lags = np.unique(np.geomspace(1, max(reach, 1), MOST_LAGS).round().astype(np.int64))
    weights = store.grid.cell_area_weights
    products = np.zeros((len(lags), len(channels)))
    squares = np.zeros_like(products)
    for number in range(MOST_STARTS):
        segment = segments[number * len(segments) // MOST_STARTS]
        for row, lag in enumerate(lags):
            room = len(segment) - int(lag)
            if room < 1:
                continue
            start = segment.start + int(number * _GOLDEN % 1.0 * room)
            pair = [
                _anomaly(store, climatology, segment.trajectory, time, channels)
                for time in (start, start + int(lag))
            ]
            products[row] += np.nansum(weights * pair[0] * pair[1], axis=(-2, -1))
            squares[row] += np.nansum(weights * pair[0] ** 2, axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        fitted = np.clip(np.where(squares > 0, products / squares, 0.0), 0.0, 1.0)
    reached = (squares > 0).any(axis=1)
    lags, fitted = lags[reached], fitted[reached]
    ones = np.ones((1, len(channels)))
    return LagCorrelation(np.concatenate([[0], lags]), np.concatenate([ones, fitted]))


def _segments(store: TrainingStore) -> tuple[Segment, ...]:
    if TRAIN not in store.split_names:
        raise UserError(
            f"{store.path}: a climatology needs a training split; the store has {store.split_names}. "
            "Evaluate against the store that the model was trained on."
        )
    return store.segments(TRAIN)


def _states(
    store: TrainingStore, segments: Sequence[Segment], channels: list[int]
) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "time channel y x"]]]:
    """Yield times and fields of evenly spread training states, a few at a time."""
    total = sum(len(segment) for segment in segments)
    stride = _stride(total, store.time_step)
    seen = 0
    for segment in segments:
        times = np.arange(segment.start + (-seen) % stride, segment.stop, stride)
        seen += len(segment)
        for chunk in np.array_split(times, -(-len(times) // 32)) if len(times) else []:
            read = slice(int(chunk[0]), int(chunk[-1]) + 1, stride)
            yield store.times[chunk], store.read(segment.trajectory, read)[:, channels]


def _logarithms(
    fields: Float[np.ndarray, "time channel y x"], names: Sequence[str], scales: Mapping[str, float]
) -> Float[np.ndarray, "time channel y x"]:
    channels = [
        signed_log(torch.from_numpy(fields[:, channel]), scales[name]).numpy()
        if name in scales
        else fields[:, channel]
        for channel, name in enumerate(names)
    ]
    return np.stack(channels, axis=1)


def _stride(total: int, time_step: Duration) -> int:
    """Return the distance of states taken: without a common divisor with a year's steps, it sees all hours and days."""
    stride = -(-total // MOST_STATES)
    if isinstance(time_step, np.timedelta64):
        year = round(np.timedelta64(365, "D") / time_step)
        while year > 1 and gcd(stride, year) > 1:
            stride += 1
    return stride


def _anomaly(
    store: TrainingStore,
    climatology: Climatology,
    trajectory: int,
    time: int,
    channels: list[int],
) -> Float64[np.ndarray, "channel y x"]:
    chosen = slice(time, time + 1)
    return (store.read(trajectory, chosen)[:, channels] - climatology.at(store.times[chosen]))[0]
