"""Which cells of a truth are land: by its land fraction or, where it has none, by the coastlines of the package."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from triton_earth.core.coastlines import land_cells
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Role, Variable
from triton_earth.data.sources.known_variables import BY_NAME
from triton_earth.evaluation.alignment import Truth

FRACTION = BY_NAME["land_sea_mask"]
"""The known variable that says how much of a cell is land."""

LAND_AT_LEAST = 0.5
"""Land fraction from which on a cell is land."""


@dataclass(frozen=True, eq=False)
class Land:
    """Land of a grid; all other cells are sea.

    Attributes:
        cells: Which cells are land.
        source: Which those are, in words that follow "land is where".
    """

    cells: Bool[np.ndarray, "y x"]
    source: str


def find_land(truth: Truth) -> Land:
    """Return the land of a truth: where its static land fraction is at least one half, else within the coastlines.

    Args:
        truth: The truth, whose grid has latitudes.

    Raises:
        UserError: if the grid has no latitudes, or the land fraction has no value somewhere.
    """
    if not isinstance(truth.grid, LatLonGrid):
        raise UserError(
            f"land and sea need a latitude-longitude grid; found {truth.grid}. Score everywhere."
        )
    fraction = next((variable for variable in truth.variables if _is_fraction(variable)), None)
    if fraction is None:
        coasts = "the centre of the cell is within the package's coastlines (the truth has no land fraction)"
        return Land(land_cells(truth.grid), coasts)
    (channel,) = truth.variables.indices([fraction.name])
    first = int(np.flatnonzero(truth.recorded)[0])
    field = truth.read(int(truth.trajectories[0]), slice(first, first + 1))[0, channel]
    missing = int((~np.isfinite(field)).sum())
    if missing:
        raise UserError(
            f"land and sea need a land fraction in every cell; '{fraction.name}' of the truth has none in {missing} of "
            f"{field.size}. Prepare the store with a whole land fraction, or without one: then the "
            "coastlines of the package count."
        )
    scale, offset = FRACTION.conversion(fraction.units) or (1.0, 0.0)
    land = scale * field + offset >= LAND_AT_LEAST
    return Land(land, f"'{fraction.name}' of the truth is at least {LAND_AT_LEAST:g}")


def _is_fraction(variable: Variable) -> bool:
    names = (FRACTION.name, *FRACTION.aliases)
    return variable.role == Role.STATIC and variable.name.casefold() in names
