"""One forecast beside its truth, as fields for pictures."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.evaluation.alignment import Forecasts, Truth, align
from triton_earth.evaluation.records import TruthReader

DIMENSIONS = ("variable", "lead_time", "y", "x")


def example_case(
    forecast: Forecasts,
    truth: Truth,
    *,
    init: int | None = None,
    leads: Sequence[int] | None = None,
) -> xr.Dataset:
    """Return truth, forecast and error = forecast − truth of one initial condition.

    Args:
        forecast: Stored forecasts.
        truth: Store that holds its initial time and what followed.
        init: Which initial condition. None: the first of those whose truth reaches furthest.
        leads: Numbers of the leads wanted, the first step is 1; those without a truth are left out. None: all.

    Returns:
        `truth`, `forecast`, `error` (variable, lead_time, y, x) in physical units, with the initial state, where
        the error is zero, as lead 0; NaN in cells that are not valid.

    Raises:
        UserError: if there is no such initial condition, none of the leads has a truth, or forecast and truth do
            not fit (see `align`).
    """
    inits = len(forecast.init_times)
    if init is not None and not 0 <= init < inits:
        raise UserError(
            f"the forecast has initial conditions 0 to {inits - 1}; found {init}. Choose one of them."
        )
    alignment = align(forecast, truth)
    if init is None:
        init = int(alignment.available.sum(axis=1).argmax())
    wanted = alignment.available[init].copy()
    if leads is not None:
        wanted &= np.isin(alignment.numbers, leads)
    if not wanted.any():
        raise UserError(
            f"initial condition {init}: of the leads {'all' if leads is None else list(leads)} none has both a "
            f"forecast and a truth; those that do are {alignment.numbers[alignment.available[init]].tolist()}."
        )
    positions = alignment.leads[wanted]
    reader = TruthReader(forecast, truth, alignment)
    true = reader.read(init, np.concatenate([[0], alignment.offsets[wanted]]))
    stored = [forecast.read(slice(init, init + 1), int(lead))[0] for lead in positions]
    fields = np.stack([true[0], *stored])
    if reader.valid_mask is not None:
        true, fields = (np.where(reader.valid_mask, field, np.nan) for field in (true, fields))
    lead_times = np.asarray(forecast.lead_times)[positions]
    y_name, x_name = forecast.grid.axes
    data = {
        "truth": (DIMENSIONS, np.swapaxes(true, 0, 1), {"long_name": "truth"}),
        "forecast": (DIMENSIONS, np.swapaxes(fields, 0, 1), {"long_name": "forecast"}),
        "error": (DIMENSIONS, np.swapaxes(fields - true, 0, 1), {"long_name": "forecast - truth"}),
    }
    units = {} if lead_times.dtype.kind == "m" else {"units": truth.time_units}
    coordinates = {
        "variable": ("variable", forecast.variables.names),
        "units": ("variable", [variable.units for variable in forecast.variables]),
        "lead_time": ("lead_time", np.concatenate([lead_times[:1] * 0, lead_times]), units),
        "lead": ("lead_time", np.concatenate([[0], alignment.numbers[wanted]])),
        "y": ("y", forecast.grid.y, {"long_name": y_name}),
        "x": ("x", forecast.grid.x, {"long_name": x_name}),
    }
    attributes = {
        "init": init,
        "init_time": str(forecast.init_times[init]),
        "trajectory": int(forecast.trajectories[init]),
        "grid": str(forecast.grid),
    }
    return xr.Dataset(data, coords=coordinates, attrs=attributes)
