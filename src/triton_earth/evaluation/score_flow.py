"""Scores: energy and enstrophy of forecasts and truth, in total, at the small scales, and by wavenumber."""

import numpy as np
import xarray as xr

from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.flow_records import Totals
from triton_earth.evaluation.records import Records
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.spectra import SMALL_SCALES, nyquist_wavenumber, wavenumbers

ENERGY_DEFINITION = "half the mean square velocity, from vorticity"
DEFINITIONS = {
    "energy": ("kinetic energy", ENERGY_DEFINITION),
    "enstrophy": ("enstrophy", "half the mean square vorticity"),
    "small_scale_enstrophy": ("small-scale enstrophy", SMALL_SCALES),
    "energy_spectrum": (
        "kinetic energy spectrum",
        "kinetic energy in the bin k - k1/2 <= |k| < k + k1/2 (k1: smallest wavenumber of the box); all bins add up to "
        "the kinetic energy",
    ),
    "enstrophy_spectrum": (
        "enstrophy spectrum",
        "enstrophy in the bin k - k1/2 <= |k| < k + k1/2 (k1: smallest wavenumber of the box); all bins add up to the "
        "enstrophy",
    ),
}


def score_flow(records: Records, variables: Variables, resampling: Resampling) -> xr.Dataset:
    """Return totals with intervals and mean spectra of forecast, persistence and truth.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.

    Returns:
        `energy`, `enstrophy`, `small_scale_enstrophy` (source, lead_time) and NAME_interval (…, bound);
        `energy_spectrum`, `enstrophy_spectrum` (source, lead_time, wavenumber). Empty where the forecast has no
        vorticity on a doubly periodic box.
    """
    flow = records.flow
    if flow is None:
        return xr.Dataset()
    (vorticity,) = variables.select([VORTICITY.name])
    data: dict[str, tuple] = {}
    for name in Totals.names():
        values = getattr(flow.totals, name)
        samples = resampling.means(np.moveaxis(values, 0, -1))
        attributes = _attributes(name, vorticity.units)
        interval = {
            **attributes,
            "long_name": f"95 % interval of the {attributes['long_name']}",
            "definition": f"95 % bootstrap interval of {name} over initial conditions",
        }
        data[name] = (("source", "lead_time"), samples[0].T, attributes)
        data[f"{name}_interval"] = (
            ("source", "lead_time", "bound"),
            resampling.interval(samples).swapaxes(0, 1),
            interval,
        )
    count = resampling.available.sum(axis=0)
    for name in ("energy_spectrum", "enstrophy_spectrum"):
        mean = getattr(flow, name) / count[None, :, None]
        data[name] = (
            ("source", "lead_time", "wavenumber"),
            mean,
            _attributes(name, vorticity.units),
        )
    k = (
        "wavenumber",
        wavenumbers(flow.grid),
        {
            "long_name": "wavenumber",
            "units": _unless_dimensionless("rad m-1", vorticity.units),
            "resolved_wavenumber": nyquist_wavenumber(flow.grid),
        },
    )
    return xr.Dataset(data, coords={"wavenumber": k})


def _attributes(name: str, vorticity_units: str) -> dict[str, str]:
    long_name, definition = DEFINITIONS[name]
    units = "m2 s-2" if name.startswith("energy") else "s-2"
    return {
        "long_name": long_name,
        "units": _unless_dimensionless(units, vorticity_units),
        "definition": f"{definition}; averaged over initial conditions",
    }


def _unless_dimensionless(units: str, vorticity_units: str) -> str:
    """Return units that hold for vorticity in s-1; of a dimensionless flow all are 1."""
    return units if vorticity_units == VORTICITY.units else "1"
