"""Where scores are taken: regions of the globe and cell weights, by name."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid

WeightsName = Literal["cell_area", "cos_latitude"]


@dataclass(frozen=True)
class Region:
    """A box of latitude and longitude; its borders belong to it.

    Attributes:
        south: Southern border in degrees north.
        north: Northern border.
        west: Western border in degrees east.
        east: Eastern border; less than `west` where the box crosses the meridian at which the grid begins.
    """

    south: float
    north: float
    west: float
    east: float

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``SOUTH:NORTH,WEST:EAST`` in degrees, for example ``20:45,120:165`` or ``-30:30,350:20``.

        Raises:
            UserError: if the text has another form, or south is not below north.
        """
        try:
            (south, north), (west, east) = (
                (float(end) for end in axis.split(":")) for axis in text.split(",")
            )
        except ValueError as error:
            raise UserError(
                f"region '{text}': expected SOUTH:NORTH,WEST:EAST in degrees, for example 20:45,120:165."
            ) from error
        if not -90 <= south < north <= 90:
            raise UserError(
                f"region '{text}': expected latitudes that ascend within -90 to 90, found {south:g} to {north:g}."
            )
        return cls(south, north, west, east)

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

    def __str__(self) -> str:
        return f"{self.south:g}:{self.north:g},{self.west:g}:{self.east:g}"


def cell_weights(grid: Grid, name: WeightsName) -> Float64[np.ndarray, "y x"]:
    """Return cell weights by name.

    Args:
        grid: The grid.
        name: ``cell_area`` for ∝ sin φ_north − sin φ_south, ``cos_latitude`` for ∝ cos φ of the cell centre.

    Raises:
        UserError: if cos-latitude weights are asked of a grid without latitudes.
    """
    if name == "cell_area":
        return grid.cell_area_weights
    if not isinstance(grid, LatLonGrid):
        raise UserError(f"cos-latitude weights need a latitude-longitude grid; found {grid}.")
    return grid.cos_latitude_weights
