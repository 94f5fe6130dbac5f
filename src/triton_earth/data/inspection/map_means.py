"""Means and squares over maps, and means of their rows and columns: in one pass, a few maps or rows at a time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from triton_earth.data.sources.values.stored_values import bits_of, cleared, few_at_once

LARGE = 30.0
"""Values that are so many times as large as their range lose digits in sums of squares."""
_FEW = 64
"""Values of a map whose median is near its mean."""

Sums = tuple[
    Float64[np.ndarray, "time row"],
    Float64[np.ndarray, "time column"],
    Float64[np.ndarray, " time"],
]


@dataclass(frozen=True)
class MapMeans:
    """What consecutive maps have in the mean.

    Attributes:
        counts: Values of each map.
        means: Their mean, NaN where there are none.
        squares: Sum of their squared deviations from it.
        rows: Mean of each row, 0 where it has no value.
        columns: Mean of each column, 0 where it has no value; none where maps have a single row.
    """

    counts: Int64[np.ndarray, " time"]
    means: Float64[np.ndarray, " time"]
    squares: Float64[np.ndarray, " time"]
    rows: Float64[np.ndarray, "time row"]
    columns: Float64[np.ndarray, "time column"]


def map_means(
    maps: Float[np.ndarray, "time y x"],
    there: Bool[np.ndarray, "#time y x"] | None,
    limits: tuple[float, float],
) -> MapMeans:
    """Return the means of maps, in double precision.

    With a constant c that keeps small differences from drowning in large values (Chan, Golub and LeVeque 1983, section
    3), a typical value of each map where values are large against their range, else 0:

        m = c + Σ (v − c) / n,      S = Σ (v − c)² − (Σ (v − c))² / n

    Args:
        maps: Values; NaN where there is none.
        there: Where there is a value, of all maps together or of each; None where there is one everywhere.
        limits: The lowest and the highest of them.
    """
    times, rows, columns = maps.shape
    lowest, highest = limits
    is_large = max(-lowest, highest) > LARGE * (highest - lowest)
    typical = _typical(maps, there) if is_large else np.zeros(times)
    bits = None if there is None else bits_of(there, maps.dtype)
    in_rows, squares = np.empty((times, rows)), np.empty(times)
    in_columns = np.empty((times, columns if rows > 1 else 0))
    for some in few_at_once(maps):
        kept = bits if bits is None or len(bits) == 1 else bits[some]
        in_rows[some], in_columns[some], squares[some] = _sums(maps[some], kept, typical[some])
    of_rows, of_columns = _counts(maps.shape, there)
    counts, sums = of_rows.sum(axis=1), in_rows.sum(axis=1)
    return MapMeans(
        counts,
        np.where(counts > 0, typical + sums / np.maximum(counts, 1), np.nan),
        np.maximum(squares - sums**2 / np.maximum(counts, 1), 0.0),
        _means(in_rows, of_rows, typical),
        _means(in_columns, of_columns, typical),
    )


def _typical(
    maps: Float[np.ndarray, "time y x"], there: Bool[np.ndarray, "#time y x"] | None
) -> Float64[np.ndarray, " time"]:
    """Return the median of some values of each map, those of the same cells; 0 where these have none."""
    flat = maps.reshape(len(maps), -1)
    cells = np.arange(flat.shape[1]) if there is None else np.flatnonzero(there.any(axis=0))
    if not cells.size:
        return np.zeros(len(maps))
    some = np.sort(flat[:, cells[:: max(1, cells.size // _FEW)]], axis=1)  # NaN comes last
    count = np.count_nonzero(~np.isnan(some), axis=1)
    middle = some[np.arange(len(some)), np.maximum(count - 1, 0) // 2]
    return np.where(count > 0, middle, 0.0).astype(np.float64)


def _sums(
    maps: Float[np.ndarray, "time y x"],
    kept: Int[np.ndarray, "#time y x"] | None,
    typical: Float64[np.ndarray, " time"],
) -> Sums:
    """Return the sums of v − c in each row and in each column of a few maps, and of its squares in each map.

    Args:
        maps: Values; NaN where there is none.
        kept: `bits_of` where there is a value; None where there is one everywhere.
        typical: c.
    """
    times, rows, columns = maps.shape
    in_rows, squares = np.empty((times, rows)), np.zeros(times)
    in_columns = np.zeros((times, columns if rows > 1 else 0))
    along_rows = np.ones(columns)
    for part in few_at_once(maps.transpose(1, 0, 2)):
        whole = maps[:, part]
        if kept is not None:
            whole = cleared(whole, kept[:, part])
        values = whole.astype(np.float64, copy=False)
        if typical.any():
            values = values - typical[:, None, None] * (1 if kept is None else -kept[:, part])
        in_rows[:, part] = (values.reshape(-1, columns) @ along_rows).reshape(times, -1)
        if rows > 1:
            in_columns += np.ones(values.shape[1]) @ values
        flat = values.reshape(times, 1, -1)
        squares += (flat @ flat.transpose(0, 2, 1))[:, 0, 0]
    return in_rows, in_columns, squares


def _counts(
    shape: tuple[int, int, int], there: Bool[np.ndarray, "#time y x"] | None
) -> tuple[Int64[np.ndarray, "time row"], Int64[np.ndarray, "time column"]]:
    """Return the number of values in each row and in each column."""
    times, rows, columns = shape
    kept_columns = columns if rows > 1 else 0
    if there is None:
        return np.full((times, rows), columns), np.full((times, kept_columns), rows)
    return (
        np.broadcast_to(np.count_nonzero(there, axis=2), (times, rows)),
        np.broadcast_to(
            np.count_nonzero(there[:, :, :kept_columns], axis=1), (times, kept_columns)
        ),
    )


def _means(
    sums: Float64[np.ndarray, "time line"],
    counts: Int64[np.ndarray, "time line"],
    typical: Float64[np.ndarray, " time"],
) -> Float64[np.ndarray, "time line"]:
    return np.where(counts > 0, typical[:, None] + sums / np.maximum(counts, 1), 0.0)
