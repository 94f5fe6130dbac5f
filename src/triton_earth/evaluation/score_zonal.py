"""Scores: zonal spectra by latitude band, and their ratio to the truth."""

import numpy as np
import xarray as xr
from jaxtyping import Bool

from triton_earth.core.variables import Variables
from triton_earth.evaluation.records import TRUTH, Records
from triton_earth.evaluation.zonal import COAST, WIDTH

DIMENSIONS = ("source", "variable", "latitude_band", "zonal_lead_time", "zonal_wavenumber")


def score_zonal(
    records: Records,
    variables: Variables,
    available: Bool[np.ndarray, "init lead"],
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Return mean zonal spectra of forecasts, references and truth at a few leads.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.
        available: Where an initial condition was scored.
        lead_times: Lead times that were scored.

    Returns:
        `zonal_spectrum` over `DIMENSIONS` and `zonal_ratio`, that divided by the truth's. Empty on a grid without
        latitudes, or where too few cells are valid.
    """
    zonal = records.zonal
    if zonal is None:
        return xr.Dataset()
    count = available.sum(axis=0)[zonal.leads]
    mean = zonal.spectrum / count[:, None]
    truth = mean[TRUTH]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(truth > 0, mean / truth, np.nan)
    units = [
        variable.units if variable.units == "1" else f"({variable.units})2"
        for variable in variables
    ]
    bands = next(one for one in zonal.bands if one is not None)
    span = (
        "a region: trend of each row taken out, tapered"
        if not bands.grid.is_global_in_longitude
        else "all bins add up to the mean square"
    )
    words = f"mean over the rows of a latitude band of {WIDTH:g} degrees ({span})"
    if any(one is not None and (one.taper < 1).any() for one in zonal.bands):
        words += (
            f"; rows with cells that are not valid are tapered over {COAST} cells beside them and divided by the mean "
            "square of the taper"
        )
    return xr.Dataset(
        {
            "zonal_spectrum": (
                DIMENSIONS,
                mean,
                {
                    "long_name": "zonal spectrum",
                    "units": units[0] if len(set(units)) == 1 else "; ".join(units),
                    "definition": f"variance at each zonal wavenumber, area-weighted {words}; averaged over initial "
                    "conditions",
                },
            ),
            "zonal_ratio": (
                DIMENSIONS,
                ratio,
                {
                    "long_name": "ratio of zonal spectra",
                    "units": "1",
                    "definition": "zonal_spectrum divided by that of the truth",
                },
            ),
        },
        coords={
            "latitude_band": ("latitude_band", zonal.names, {"long_name": "latitude band"}),
            "zonal_lead_time": (
                "zonal_lead_time",
                lead_times[zonal.leads],
                {"long_name": "lead time of the zonal spectra"},
            ),
            "zonal_wavenumber": (
                "zonal_wavenumber",
                bands.wavenumbers,
                {"long_name": "zonal wavenumber", "units": "1"},
            ),
        },
    )
