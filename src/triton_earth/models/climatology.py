"""Climatology of a training split: what simple forecasts and anomaly scores are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import gcd

import numpy as np
import torch
from jaxtyping import Float

from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.time import Duration
from triton_earth.data.statistics.climatology import HARMONICS, Climatology, ClimatologyFit
from triton_earth.data.statistics.normalization import signed_log
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment

__all__ = [
    "Climatology",
    "fit_climatology",
]

MOST_STATES = 1500
"""Training states, evenly spread, that a climatology is fitted to at most: weather forgets itself in days, so that the
states between them would tell little more."""

TRAIN = "train"


def fit_climatology(
    store: TrainingStore,
    names: Sequence[str],
    log_scale: Mapping[str, float] | None = None,
    harmonics: int = HARMONICS,
) -> Climatology:
    """Fit the climatology of some variables to the training split by least squares.

    Args:
        store: Training store.
        names: Variables wanted.
        log_scale: ε of those whose logarithms sign(x) ln(1 + |x|/ε) are meant.
        harmonics: Harmonics of the year.

    Returns:
        The climatology, smoothed by harmonics of the year and, for steps below a day, of the day.

    Raises:
        UserError: if the store has no training split.
    """
    channels = store.variables.indices(names)
    shape = (len(channels), *store.grid.shape)
    fit = ClimatologyFit(training_times(store), shape, harmonics)
    for when, fields in spread_states(store, training_segments(store), channels):
        fit.add(when, _logarithms(fields, names, log_scale or {}))
    return of_the_grid(fit.climatology(), store, channels)


def of_the_grid(climatology: Climatology, store: TrainingStore, channels: list[int]) -> Climatology:
    """Return a climatology with what the grid of a store says: alike in all cells of a periodic box, NaN on land.

    Args:
        climatology: As it was fitted, cell by cell.
        store: Training store.
        channels: Which of the store's variables it is of.
    """
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


def training_segments(store: TrainingStore) -> tuple[Segment, ...]:
    """Return the stretches of the training split.

    Raises:
        UserError: if the store has none.
    """
    if TRAIN not in store.split_names:
        raise UserError(
            f"{store.path}: a climatology needs a training split; the store has {store.split_names}. "
            "Evaluate against the store that the model was trained on."
        )
    return store.segments(TRAIN)


def training_times(store: TrainingStore) -> np.ndarray:
    """Return all times of the training split, one trajectory after the other.

    Raises:
        UserError: if the store has none.
    """
    return np.concatenate([store.times[one.start : one.stop] for one in training_segments(store)])


def spread_states(
    store: TrainingStore,
    segments: Sequence[Segment],
    channels: list[int],
    most: int = MOST_STATES,
) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "time channel y x"]]]:
    """Yield times and fields of evenly spread states, a few at a time.

    Args:
        store: Training store.
        segments: Stretches of it.
        channels: Which of its variables.
        most: About how many states there are at most.
    """
    total = sum(len(segment) for segment in segments)
    stride = _stride(total, store.time_step, most)
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


def _stride(total: int, time_step: Duration, most: int = MOST_STATES) -> int:
    """Return the distance of states taken: without a common divisor with a year's steps, it sees all hours and days."""
    stride = -(-total // most)
    if isinstance(time_step, np.timedelta64):
        year = round(np.timedelta64(365, "D") / time_step)
        while year > 1 and gcd(stride, year) > 1:
            stride += 1
    return stride
