"""Sums over cells from which every error metric follows, and which can be added: in pieces, streamed or distributed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

Sum = Float64[np.ndarray, "*shape"]

Sums = Float64[np.ndarray, "sum forecast batch channel"]


COUNT = 8
"""Number of different sums."""

CELLS_TOGETHER = 2**14
"""Cells of each field that are summed at a time: what stays in a processor's cache."""


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
    return ErrorSums(*sums_of([forecast], truth, weights, valid_mask)[0][:, 0])


def sums_of(
    forecasts: Sequence[Float[np.ndarray, "batch channel y x"]],
    truth: Float[np.ndarray, "batch channel y x"],
    weights: Float64[np.ndarray, "y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
    climatology: Float[np.ndarray, "batch channel y x"] | None = None,
) -> tuple[Sums, Sums | None]:
    """Return the sums of several forecasts of the same truth, and those of the departures from a climatology.

    They are products of rows √w g, of which the truth's are made once.

    Args:
        forecasts: Fields f of each.
        truth: Fields t.
        weights: Cell-area weights w of the grid.
        valid_mask: True where a channel is defined; None: everywhere.
        climatology: What departures are from, taken in the precision of the fields; None: without them.

    Returns:
        Sums in the order of `ErrorSums`, and the same of f − c and t − c, or None; the errors are the same.
    """
    batch, channels = truth.shape[:2]
    sums = np.zeros((COUNT, len(forecasts), batch, channels))
    anomaly_sums = None if climatology is None else np.zeros_like(sums)
    rows = np.empty((len(forecasts) + 1, CELLS_TOGETHER))
    for channel in range(channels):
        valid = None if valid_mask is None else np.flatnonzero(valid_mask[channel])
        of_cells = _cells(weights, valid)
        sums[0, :, :, channel], root = of_cells.sum(), np.sqrt(of_cells)
        for one in range(batch):
            sources = [_cells(field[one, channel], valid) for field in (*forecasts, truth)]
            mean = None if climatology is None else _cells(climatology[one, channel], valid)
            for first in range(0, len(root), CELLS_TOGETHER):
                part = slice(first, first + CELLS_TOGETHER)
                roots = root[part]
                found, here = sums[:, :, one, channel], rows[:, : len(roots)]
                with np.errstate(invalid="ignore", over="ignore"):
                    for row, source in zip(here, sources, strict=True):
                        np.multiply(source[part], roots, out=row)
                    _add_products(found, here, roots)
                    errors = here[:-1]
                    errors -= here[-1]
                    found[6] += _squares(errors)
                    found[7] += _dots(np.abs(errors, out=errors), roots)
                    if mean is not None and anomaly_sums is not None:
                        for row, source in zip(here, sources, strict=True):
                            np.multiply(source[part] - mean[part], roots, out=row)
                        _add_products(anomaly_sums[:, :, one, channel], here, roots)
    if anomaly_sums is not None:
        anomaly_sums[[0, 6, 7]] = sums[[0, 6, 7]]
    return sums, anomaly_sums


def _add_products(
    sums: Float64[np.ndarray, "sum forecast"],
    rows: Float64[np.ndarray, "source cell"],
    root: Float64[np.ndarray, " cell"],
) -> None:
    """Add to the sums what follows from the rows √w f of the forecasts and √w t of the truth, which is the last."""
    plain, with_truth, squares = _dots(rows, root), _dots(rows, rows[-1]), _squares(rows)
    sums[1] += plain[:-1]
    sums[2] += plain[-1]
    sums[3] += squares[:-1]
    sums[4] += squares[-1]
    sums[5] += with_truth[:-1]


def _dots(
    rows: Float64[np.ndarray, "row cell"], vector: Float64[np.ndarray, " cell"]
) -> Float64[np.ndarray, " row"]:
    """Return the product of each row with a vector, one by one: those of a matrix differ with its number of rows."""
    return np.array([row @ vector for row in rows])


def _squares(rows: Float64[np.ndarray, "row cell"]) -> Float64[np.ndarray, " row"]:
    return np.array([row @ row for row in rows])


def _cells(
    field: Float[np.ndarray, "y x"], cells: Int[np.ndarray, " chosen"] | None
) -> Float[np.ndarray, " cell"]:
    return field.ravel() if cells is None or len(cells) == field.size else field.ravel()[cells]
