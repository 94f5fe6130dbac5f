"""Places where scores are taken: a region, land or sea, or land or sea of a region."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.region import Region
from triton_earth.evaluation.alignment import Truth
from triton_earth.evaluation.regions.land import Land, find_land

Surface = Literal["land", "sea"]


@dataclass(frozen=True, eq=False)
class SurfacePart:
    """Land or sea, everywhere or in a region.

    Attributes:
        surface: Which of the two.
        land: The land of the grid.
        region: Where; None: everywhere.
    """

    surface: Surface
    land: Land
    region: Region | None = None

    @property
    def whole(self) -> Bool[np.ndarray, "y x"]:
        """Which cells are of this surface, in the region and outside."""
        return self.land.cells if self.surface == "land" else ~self.land.cells

    def cells(self, grid: Grid) -> Bool[np.ndarray, "y x"]:
        """Return which cells of the grid are of this surface and in the region.

        Raises:
            UserError: if none is, or no cell lies in the region.
        """
        inside = self.whole if self.region is None else self.whole & self.region.cells(grid)
        if not inside.any():
            where = grid if self.region is None else f"region {self.region}"
            other = "sea" if self.surface == "land" else "land"
            raise UserError(
                f"{self.surface}: expected at least one cell of the {where} to be {self.surface}, found none; land is "
                f"where {self.land.source}. Choose {other}, or another region."
            )
        return inside

    def __str__(self) -> str:
        return self.surface if self.region is None else f"{self.surface} in {self.region}"


Place = Region | SurfacePart


def find_place(region: Region | None, surface: Surface | None, truth: Truth) -> Place | None:
    """Return where scores are taken; None: everywhere.

    Args:
        region: In which region; None: in any.
        surface: On land or at sea; None: on both.
        truth: The truth, which may know what is land.

    Raises:
        UserError: if there is no cell, or land and sea cannot be told apart.
    """
    if surface is None:
        return region
    part = SurfacePart(surface, find_land(truth), region)
    part.cells(truth.grid)
    return part


def box_of(place: Place | None) -> Region | None:
    """Return the region that a place lies in; None: everywhere."""
    return place.region if isinstance(place, SurfacePart) else place


def describe_surface(place: Place | None, grid: Grid) -> list[str]:
    """Return in a sentence which cells a surface has; none where both are scored."""
    if not isinstance(place, SurfacePart):
        return []
    inside = place.cells(grid)
    return [
        f"Scored on {place} alone, {int(inside.sum())} of {inside.size} cells; land is where {place.land.source}. "
        "Spectra, which need whole fields, are of land and sea."
    ]


def surface_attribute(place: Place | None) -> dict[str, str]:
    """Return the attributes of scores on one surface, with the definition of land; none where both are scored."""
    if not isinstance(place, SurfacePart):
        return {}
    return {"surface": f"{place.surface}; land is where {place.land.source}"}
