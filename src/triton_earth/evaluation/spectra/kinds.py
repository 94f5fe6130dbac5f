"""Which kinds of spectra the fields of a grid have."""

import numpy as np
from jaxtyping import Bool

from triton_earth.core.grid import Grid
from triton_earth.core.variables import Variables
from triton_earth.evaluation.spectra.degree import degree_spectra
from triton_earth.evaluation.spectra.flow import flow_spectra
from triton_earth.evaluation.spectra.isotropic_spectra import isotropic_spectra
from triton_earth.evaluation.spectra.records import SpectrumKind
from triton_earth.evaluation.spectra.zonal_spectra import zonal_spectra


def spectrum_kinds(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> dict[str, SpectrumKind]:
    """Return the kinds of spectra by name: ``flow``, ``zonal``, ``degree``, ``isotropic``, as far as there are any.

    Args:
        variables: The variables.
        grid: The grid, or the part of it that is scored.
        valid_mask: Where each is defined.
    """
    made: dict[str, SpectrumKind | None] = {
        "flow": flow_spectra(variables, grid, valid_mask),
        "zonal": zonal_spectra(variables, grid, valid_mask),
        "degree": degree_spectra(variables, grid, valid_mask),
        "isotropic": isotropic_spectra(variables, grid, valid_mask),
    }
    return {name: kind for name, kind in made.items() if kind is not None}
