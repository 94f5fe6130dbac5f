"""The example that a report shows: one case with all that is marked in it."""

import numpy as np
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.alignment import Forecasts, Truth
from triton_earth.evaluation.baselines import Baselines
from triton_earth.evaluation.example_anomalies import with_anomalies
from triton_earth.evaluation.example_case import example_case
from triton_earth.evaluation.example_eddies import with_eddies


def example_with(
    forecast: Forecasts, truth: Truth, baselines: Baselines, eddies: str | None
) -> xr.Dataset:
    """Return the example of a forecast, with anomalies where there is a calendar, and its eddies where asked for.

    Args:
        forecast: Stored forecasts.
        truth: The truth.
        baselines: The reference forecasts, with the climatology.
        eddies: Name of the sea level, in m; None: no eddies are marked.

    Raises:
        UserError: if forecast and truth do not fit.
    """
    example = example_case(forecast, truth)
    if baselines.climatology is not None and np.asarray(forecast.init_times).dtype.kind == "M":
        example = with_anomalies(example, baselines.climatology)
    if eddies is not None and isinstance(forecast.grid, LatLonGrid):
        example = with_eddies(example, eddies, forecast.grid)
    return example
