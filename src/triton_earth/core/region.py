"""Regions of the globe: boxes of latitude and longitude, and the part of a grid that lies in one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid


@dataclass(frozen=True)
class Cut:
    """Part of a grid.

    Attributes:
        rows: Numbers of its rows in the whole grid.
        columns: Numbers of its columns, from west to east.
        grid: The part, as a grid; its longitudes ascend, below zero where it crosses the meridian of the grid's end.
    """

    rows: Int[np.ndarray, " y"]
    columns: Int[np.ndarray, " x"]
    grid: LatLonGrid


def find_cut(whole: Grid, part: Grid) -> Cut | None:
    """Return where a grid lies in another one, or None where not all its cells are cells of that one too.

    Args:
        whole: The larger grid.
        part: The smaller one; its longitudes may differ by multiples of 360 degrees.
    """
    if not isinstance(whole, LatLonGrid) or not isinstance(part, LatLonGrid):
        return None
    rows = np.abs(whole.y[None, :] - part.y[:, None])
    columns = np.abs((whole.x[None, :] - part.x[:, None] + 180) % 360 - 180)
    if rows.min(axis=1).max() > 1e-4 or columns.min(axis=1).max() > 1e-4:
        return None
    return Cut(rows.argmin(axis=1), columns.argmin(axis=1), part)


@dataclass(frozen=True)
class Region:
    """A box of latitude and longitude; its borders belong to it.

    Attributes:
        south: Southern border in degrees north.
        north: Northern border.
        west: Western border in degrees east.
        east: Eastern border; less than `west` where the box crosses the meridian at which the grid begins.
        name: What it is called; empty where it has no name.

    Example:
        kuroshio = triton_earth.Region.parse("kuroshio=20:45,120:165")
        tropics = triton_earth.Region.parse("tropics").cells(grid)
    """

    south: float
    north: float
    west: float
    east: float
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``SOUTH:NORTH,WEST:EAST`` in degrees, with or without ``NAME=`` before it, or a name of `WELL_KNOWN`.

        Examples: ``20:45,120:165``, ``-30:30,350:20``, ``kuroshio=20:45,120:165`` or ``tropics``.

        Raises:
            UserError: if the text has another form, or south is not below north.
        """
        if text in WELL_KNOWN:
            return WELL_KNOWN[text]
        name, _, box = text.rpartition("=")
        try:
            (south, north), (west, east) = (
                (float(end) for end in axis.split(":")) for axis in box.split(",")
            )
        except ValueError as error:
            raise UserError(
                f"region '{text}': expected SOUTH:NORTH,WEST:EAST in degrees, for example 20:45,120:165, or one of "
                f"{', '.join(WELL_KNOWN)}."
            ) from error
        if not -90 <= south < north <= 90:
            raise UserError(
                f"region '{text}': expected latitudes that ascend within -90 to 90, found {south:g} to {north:g}."
            )
        return cls(south, north, west, east, name)

    def cells(self, grid: Grid) -> Bool[np.ndarray, "y x"]:
        """Return which cells of a grid have their centre inside.

        Raises:
            UserError: if the grid has no latitudes, or no cell lies inside.
        """
        if not isinstance(grid, LatLonGrid):
            raise UserError(f"a region needs a latitude-longitude grid; found {grid}.")
        rows = (grid.y >= self.south) & (grid.y <= self.north)
        width = (self.east - self.west) % 360 or 360.0
        columns = (grid.x - self.west) % 360 <= width
        inside = rows[:, None] & columns[None, :]
        if not inside.any():
            raise UserError(f"no cell of the grid lies in the region {self}; the grid is {grid}.")
        return inside

    def cut(self, grid: Grid) -> Cut:
        """Return the part of a grid inside.

        Raises:
            UserError: if the grid has no latitudes, or fewer than two of its rows or columns lie inside.
        """
        inside = self.cells(grid)
        rows = np.flatnonzero(inside.any(axis=1))
        columns = np.flatnonzero(inside.any(axis=0))
        if len(rows) < 2 or len(columns) < 2:
            raise UserError(
                f"the region {self} holds {len(rows)} x {len(columns)} cells of the grid {grid}; it must hold at least "
                "2 x 2. Make it larger."
            )
        west = (grid.x[columns] - self.west) % 360
        columns = columns[np.argsort(west, kind="stable")]
        longitude = grid.x[columns]
        across = np.flatnonzero(np.diff(longitude) < 0)
        longitude[: across[0] + 1 if across.size else 0] -= 360
        return Cut(rows, columns, LatLonGrid(tuple(grid.y[rows]), tuple(longitude)))

    def __str__(self) -> str:
        box = f"{self.south:g}:{self.north:g},{self.west:g}:{self.east:g}"
        return f"{self.name} ({box})" if self.name else box


WELL_KNOWN = {
    region.name: region
    for region in (
        Region(-20.0, 20.0, 0.0, 360.0, "tropics"),
        Region(20.0, 90.0, 0.0, 360.0, "northern_extratropics"),
        Region(-90.0, -20.0, 0.0, 360.0, "southern_extratropics"),
    )
}
"""Regions that have a name without being described."""
