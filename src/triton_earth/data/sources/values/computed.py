"""Computed variables: what follows from other variables at the same time, or from their climatology."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Role, Variable
from triton_earth.data.sources.config import DerivedChoice
from triton_earth.physics.sphere import (
    geostrophic_eastward,
    geostrophic_northward,
    relative_vorticity,
    speed,
)

ANOMALY = "anomaly"

_DESCRIPTIONS: dict[str, tuple[str, str]] = {
    # kind: (usual name, in words)
    "wind_speed": ("wind_speed", "wind speed"),
    "vorticity": ("vorticity", "relative vorticity"),
    "geostrophic_eastward": (
        "surface_geostrophic_eastward_velocity",
        "eastward geostrophic current",
    ),
    "geostrophic_northward": (
        "surface_geostrophic_northward_velocity",
        "northward geostrophic current",
    ),
}
_NEEDED_UNITS = {
    "vorticity": "m s-1",
    "geostrophic_eastward": "m",
    "geostrophic_northward": "m",
}
_UNITS = {
    "vorticity": "s-1",
    "geostrophic_eastward": "m s-1",
    "geostrophic_northward": "m s-1",
}


@dataclass(frozen=True)
class Computed:
    """One variable to compute.

    Attributes:
        kind: Which formula.
        of: Names of what it is computed of.
        variable: What it is.
    """

    kind: str
    of: tuple[str, ...]
    variable: Variable


def computed_variables(
    choices: list[DerivedChoice], given: list[Variable], grid: LatLonGrid
) -> list[Computed]:
    """Work out what each entry of `data.derive` gives.

    Args:
        choices: What the recipe says.
        given: Variables that are read, whether they are kept or not.
        grid: Cells that the files have.

    Raises:
        UserError: if an entry is computed of something that is not there, or of other units than it needs, or a
            derivative is wanted of less than three rows or columns.
    """
    known = {variable.name: variable for variable in given}
    anomalies: set[str] = set()
    found = []
    for choice in choices:
        for name in choice.of:
            if name not in known or name in anomalies:
                raise UserError(
                    f"data.derive: {choice.kind} is to be computed of '{name}', which is not among data.variables; "
                    f"{nearest(name, set(known) - anomalies)}"
                )
        sources = [known[name] for name in choice.of]
        _require_units(choice, sources)
        if choice.kind in _NEEDED_UNITS and min(grid.shape) < 3:
            raise UserError(
                f"data.derive: {choice.kind} takes differences over three cells; the grid is {grid}. Take a larger "
                "region."
            )
        computed = Computed(choice.kind, choice.of, _variable(choice, sources))
        known[computed.variable.name] = computed.variable
        if choice.kind == ANOMALY:
            anomalies.add(computed.variable.name)
        found.append(computed)
    return found


def compute(
    computed: Computed, fields: Mapping[str, Float64[np.ndarray, "time y x"]], grid: LatLonGrid
) -> Float64[np.ndarray, "time y x"]:
    """Compute a variable other than an anomaly.

    Args:
        computed: Which.
        fields: Fields of what it is computed of, by name.
        grid: Their cells.

    Returns:
        Its values; NaN where one of those they need is missing.
    """
    periodic = grid.is_global_in_longitude
    first, second = fields[computed.of[0]], fields[computed.of[-1]]
    match computed.kind:
        case "wind_speed":
            return speed(first, second)
        case "vorticity":
            return relative_vorticity(first, second, grid.y, grid.x, periodic=periodic)
        case "geostrophic_eastward":
            return geostrophic_eastward(first, grid.y)
        case _:
            return geostrophic_northward(first, grid.y, grid.x, periodic=periodic)


def _variable(choice: DerivedChoice, sources: list[Variable]) -> Variable:
    first = sources[0]
    levels = {source.level for source in sources}
    level = first.level if len(levels) == 1 else None
    role = choice.role or Role.PROGNOSTIC
    if choice.kind == ANOMALY:
        name = choice.name or f"{first.name}_anomaly"
        words = f"{first.long_name or first.name}, anomaly from the day-of-year climatology"
        return Variable(name, first.units, words, first.level, role)
    usual, words = _DESCRIPTIONS[choice.kind]
    name, at = choice.name or usual, "" if level is None else f" at {level:g}"
    return Variable(
        name if level is None else f"{name}_{level:g}",
        _UNITS.get(choice.kind, first.units),
        words + at,
        level,
        role,
    )


def _require_units(choice: DerivedChoice, sources: list[Variable]) -> None:
    needed = _NEEDED_UNITS.get(choice.kind, sources[0].units)
    for source in sources:
        if source.units != needed:
            raise UserError(
                f"data.derive: {choice.kind} needs '{source.name}' in {needed}, found {source.units}. "
                "Say `units:` in data.variables."
            )
