"""Regridding between latitude-longitude grids: conservative averages and bilinear interpolation, with masks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid


@dataclass(frozen=True)
class Regrid:
    """Weighted sums that turn fields on one grid into fields on another.

        target_kl = Σ_ij A_ki B_lj m_ij x_ij / Σ_ij A_ki B_lj m_ij,      m = 1 where x has a value, else 0

    A target cell has a value where at least half of its weight falls on cells that have one.

    Attributes:
        target: Grid of the result.
        rows: A, weights of source rows in each target row; they sum to 1 where the source covers the row.
        columns: B, weights of source columns in each target column.
    """

    target: LatLonGrid
    rows: Float64[np.ndarray, "target_y y"]
    columns: Float64[np.ndarray, "target_x x"]

    def __call__(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "*batch target_y target_x"]:
        """Return the fields on the target grid; NaN where less than half of a cell's weight is on values."""
        there = np.isfinite(fields)
        values = fields if there.all() else np.where(there, fields, 0.0)
        sums = self.rows @ values @ self.columns.T
        maps = there.reshape(-1, *there.shape[-2:])
        if len(maps) and (maps == maps[0]).all():
            there = maps[0]  # as mostly: what it covers is then computed once
        covered = self.rows @ there.astype(np.float64) @ self.columns.T
        return np.where(covered >= 0.5 - 1e-9, sums / np.maximum(covered, 1e-300), np.nan)


def equal_angle_grid(source: LatLonGrid, latitudes: int, longitudes: int) -> LatLonGrid:
    """Return a grid of equal angles over the area of another.

    Args:
        source: Grid whose area it covers.
        latitudes: Rows.
        longitudes: Columns; around a whole circle the first centre is at 0.
    """
    south, north = latitude_borders(source.y)[[0, -1]]
    west, east = longitude_borders(source)[[0, -1]]
    sides = None if source.is_global_in_longitude else (float(west), float(east))
    return equal_angle_box(float(south), float(north), sides, latitudes, longitudes)


def equal_angle_box(
    south: float,
    north: float,
    sides: tuple[float, float] | None,
    latitudes: int,
    longitudes: int,
) -> LatLonGrid:
    """Return a grid of equal angles between borders.

    Args:
        south: Southern border in degrees north.
        north: Northern border.
        sides: Western and eastern border in degrees east; None for a whole circle, where the first centre is at 0.
        latitudes: Rows.
        longitudes: Columns.
    """
    height = (north - south) / latitudes
    rows = south + height * (np.arange(latitudes) + 0.5)
    if sides is None:
        return LatLonGrid(tuple(rows), tuple(360 / longitudes * np.arange(longitudes)))
    west, east = sides
    width = (east - west) / longitudes
    return LatLonGrid(tuple(rows), tuple(west + width * (np.arange(longitudes) + 0.5)))


def conservative(source: LatLonGrid, target: LatLonGrid) -> Regrid:
    """Return first-order conservative averages: the weights are the overlaps of cells in sin φ and λ.

    Without a mask, the mean over an area that both grids cover is kept to rounding.

    Raises:
        UserError: if the target is finer than the source.

    Source: Jones (1999), Monthly Weather Review 127, 2204-2210, first order.
    """
    if target.shape[0] > source.shape[0] or target.shape[1] > source.shape[1]:
        raise UserError(
            f"data.grid: {target.shape[0]} x {target.shape[1]} cells are more than the {source.shape[0]} x "
            f"{source.shape[1]} of the files; averaging only makes a grid coarser. Take fewer, or "
            "`method: bilinear`."
        )
    target_rows = np.sin(np.deg2rad(latitude_borders(target.y)))
    source_rows = np.sin(np.deg2rad(latitude_borders(source.y)))
    target_columns, source_columns = longitude_borders(target), longitude_borders(source)
    turns = (-360.0, 0.0, 360.0) if source.is_global_in_longitude else (0.0,)
    overlap = np.zeros((target.shape[1], source.shape[1]))
    for turn in turns:
        overlap += _overlap(target_columns, source_columns + turn)
    return Regrid(
        target,
        _overlap(target_rows, source_rows) / np.diff(target_rows)[:, None],
        overlap / np.diff(target_columns)[:, None],
    )


def bilinear(source: LatLonGrid, target: LatLonGrid) -> Regrid:
    """Return linear interpolation in latitude and longitude between the four cells around each target cell.

    Beyond the outermost rows, and the outermost columns of a region, the nearest row or column counts. Values between
    cells of the source are sampled, not averaged: onto a much coarser grid small scales alias; take `conservative`.
    """
    columns, x = source.x, np.eye(source.shape[1])
    if source.is_global_in_longitude:
        columns = np.concatenate([columns[-1:] - 360, columns, columns[:1] + 360])
        x = np.concatenate([x[-1:], x, x[:1]])
    within = np.mod(target.x - columns[0], 360) + columns[0]
    # A centre a little west of the outermost column of a region has not gone around the globe.
    within = np.where(within > columns[-1] + 180, within - 360, within)
    return Regrid(
        target,
        _interpolation(target.y, source.y),
        _interpolation(within, columns) @ x,
    )


def _interpolation(
    points: Float64[np.ndarray, " point"], cells: Float64[np.ndarray, " cell"]
) -> Float64[np.ndarray, "point cell"]:
    """Return the weights of linear interpolation; points outside take the nearest cell."""
    inside = np.clip(points, cells[0], cells[-1])
    left = np.clip(np.searchsorted(cells, inside, side="right") - 1, 0, cells.size - 2)
    share = (inside - cells[left]) / (cells[left + 1] - cells[left])
    weights = np.zeros((points.size, cells.size))
    each = np.arange(points.size)
    weights[each, left] = 1 - share
    weights[each, left + 1] += share
    return weights


def latitude_borders(latitude: np.ndarray) -> np.ndarray:
    """Return the borders of the rows; the outermost end at the pole if that is nearer than the next row."""
    south, north = latitude[1] - latitude[0], latitude[-1] - latitude[-2]
    first = -90.0 if latitude[0] + 90 < south else latitude[0] - 0.5 * south
    last = 90.0 if 90 - latitude[-1] < north else latitude[-1] + 0.5 * north
    return np.concatenate([[first], 0.5 * (latitude[1:] + latitude[:-1]), [last]])


def longitude_borders(grid: LatLonGrid) -> np.ndarray:
    """Return the borders of the columns in degrees, half-way between their centres."""
    longitude = grid.x
    inner = 0.5 * (longitude[1:] + longitude[:-1])
    if grid.is_global_in_longitude:
        seam = 0.5 * (longitude[-1] + longitude[0] + 360)
        return np.concatenate([[seam - 360], inner, [seam]])
    west, east = longitude[0] - (inner[0] - longitude[0]), 2 * longitude[-1] - inner[-1]
    return np.concatenate([[west], inner, [east]])


def _overlap(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return the length that each target interval shares with each source interval."""
    upper = np.minimum(target[1:, None], source[None, 1:])
    upper -= np.maximum(target[:-1, None], source[None, :-1])
    return np.maximum(upper, 0.0, out=upper)
