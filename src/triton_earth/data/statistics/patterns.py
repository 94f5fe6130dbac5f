"""Patterns: the leading empirical orthogonal functions of anomalies, and the matrix that advances their amplitudes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from triton_earth.core.errors import UserError

MOST_STATES = 1500
MOST_VALUES = 2**27
"""Training states, evenly spread, that the patterns are found from: at most so many, and at most so many values."""


@dataclass(frozen=True)
class Patterns:
    """Patterns of several variables at once, whose amplitudes are a linear function of those a step before.

        a = Eᵀ S⁻¹ x,      x ≈ S E a,      a(t + Δt) ≈ G a(t)

    E are the empirical orthogonal functions in the norm of cell areas and of each variable's variance (S): orthonormal
    columns, over the cells that have a value.

    Attributes:
        shapes: S E; 0 in cells without a value.
        weights: S⁻¹ E; 0 in cells without a value.
        propagator: G; no eigenvalue has a modulus above the limit that it was fitted with.
    """

    shapes: Float32[np.ndarray, "mode channel y x"]
    weights: Float32[np.ndarray, "mode channel y x"]
    propagator: Float64[np.ndarray, "mode mode"]

    def amplitudes(
        self, anomaly: Float[np.ndarray, "time channel y x"]
    ) -> Float64[np.ndarray, "time mode"]:
        """Return a; what cells without a pattern hold does not count."""
        known = np.where(self.weights.any(axis=0), anomaly, 0.0)
        return np.einsum("tcyx,mcyx->tm", known, self.weights, optimize=True).astype(np.float64)

    def fields(
        self, amplitudes: Float64[np.ndarray, "time mode"]
    ) -> Float64[np.ndarray, "time channel y x"]:
        """Return S E a."""
        return np.einsum("tm,mcyx->tcyx", amplitudes, self.shapes, optimize=True)


Stretches = Iterable[Iterator[Float32[np.ndarray, "_ channel y x"]]]
"""Stretches of consecutive times, each in blocks."""


def every_so_many(states: int, values: int) -> int:
    """Return how far apart the states are that patterns are found from.

    Args:
        states: Number of training states.
        values: Values of a state that count.
    """
    return -(-states // max(2, min(MOST_STATES, MOST_VALUES // max(1, values))))


def fit_patterns(
    states: Float32[np.ndarray, "state value"],
    stretches: Stretches,
    valid: Bool[np.ndarray, "channel y x"],
    area: Float64[np.ndarray, "y x"],
    modes: int,
    largest: float = 1.0,
) -> Patterns:
    """Find the leading patterns of some states, and how their amplitudes follow each other.

        G = ⟨a(t + Δt) aᵀ(t)⟩ ⟨a(t) aᵀ(t)⟩⁻¹

    Eigenvalues beyond the limit, which only a short record gives, are moved onto it, so that no forecast grows
    without bound.

    Args:
        states: Anomalies of evenly spread training states in the valid cells; they are overwritten.
        stretches: Anomalies of all training states.
        valid: Cells that have a value.
        area: Weights of the cells.
        modes: Number of patterns; fewer are found where there are fewer values.
        largest: Largest modulus of an eigenvalue of G.

    Raises:
        UserError: if there are no more states than patterns.

    Source: Penland and Sardeshmukh (1995), J. Climate 8, 1999, Eq. 2 to 5.
    """
    if len(states) <= modes:
        raise UserError(
            f"{modes} patterns need more than {modes} states in the training split, found {len(states)}. Take fewer "
            "patterns, or more data."
        )
    scale = _scale(states, area, valid)
    states /= scale.astype(np.float32)
    found = np.linalg.svd(states, full_matrices=False)[2][:modes].astype(np.float64)
    shapes, weights = np.zeros((2, len(found), *valid.shape), np.float32)
    shapes[:, valid], weights[:, valid] = found * scale, found / scale
    patterns = Patterns(shapes, weights, np.zeros((len(found), len(found))))
    together, lagged = np.zeros((2, *patterns.propagator.shape))
    for stretch in stretches:
        series = np.concatenate([patterns.amplitudes(block) for block in stretch])
        together += series[:-1].T @ series[:-1]
        lagged += series[1:].T @ series[:-1]
    propagator = lagged @ np.linalg.pinv(together, hermitian=True)
    return replace(patterns, propagator=_not_growing(propagator, largest))


def _scale(
    states: Float32[np.ndarray, "state value"],
    area: Float64[np.ndarray, "y x"],
    valid: Bool[np.ndarray, "channel y x"],
) -> Float64[np.ndarray, " value"]:
    """Return σ / √w: the standard deviation of each variable over the root of the cell's area."""
    of_variable = np.nonzero(valid)[0]
    squares = np.mean(states.astype(np.float64) ** 2, axis=0)
    variance = np.bincount(of_variable, squares) / np.maximum(1, np.bincount(of_variable))
    weights = np.broadcast_to(area, valid.shape)[valid]
    return np.sqrt(variance[of_variable] / np.maximum(weights, 1e-6))


def _not_growing(
    propagator: Float64[np.ndarray, "mode mode"], largest: float
) -> Float64[np.ndarray, "mode mode"]:
    values, vectors = np.linalg.eig(propagator)
    if np.abs(values).max() <= largest:
        return propagator
    values = values / np.maximum(1, np.abs(values) / largest)
    return np.real((vectors * values) @ np.linalg.inv(vectors))
