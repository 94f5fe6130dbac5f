"""Anomalies of the example that reports show, of variables whose mean and season hide what changes."""

import numpy as np
import xarray as xr

from triton_earth.models.climatology import Climatology

SHARE = 0.5
"""Part of the variance of the fields below which the anomalies are shown too."""


def with_anomalies(example: xr.Dataset, climatology: Climatology) -> xr.Dataset:
    """Return an example with the anomalies from climatology of truth and forecast.

    Args:
        example: What `example_case` gives.
        climatology: Mean at each time of the year.

    Returns:
        The example with `truth_anomaly` and `forecast_anomaly` (variable, lead_time, y, x). The attribute `anomalies`
        lists the variables whose anomalies have less than `SHARE` of the variance of the fields.
    """
    times = np.datetime64(example.attrs["init_time"]) + example["lead_time"].values
    mean = np.swapaxes(climatology.at(times), 0, 1)
    parts = {f"{name}_anomaly": example[name] - mean for name in ("truth", "forecast")}
    hidden = []
    for variable in example["variable"].values.tolist():
        field, anomaly = (
            one.sel(variable=variable).values for one in (example["truth"], parts["truth_anomaly"])
        )
        whole = np.nanvar(field)
        if whole > 0 and np.nanmean(anomaly**2) < SHARE * whole:
            hidden.append(variable)
    return example.assign(parts).assign_attrs(anomalies=hidden)
