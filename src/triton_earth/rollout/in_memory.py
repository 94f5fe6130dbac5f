"""Forecasts as an `xarray.Dataset` in memory, with the layout of a forecast store."""

import math
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.standard_names import variable_attributes
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.storage.forecast_coordinates import (
    forecast_coordinates,
    plain_attributes,
    with_initial_times,
)
from triton_earth.rollout.storage.output import OutputConfig

ON_DISK = ("statistics_only", "mean_and_spread", "every")
"""What can be stored in place of fields, or beside them."""


def forecast_in_memory(
    forecaster: Forecaster,
    store: TrainingStore,
    *,
    output: OutputConfig,
    steps: int,
    force: bool = False,
    **how: Any,
) -> xr.Dataset:
    """Forecast, and keep all fields in memory.

    Args:
        forecaster: The model.
        store: Where the initial conditions are.
        output: Which variables, levels, leads and region.
        steps: Steps of the forecast.
        force: Go on though memory does not suffice.
        how: Further arguments of `LiveForecasts`.

    Returns:
        NAME(init[, member], lead_time, y, x) for each variable; the same values as `write_forecast` stores.

    Raises:
        UserError: if model and store do not fit, memory does not suffice, or `output` asks for what only a store has.
    """
    needless = [name for name in ON_DISK if getattr(output, name)]
    if needless:
        raise UserError(
            f"forecast: {', '.join(needless)} says what is stored, but there is no `out`. Give one, or take means of "
            "the dataset (xarray: ds.mean)."
        )
    live = LiveForecasts(forecaster, store, steps=steps, **how)
    predicted = forecaster.predicted
    mask = store.valid_mask
    chosen = output.build(
        predicted,
        forecaster.grid,
        steps,
        None if mask is None else mask[store.variables.indices(predicted.names)],
    )
    inits = len(live.init_times)
    shape = (inits, live.members, len(chosen.leads), *chosen.grid.shape)
    if not force:
        require_fits(
            f"the forecast of {inits} initial times, {live.members} members and {len(chosen.leads)} leads in memory",
            memory=4.0 * len(chosen.variables) * math.prod(shape),
            advice="Give `out` to store it, or take fewer variables, leads or a region.",
        )
    fields = np.empty((len(chosen.variables), *shape), np.float32)
    channels = predicted.indices(chosen.variables.names)
    for first in range(0, inits, live.chunk_inits):
        some = slice(first, min(first + live.chunk_inits, inits))
        for place, lead in enumerate(chosen.leads):
            values = live.read_members(some, lead - 1)[:, :, channels]
            if chosen.cut is not None:
                values = values[..., chosen.cut.rows[:, None], chosen.cut.columns]
            fields[:, some, :, place] = np.moveaxis(values, 2, 0)
    dims = ["init", "member", "lead_time", *chosen.grid.axes]
    if live.members == 1:
        fields = fields[:, :, 0]
        dims.remove("member")
    arrays = {
        variable.name: (dims, values, variable_attributes(variable, chosen.grid))
        for variable, values in zip(chosen.variables, fields, strict=True)
    }
    coordinates = forecast_coordinates(
        chosen.grid,
        live.init_times,
        live.trajectories,
        live.lead_times[[lead - 1 for lead in chosen.leads]],
        live.members,
    )
    live.sum_up()
    attributes = plain_attributes(chosen.grid, live.provenance, live.guard)
    return with_initial_times(xr.Dataset(arrays, coordinates, attributes))
