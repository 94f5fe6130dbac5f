"""Eddies of the example that reports show, as places that a map can mark."""

import numpy as np
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.metrics.sea_level_eddies import detect_sea_level_eddies

FIELDS = ("latitude", "longitude", "amplitude", "radius")


def with_eddies(example: xr.Dataset, variable: str, grid: LatLonGrid) -> xr.Dataset:
    """Return an example with the eddies of its truth and forecast.

    Args:
        example: What `example_case` gives.
        variable: Name of the sea level, in m.
        grid: Its grid.

    Returns:
        The example with `eddy_latitude`, `eddy_longitude` (degrees), `eddy_amplitude`, `eddy_radius` (m), `eddy_source`
        (``truth`` or ``forecast``) and `eddy_lead` (index of the lead) of each eddy; none of a map that is not finite.
        The attribute `eddies` is the name of the sea level.
    """
    rows = []
    for source in ("truth", "forecast"):
        fields = example[source].sel(variable=variable).values
        known = np.isfinite(example["truth"].sel(variable=variable).values)
        for lead, field in enumerate(fields):
            if not np.isfinite(field[known[lead]]).all():
                continue
            for eddy in detect_sea_level_eddies(field, grid):
                rows.append((source, lead, *(getattr(eddy, name) for name in FIELDS)))
    found = {
        f"eddy_{name}": ("eddy", np.array([row[column] for row in rows]))
        for column, name in enumerate(("source", "lead", *FIELDS))
    }
    return example.assign(found).assign_attrs(eddies=variable)
