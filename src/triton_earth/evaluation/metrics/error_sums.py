"""Sums over cells from which every error metric follows, and which can be added: in pieces, streamed or distributed."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float64

Sum = Float64[np.ndarray, "*shape"]


COUNT = 8
"""Number of different sums."""


@dataclass(frozen=True)
class ErrorSums:
    """Weighted sums over the valid cells of forecast f and truth t, one per entry of `*shape`.

    Adding two of them gives the sums over both sets of cells, to rounding. All are float64. Units follow the variable:
    [u] for the plain sums, [u²] for the squares and the product.

    Attributes:
        weight: Σ w.
        forecast: Σ w f.
        truth: Σ w t.
        forecast_squared: Σ w f².
        truth_squared: Σ w t².
        product: Σ w f t.
        error_squared: Σ w (f − t)², summed as it stands: the three sums above would lose it to cancellation.
        error_absolute: Σ w |f − t|.
    """

    weight: Sum
    forecast: Sum
    truth: Sum
    forecast_squared: Sum
    truth_squared: Sum
    product: Sum
    error_squared: Sum
    error_absolute: Sum

    def __add__(self, other: "ErrorSums") -> "ErrorSums":
        with np.errstate(invalid="ignore"):
            return ErrorSums(
                *(getattr(self, sum_.name) + getattr(other, sum_.name) for sum_ in fields(self))
            )

    def pooled(self, axis: int | tuple[int, ...]) -> "ErrorSums":
        """Return the sums added along one or several axes."""
        with np.errstate(invalid="ignore"):
            return ErrorSums(*(getattr(self, sum_.name).sum(axis=axis) for sum_ in fields(self)))

    def select(self, index: int) -> "ErrorSums":
        """Return the sums of one entry of the last axis."""
        return ErrorSums(*(getattr(self, sum_.name)[..., index] for sum_ in fields(self)))

    def to_array(self) -> Float64[np.ndarray, "sum *shape"]:
        """Return the sums as one array, which `ErrorSums(*array)` reads back."""
        return np.stack([getattr(self, sum_.name) for sum_ in fields(self)])


def error_sums(
    forecast: Float[np.ndarray, "batch channel y x"],
    truth: Float[np.ndarray, "batch channel y x"],
    weights: Float64[np.ndarray, "y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> ErrorSums:
    """Sum forecast, truth and error over the cells of each field.

        Σ w g,    g = 1, f, t, f², t², f t, (f − t)², |f − t|

    Args:
        forecast: Fields f in physical units. Values that are not finite are not repaired: their sums are not finite.
        truth: Fields t in the same units.
        weights: Cell-area weights w of the grid.
        valid_mask: True where a channel is defined; other cells have no part in any sum. None: all are defined.

    Returns:
        Sums of shape [batch, channel].
    """
    batch, channels = forecast.shape[:2]
    sums = np.empty((COUNT, batch, channels))
    for channel in range(channels):
        valid = None if valid_mask is None else valid_mask[channel]
        cell_weights = weights.ravel() if valid is None else weights[valid]
        f = _cells(forecast[:, channel], valid)
        t = _cells(truth[:, channel], valid)
        with np.errstate(invalid="ignore", over="ignore"):
            weighted_f = f * cell_weights
            weighted_t = t * cell_weights
            error = f - t
            sums[:, :, channel] = [
                np.full(batch, cell_weights.sum()),
                weighted_f.sum(axis=1),
                weighted_t.sum(axis=1),
                _rows(weighted_f, f),
                _rows(weighted_t, t),
                _rows(weighted_f, t),
                _rows(error * cell_weights, error),
                np.abs(error) @ cell_weights,
            ]
    return ErrorSums(*sums)


def _cells(
    field: Float[np.ndarray, "batch y x"], valid: Bool[np.ndarray, "y x"] | None
) -> Float64[np.ndarray, "batch cell"]:
    batch, ny, nx = field.shape
    chosen = field.reshape(batch, ny * nx) if valid is None else field[:, valid]
    return chosen.astype(np.float64)


def _rows(
    a: Float64[np.ndarray, "batch cell"], b: Float64[np.ndarray, "batch cell"]
) -> Float64[np.ndarray, " batch"]:
    """Return the scalar product of each row of `a` with the same row of `b`."""
    return np.einsum("bc,bc->b", a, b)
