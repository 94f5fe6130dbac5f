"""How much a cell counts, by name."""

from typing import Literal

import numpy as np
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid

WeightsName = Literal["cell_area", "cos_latitude"]


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
