"""The linear inverse model: a few patterns of the anomalies, and a matrix that advances them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.statistics.patterns import Patterns, every_so_many, fit_patterns
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.models.climatology import (
    Climatology,
    fit_climatology,
    training_segments,
)
from triton_earth.models.reference import Fields, Reference

MODES = 20


@dataclass
class LinearInverseModel(Reference):
    """The forecast of the anomaly by its leading patterns, each a linear function of all of them a step before.

        x(t + n Δt) = c(t + n Δt) + S E Gⁿ Eᵀ S⁻¹ [x(t) − c(t)]

    with E, S and G those of `Patterns`. No eigenvalue of G has a modulus above 1.

    Attributes:
        climatology: c of the predicted variables.
        patterns: E, S and G of one step.

    Source: Penland and Sardeshmukh (1995), J. Climate 8, 1999, Eq. 2 to 5, without the noise: its mean.
    """

    climatology: Climatology = field(kw_only=True)
    patterns: Patterns = field(kw_only=True)
    name: str = "linear inverse model"

    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the climatology at the valid times and what the patterns have become."""
        amplitudes = self.patterns.amplitudes(initial - self.climatology.at(init_times))
        advanced = amplitudes @ np.linalg.matrix_power(self.patterns.propagator, step).T
        valid = self.climatology.at(init_times + step * self.time_step)
        return (valid + self.patterns.fields(advanced)).astype(np.float32)


def fit_linear_inverse(
    store: TrainingStore, names: Sequence[str] | None = None, modes: int = MODES
) -> LinearInverseModel:
    """Fit a linear inverse model to the training split of a store.

    Args:
        store: Training store.
        names: Variables that it forecasts; all that are predicted if not given.
        modes: Number of patterns.

    Raises:
        UserError: if the store has no training split, or its training split has too few states.
    """
    chosen = list(names or store.variables.with_role(Role.PROGNOSTIC, Role.DIAGNOSTIC).names)
    channels = store.variables.indices(chosen)
    segments = training_segments(store)
    climatology = fit_climatology(store, chosen)
    mask = store.valid_mask
    valid = np.ones((len(channels), *store.grid.shape), bool) if mask is None else mask[channels]

    def anomalies(segment: Segment) -> Iterator[Float32[np.ndarray, "_ channel y x"]]:
        start = segment.start
        for block in store.blocks(segment):
            times = store.times[start : start + len(block)]
            yield (block[:, channels] - climatology.at(times)).astype(np.float32)
            start += len(block)

    states = _evenly(store, channels, climatology, valid)
    stretches = (anomalies(segment) for segment in segments)
    try:
        patterns = fit_patterns(states, stretches, valid, store.grid.cell_area_weights, modes)
    except UserError as error:
        raise UserError(f"{store.path}: {error}") from error
    return LinearInverseModel(
        store.variables.select(chosen),
        store.grid,
        store.time_step,
        climatology=climatology,
        patterns=patterns,
    )


def _evenly(
    store: TrainingStore, channels: list[int], climatology: Climatology, valid: np.ndarray
) -> Float32[np.ndarray, "state value"]:
    """Return the anomalies of evenly spread states."""
    places = [
        (segment.trajectory, time)
        for segment in training_segments(store)
        for time in range(segment.start, segment.stop)
    ]
    chosen = places[:: every_so_many(len(places), int(valid.sum()))]
    states = np.empty((len(chosen), int(valid.sum())), np.float32)
    for row, (trajectory, time) in enumerate(chosen):
        now = slice(time, time + 1)
        fields = store.read(trajectory, now)[:, channels] - climatology.at(store.times[now])
        states[row] = fields[0][valid]
    return states
