"""Coordinates and attributes of forecasts, with what CF wants of them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Int

from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.standard_names import (
    CONVENTIONS,
    INIT_TIME,
    LEAD_TIME,
    MEMBER,
    VALID_TIME,
    axis_attributes,
)
from triton_earth.rollout.monthly_means import Month

MEANS = {"cell_methods": "lead_time: mean (over the calendar month that ends there)"}
"""Attribute of variables that are means over months."""
ALONG_LEADS = ("lead_time", "valid_time", "month", "averaged_steps")
"""Coordinates with a value for each lead: written when a store is created, and sealed then."""


def forecast_coordinates(
    grid: Grid | None,
    init_times: np.ndarray,
    trajectories: Int[np.ndarray, " init"],
    lead_times: np.ndarray,
    members: int,
    **labels: Sequence[str],
) -> dict[str, Any]:
    """Return initial, lead and valid times, members and axes as entries of a dataset.

    Args:
        grid: Where the cells are; None for a store without fields.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        lead_times: Lead times.
        members: Members of each ensemble; 1 for single forecasts, which have no such dimension.
        **labels: Names along further dimensions; a dimension without names is left out.
    """
    valid_times = np.asarray(init_times)[:, None] + lead_times
    coordinates: dict[str, Any] = {
        "init_time": ("init", init_times, INIT_TIME),
        "trajectory": ("init", trajectories, {"long_name": "trajectory of the initial state"}),
        "lead_time": ("lead_time", lead_times, LEAD_TIME),
        "valid_time": (("init", "lead_time"), valid_times, VALID_TIME),
    }
    if members > 1:
        coordinates["member"] = ("member", np.arange(members), MEMBER)
    if grid is not None:
        axes = axis_attributes(grid)
        for name, values in zip(grid.axes, (grid.y, grid.x), strict=True):
            coordinates[name] = (name, values, axes[name])
    named = {name: np.array(values, dtype=object) for name, values in labels.items() if values}
    return coordinates | named


def month_coordinates(months: Sequence[Month]) -> dict[str, Any]:
    """Return the month of each lead, as its first day, and how many steps its mean is of, as entries of a dataset."""
    return {
        "month": (
            "lead_time",
            np.array([month.first for month in months], "datetime64[ns]"),
            {"long_name": "calendar month, by its first day"},
        ),
        "averaged_steps": (
            "lead_time",
            np.array([month.steps for month in months]),
            {"long_name": "steps that the mean is of", "units": "1"},
        ),
    }


def plain_attributes(
    grid: Grid, provenance: dict[str, Any], guard: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the attributes of a dataset of forecasts as texts and numbers, which NetCDF can hold.

    Args:
        grid: Where the cells are; a box is described as in `State.to_xarray`.
        provenance: How the forecasts were made.
        guard: What the guard saw; None where there was none.
    """
    is_box = not isinstance(grid, LatLonGrid)
    return {
        "Conventions": CONVENTIONS,
        **({f"grid_{key}": value for key, value in grid.to_dict().items()} if is_box else {}),
        "provenance": json.dumps(provenance),
        **({} if guard is None else {"guard": json.dumps(guard)}),
    }


def with_initial_times(dataset: xr.Dataset) -> xr.Dataset:
    """Return forecasts that can be chosen by ``init_time``, where no two have the same."""
    times = dataset["init_time"].to_numpy()
    return dataset.set_xindex("init_time") if len(np.unique(times)) == len(times) else dataset
