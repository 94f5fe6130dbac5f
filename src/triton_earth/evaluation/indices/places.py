"""Where an index lies on a grid, which variable it needs, and every reason why it cannot be scored."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.region import Region
from triton_earth.core.standard_names import base_name
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.sources.names import known_variable
from triton_earth.evaluation.indices.catalogue import MOST_GLOBAL, Definition

_TEMPERATURES = ("sea_surface_temperature", "sea_surface_temperature_anomaly")
_UPPERMOST = "potential_temperature"
_WIND = "u_component_of_wind"
_DEEPEST_SURFACE = 10.0
"""Depth in m of a level that still stands for the surface."""

_LOW_LEVELS = (0.7, 0.925)
"""Part of the surface pressure at the levels of a jet that is driven by eddies."""

_SIGMA = re.compile(r"eastward_wind_sigma0*(\d{1,4})$")
FEWEST_ROWS = 3


@dataclass(frozen=True)
class Place:
    """What an index is taken from.

    Attributes:
        definition: The index.
        channels: Numbers of its variables among those that are scored.
        weights: Areas of the cells that count, 0 elsewhere.
    """

    definition: Definition
    channels: list[int]
    weights: Float64[np.ndarray, "y x"]


def find_index(
    definition: Definition,
    variables: Variables,
    grid: Grid,
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
) -> Place:
    """Return where an index is taken.

    The cells of a region are those with their centre inside; where a variable is undefined they do not count.

    Args:
        definition: The index.
        variables: What is scored.
        grid: Where the cells are.
        valid_mask: Where each variable is defined; None: everywhere.

    Raises:
        UserError: if there is no such variable, the grid does not reach over the region, or no cell there is defined.
    """
    named = f"--indices {definition.name}"
    if not isinstance(grid, LatLonGrid):
        raise UserError(f"{named}: an index needs latitudes and longitudes; found {grid}.")
    channels = _channels(definition, variables)
    regions = [definition.region, *([MOST_GLOBAL] if definition.minus_global else [])]
    for region in regions:
        _require_reach(region, grid, named)
    cells = definition.region.cells(grid)
    if valid_mask is not None:
        cells = cells & valid_mask[channels].all(axis=0)
    if not cells.any():
        names = [variables.names[channel] for channel in channels]
        raise UserError(
            f"{named}: expected {', '.join(names)} to be defined in the region {definition.region}, found no such "
            "cell. Leave the index out."
        )
    if definition.kind == "jet" and cells.any(axis=1).sum() < FEWEST_ROWS:
        raise UserError(
            f"{named}: expected at least {FEWEST_ROWS} rows of the grid in the region {definition.region}, found "
            f"{int(cells.any(axis=1).sum())}. Leave the index out."
        )
    return Place(definition, channels, np.where(cells, grid.cell_area_weights, 0.0))


def _channels(definition: Definition, variables: Variables) -> list[int]:
    winds = definition.kind == "jet"
    found = _low_winds(variables) if winds else _temperature(variables)
    if not found:
        wanted = (
            "an eastward wind between 700 and 925 hPa" if winds else "a sea surface temperature"
        )
        raise UserError(
            f"--indices {definition.name}: expected {wanted} among the variables, found {variables.names}. Leave the "
            "index out, or rename the variable with --rename THEIRS=OURS."
        )
    return found


def _temperature(variables: Variables) -> list[int]:
    """Return the number of the sea surface temperature, or of the uppermost one of the ocean."""
    names = [_canonical(variable) for variable in variables]
    surface = [number for number, name in enumerate(names) if name in _TEMPERATURES]
    depths = {
        number: float(variable.level)
        for number, (variable, name) in enumerate(zip(variables, names, strict=True))
        if name == _UPPERMOST and variable.level is not None and variable.level <= _DEEPEST_SURFACE
    }
    return surface[:1] or sorted(depths, key=lambda number: depths[number])[:1]


def _low_winds(variables: Variables) -> list[int]:
    low, high = _LOW_LEVELS
    levels = [_part_of_surface_pressure(variable) for variable in variables]
    return [
        number for number, level in enumerate(levels) if level is not None and low <= level <= high
    ]


def _part_of_surface_pressure(variable: Variable) -> float | None:
    """Return about which part of the surface pressure there is at the level of an eastward wind; None of others."""
    sigma = _SIGMA.match(variable.name)
    if sigma:
        return float(f"0.{sigma[1]}")
    if _canonical(variable) != _WIND or variable.level is None:
        return None
    return float(variable.level) / 1000.0


def _canonical(variable: Variable) -> str | None:
    """Return the canonical name of a variable without its level, or None where nobody knows it."""
    known = known_variable(base_name(variable))
    return None if known is None else known.name


def _require_reach(region: Region, grid: LatLonGrid, named: str) -> None:
    """Refuse a grid that does not reach over the whole region, to half a cell."""
    south, north = _borders(grid.y)
    west, east = _borders(grid.x)
    width = (region.east - region.west) % 360 or 360.0
    around = grid.is_global_in_longitude
    inside = (region.west - west) % 360 + width <= east - west + 1e-6
    if south > region.south or north < region.north or not (around or inside):
        raise UserError(
            f"{named}: expected a grid that reaches over the region {region}, found {grid}. Leave the index out."
        )


def _borders(centres: Float64[np.ndarray, " cell"]) -> tuple[float, float]:
    """Return the outer borders of the first and the last cell."""
    first, last = centres[1] - centres[0], centres[-1] - centres[-2]
    return float(centres[0] - first / 2), float(centres[-1] + last / 2)
