"""Conservative regridding: averages over the cells of a coarser global grid, weighted with area and mask."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid


@dataclass(frozen=True)
class ConservativeRegrid:
    """First-order conservative averages from one grid onto another.

        target_kl = Σ_ij A_ki B_lj m_ij x_ij / Σ_ij A_ki B_lj m_ij

    with A and B the overlaps of the cells in sin φ and λ, and m = 1 where x has a value. A target cell has a value
    where at least half of its area has. Without a mask the mean over the globe is that of the source to rounding.

    Attributes:
        target: Grid of the averages.
        rows: Overlap A of target and source rows in sin φ.
        columns: Overlap B of target and source columns in degrees.
        areas: Height of each target row in sin φ.

    Source: Jones (1999), Monthly Weather Review 127, 2204-2210, first order.
    """

    target: LatLonGrid
    rows: Float64[np.ndarray, "target_y y"]
    columns: Float64[np.ndarray, "target_x x"]
    areas: Float64[np.ndarray, " target_y"]

    @classmethod
    def to_global(cls, source: LatLonGrid, latitudes: int, longitudes: int) -> "ConservativeRegrid":
        """Return the averages onto a global grid of equal angles.

        Args:
            source: Grid of the fields, global.
            latitudes: Target cells from pole to pole.
            longitudes: Target cells around; the first centre is at 0.

        Raises:
            UserError: if the source is not global, or coarser than the target.
        """
        if not source.is_global_in_longitude:
            raise UserError(
                f"data.grid: averages onto a global grid need global data; found {source}. Leave out data.grid."
            )
        if latitudes > source.shape[0] or longitudes > source.shape[1]:
            raise UserError(
                f"data.grid: {latitudes} x {longitudes} cells are more than the {source.shape[0]} x "
                f"{source.shape[1]} of the files; averaging only makes a grid coarser. Take fewer."
            )
        height, width = 180 / latitudes, 360 / longitudes
        target = LatLonGrid(
            tuple(-90 + height * (np.arange(latitudes) + 0.5)), tuple(width * np.arange(longitudes))
        )
        target_rows = np.sin(np.deg2rad(-90 + height * np.arange(latitudes + 1)))
        target_columns = width * (np.arange(longitudes + 1) - 0.5)
        return cls(
            target,
            _overlap(target_rows, np.sin(np.deg2rad(_latitude_borders(source.y)))),
            _periodic_overlap(target_columns, _longitude_borders(source.x)),
            np.diff(target_rows),
        )

    def __call__(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "*batch target_y target_x"]:
        """Return the averages; NaN where less than half of a target cell has values."""
        there = np.isfinite(fields)
        sums = self.rows @ np.where(there, fields, 0.0) @ self.columns.T
        covered = self.rows @ there.astype(np.float64) @ self.columns.T
        area = self.areas[:, None] * self.columns.sum(axis=1)
        return np.where(covered >= 0.5 * area, sums / np.maximum(covered, 1e-300), np.nan)


def _latitude_borders(latitude: np.ndarray) -> np.ndarray:
    """Return the borders of the rows; the outermost end at the pole if that is nearer than the next row."""
    south, north = latitude[1] - latitude[0], latitude[-1] - latitude[-2]
    first = -90.0 if latitude[0] + 90 < south else latitude[0] - 0.5 * south
    last = 90.0 if 90 - latitude[-1] < north else latitude[-1] + 0.5 * north
    return np.concatenate([[first], 0.5 * (latitude[1:] + latitude[:-1]), [last]])


def _longitude_borders(longitude: np.ndarray) -> np.ndarray:
    inner = 0.5 * (longitude[1:] + longitude[:-1])
    seam = 0.5 * (longitude[-1] + longitude[0] + 360)
    return np.concatenate([[seam - 360], inner, [seam]])


def _overlap(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return the length that each target interval shares with each source interval."""
    upper = np.minimum(target[1:, None], source[None, 1:])
    lower = np.maximum(target[:-1, None], source[None, :-1])
    return np.maximum(upper - lower, 0.0)


def _periodic_overlap(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    parts = [_overlap(target, source + turn) for turn in (-360.0, 0.0, 360.0)]
    return parts[0] + parts[1] + parts[2]
