"""Scores by region: those that follow from sums over cells, in each of several regions."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.variables import Variables
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.metrics.errors import (
    Scores,
    difference_attributes,
    difference_name,
    difference_scores,
    interval_attributes,
    metric_attributes,
    metric_scores,
)
from triton_earth.evaluation.metrics.region_records import RegionRecords
from triton_earth.evaluation.resampling import Resampling

DIMENSIONS = ("region", "forecast", "variable", "lead_time")

SUFFIX = "_by_region"
"""What the name of a score ends in that has a dimension `region`."""


def score_regions(
    records: RegionRecords,
    names: Sequence[str],
    rivals: Sequence[int],
    variables: Variables,
    resampling: Resampling,
) -> xr.Dataset:
    """Return every metric of `METRICS` and the paired differences of mse in each region, with intervals.

    Args:
        records: What was kept in each region.
        names: Names of the forecasts and references.
        rivals: Which of them the others are compared with.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions, the same as everywhere.

    Returns:
        NAME_by_region (region, forecast, variable, lead_time) and NAME_by_region_interval (…, bound), NaN where a
        variable is not defined in a region; `region`, and in words `region_description` (region).
    """
    attributes = {
        name: metric_attributes(metric, variables) for name, metric in METRICS.items()
    } | {
        difference_name(names[rival]): difference_attributes(names[rival], variables)
        for rival in rivals
    }
    parts: dict[str, list[Scores]] = {}
    for number, region in enumerate(records.regions):
        there = [variable.name not in region.without for variable in variables]
        channels = np.flatnonzero(there).tolist()
        errors = records.errors(number, channels)
        scores = metric_scores(errors, records.anomalies(number, channels), resampling)
        for rival in rivals:
            scores[difference_name(names[rival])] = difference_scores(errors, rival, resampling)
        for name, (estimates, intervals) in scores.items():
            parts.setdefault(name, []).append(
                (_of_all(estimates, there), _of_all(intervals, there))
            )
    data: dict[str, tuple] = {}
    for name, each in parts.items():
        own = f"{name}{SUFFIX}"
        words = {
            **attributes[name],
            "long_name": f"{attributes[name]['long_name']} by region",
            "definition": f"{name} over the cells of each region",
        }
        estimates, intervals = (
            np.stack(values).swapaxes(2, 3) for values in zip(*each, strict=True)
        )
        data[own] = (DIMENSIONS, estimates, words)
        data[f"{own}_interval"] = (
            (*DIMENSIONS, "bound"),
            intervals,
            interval_attributes(own, words),
        )
    descriptions = [region.description for region in records.regions]
    return xr.Dataset(
        data,
        coords={
            "region": (
                "region",
                [region.name for region in records.regions],
                {"long_name": "region"},
            ),
            "region_description": ("region", descriptions, {"long_name": "which cells it has"}),
        },
    )


def _of_all(
    values: Float64[np.ndarray, "forecast lead some *bound"], there: Sequence[bool]
) -> Float64[np.ndarray, "forecast lead variable *bound"]:
    """Return values of some variables as values of all, NaN of the others."""
    filled = np.full((*values.shape[:2], len(there), *values.shape[3:]), np.nan)
    filled[:, :, np.asarray(there)] = values
    return filled
