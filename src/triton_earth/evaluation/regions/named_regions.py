"""Named regions, which have their own scores beside the main scores: boxes, land, sea."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Bool

from triton_earth.core.errors import UserError
from triton_earth.core.region import WELL_KNOWN, Region
from triton_earth.evaluation.alignment import Forecasts, Truth
from triton_earth.evaluation.regions.land import Land, find_land
from triton_earth.evaluation.regions.places import Place, Surface, SurfacePart
from triton_earth.evaluation.regions.surface_variables import not_of


@dataclass(frozen=True, eq=False)
class NamedRegion:
    """A part of the grid with a name.

    Attributes:
        name: The name, along the dimension `region` of scores.
        description: Which cells those are, in words.
        cells: Where it is.
        without: Variables that are not defined there.
        land: What is land, where the region is land or sea.
    """

    name: str
    description: str
    cells: Bool[np.ndarray, "y x"]
    without: tuple[str, ...] = ()
    land: Land | None = None


def named_regions(
    texts: Sequence[str], forecast: Forecasts, truth: Truth, place: Place | None
) -> list[NamedRegion]:
    """Return the regions that texts name; with a place only the part of each that lies there.

    Args:
        texts: Each ``NAME=SOUTH:NORTH,WEST:EAST`` in degrees, ``land``, ``sea`` or a name of
            `triton_earth.core.region.WELL_KNOWN`.
        forecast: Stored forecasts.
        truth: The truth, which may know what is land.
        place: Where all scores are taken; None: everywhere.

    Raises:
        UserError: if a name is unknown or occurs twice, a region has no cell or no variable, or the grid has no
            latitudes.
    """
    regions: list[NamedRegion] = []
    land: Land | None = None
    for text in texts:
        if text in get_args(Surface):
            land = land or find_land(truth)
            part: Place = SurfacePart("land" if text == "land" else "sea", land)
            but = "" if text == "land" else "all but land, which is "
            name, words = text, f"{but}where {land.source}"
        else:
            part = _box(text)
            name = part.name or text
            words = f"latitude {part.south:g} to {part.north:g}, longitude {part.west:g} to {part.east:g} degrees"
        if name in [region.name for region in regions]:
            raise UserError(
                f"--by-region {text}: expected regions with different names, found '{name}' twice. Leave one out, or "
                "give it another name."
            )
        cells = part.cells(truth.grid)
        if place is not None:
            cells = cells & place.cells(truth.grid)
            words = f"{words}; only {place}"
        if not cells.any():
            raise UserError(
                f"--by-region {text}: expected at least one cell of it in {place}, where all scores are taken, found "
                "none. Leave it out, or score everywhere."
            )
        description = f"{words}; {int(cells.sum())} of {cells.size} cells"
        without = _without(part, cells, forecast, truth)
        if set(forecast.variables.names) <= set(without):
            raise UserError(
                f"--by-region {text}: expected a variable to be defined there, found that {', '.join(without)} "
                f"{'is' if len(without) == 1 else 'are'} not. Leave it out."
            )
        regions.append(
            NamedRegion(
                name, description, cells, without, land if isinstance(part, SurfacePart) else None
            )
        )
    return regions


def describe_regions(regions: Sequence[NamedRegion]) -> list[str]:
    """Return in sentences which regions have scores of their own, and what is not scored there."""
    if not regions:
        return []
    names = ", ".join(region.name for region in regions)
    return [
        f"Scored by region too: {names}{_land_of(regions)}.",
        *(
            f"Not scored in {region.name}, as not defined there: {', '.join(region.without)}."
            for region in regions
            if region.without
        ),
    ]


def _land_of(regions: Sequence[NamedRegion]) -> str:
    """Return the definition of land, in words, where land or sea is among the regions."""
    sources = [region.land.source for region in regions if region.land is not None]
    return f"; land is where {sources[0]}" if sources else ""


def _box(text: str) -> Region:
    known = [*get_args(Surface), *WELL_KNOWN]
    if "=" not in text and ":" not in text and text not in known:
        raise UserError(
            f"--by-region {text}: expected NAME=SOUTH:NORTH,WEST:EAST in degrees or one of {', '.join(known)}, found "
            f"the name '{text}' alone. Say where it is, for example {text or 'kuroshio'}=20:45,120:165."
        )
    return Region.parse(text)


def _without(
    part: Place, cells: Bool[np.ndarray, "y x"], forecast: Forecasts, truth: Truth
) -> tuple[str, ...]:
    without = not_of(part, forecast, truth)
    if truth.valid_mask is not None:
        for name in forecast.variables.names:
            if name in truth.variables and name not in without:
                (channel,) = truth.variables.indices([name])
                if not (truth.valid_mask[channel] & cells).any():
                    without.append(name)
    return tuple(without)
