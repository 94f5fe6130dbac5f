"""Scores: energy and enstrophy of forecasts and truth, in total and at the small scales."""

import numpy as np
import xarray as xr

from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.metrics.totals import Totals
from triton_earth.evaluation.records import Records
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.spectra.flow import SMALL_SCALES

DEFINITIONS = {
    "energy": ("kinetic energy", "half the mean square velocity, from vorticity"),
    "enstrophy": ("enstrophy", "half the mean square vorticity"),
    "small_scale_enstrophy": ("small-scale enstrophy", SMALL_SCALES),
}


def score_totals(records: Records, variables: Variables, resampling: Resampling) -> xr.Dataset:
    """Return totals of forecast, references and truth with intervals.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.

    Returns:
        `energy`, `enstrophy`, `small_scale_enstrophy` (source, lead_time) and NAME_interval (…, bound). Empty where the
        forecast has no vorticity on a doubly periodic box.
    """
    if records.totals is None:
        return xr.Dataset()
    (vorticity,) = variables.select([VORTICITY.name])
    data: dict[str, tuple] = {}
    for name in Totals.names():
        samples = resampling.means(np.moveaxis(getattr(records.totals, name), 0, -1))
        long_name, definition = DEFINITIONS[name]
        # Of a dimensionless flow all units are 1.
        units = "m2 s-2" if name == "energy" else "s-2"
        attributes = {
            "long_name": long_name,
            "units": units if vorticity.units == VORTICITY.units else "1",
            "definition": f"{definition}; averaged over initial conditions",
        }
        interval = {
            **attributes,
            "long_name": f"95 % interval of the {long_name}",
            "definition": f"95 % bootstrap interval of {name} over initial conditions",
        }
        data[name] = (("source", "lead_time"), samples[0].T, attributes)
        data[f"{name}_interval"] = (
            ("source", "lead_time", "bound"),
            resampling.interval(samples).swapaxes(0, 1),
            interval,
        )
    return xr.Dataset(data)
