"""The linear inverse model: a few patterns of the anomalies, and a matrix that advances them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.climatology import (
    Climatology,
    fit_climatology,
    training_segments,
)
from triton_earth.models.reference import Fields, Reference

MODES = 20
MOST_STATES = 1500
MOST_VALUES = 2**27
"""Training states, evenly spread, that the patterns are found from: at most so many, and at most so many values."""


@dataclass
class LinearInverseModel(Reference):
    """The forecast of the anomaly by its leading patterns, each a linear function of all of them a step before.

        x(t + n Δt) = c(t + n Δt) + S E Gⁿ Eᵀ S⁻¹ [x(t) − c(t)],      G = ⟨a(t + Δt) aᵀ(t)⟩ ⟨a(t) aᵀ(t)⟩⁻¹

    with a = Eᵀ S⁻¹ (x − c) the amplitudes of the patterns E, which are the empirical orthogonal functions of the
    training split in the norm of cell areas and of each variable's variance (S). Eigenvalues of G beyond the unit
    circle, which only a short record gives, are moved onto it, so that no forecast grows without bound.

    Attributes:
        climatology: c of the predicted variables.
        patterns: E, orthonormal columns over the valid cells.
        scale: S, what a unit of each of these values is in units of its variable.
        propagator: G of one step.
        valid: Cells that the patterns have.

    Source: Penland and Sardeshmukh (1995), J. Climate 8, 1999, Eq. 2 to 5, without the noise: its mean.
    """

    climatology: Climatology = field(kw_only=True)
    patterns: Float64[np.ndarray, "value mode"] = field(kw_only=True)
    scale: Float64[np.ndarray, " value"] = field(kw_only=True)
    propagator: Float64[np.ndarray, "mode mode"] = field(kw_only=True)
    valid: Bool[np.ndarray, "channel y x"] = field(kw_only=True)
    name: str = "linear inverse model"

    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the climatology at the valid times and what the patterns have become."""
        anomaly = (initial - self.climatology.at(init_times))[:, self.valid] / self.scale
        advanced = np.linalg.matrix_power(self.propagator, step) @ (anomaly @ self.patterns).T
        found = self.climatology.at(init_times + step * self.time_step)
        found[:, self.valid] += (self.patterns @ advanced).T * self.scale
        return found.astype(np.float32)


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
    states = _evenly(store, channels, climatology, valid)
    if len(states) <= modes:
        raise UserError(
            f"{store.path}: {modes} patterns need more than {modes} states in the training split, found {len(states)}. "
            "Take fewer patterns, or more data."
        )
    scale = _scale(states, store, valid)
    states /= scale.astype(np.float32)
    patterns = np.linalg.svd(states, full_matrices=False)[2][:modes].T.astype(np.float64)
    modes = patterns.shape[1]  # there are no more of them than values
    together, lagged = np.zeros((2, modes, modes))
    for segment in segments:
        start, amplitudes = segment.start, []
        for block in store.blocks(segment):
            times = store.times[start : start + len(block)]
            anomaly = (block[:, channels] - climatology.at(times))[:, valid] / scale
            amplitudes.append(anomaly @ patterns)
            start += len(block)
        series = np.concatenate(amplitudes)
        together += series[:-1].T @ series[:-1]
        lagged += series[1:].T @ series[:-1]
    return LinearInverseModel(
        store.variables.select(chosen),
        store.grid,
        store.time_step,
        climatology=climatology,
        patterns=patterns,
        scale=scale,
        propagator=_not_growing(lagged @ np.linalg.pinv(together, hermitian=True)),
        valid=valid,
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
    most = max(2, min(MOST_STATES, MOST_VALUES // max(1, int(valid.sum()))))
    chosen = places[:: -(-len(places) // most)]
    states = np.empty((len(chosen), int(valid.sum())), np.float32)
    for row, (trajectory, time) in enumerate(chosen):
        now = slice(time, time + 1)
        fields = store.read(trajectory, now)[:, channels] - climatology.at(store.times[now])
        states[row] = fields[0][valid]
    return states


def _scale(
    states: Float32[np.ndarray, "state value"], store: TrainingStore, valid: np.ndarray
) -> Float64[np.ndarray, " value"]:
    """Return σ / √w: the standard deviation of each variable over the root of the cell's area."""
    of_variable = np.nonzero(valid)[0]
    squares = np.mean(states.astype(np.float64) ** 2, axis=0)
    variance = np.bincount(of_variable, squares) / np.bincount(of_variable)
    area = np.broadcast_to(store.grid.cell_area_weights, valid.shape)[valid]
    return np.sqrt(variance[of_variable] / np.maximum(area, 1e-6))


def _not_growing(propagator: Float64[np.ndarray, "mode mode"]) -> Float64[np.ndarray, "mode mode"]:
    values, vectors = np.linalg.eig(propagator)
    if np.abs(values).max() <= 1:
        return propagator
    values = values / np.maximum(1, np.abs(values))
    return np.real((vectors * values) @ np.linalg.inv(vectors))
