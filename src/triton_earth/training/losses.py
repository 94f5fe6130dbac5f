"""Losses: plain functions of forecast and truth, weighted by cell area, blind to undefined cells."""

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.state import State


def mean_squared_error(
    forecast: State, truth: State, scale: Float[Tensor, "channel 1 1"]
) -> Float[Tensor, ""]:
    """Return the mean squared error in units of `scale`.

        L = Σ w m ((f − t)/s)² / Σ w m

    with cell-area weights w and valid mask m, over batch, time, channels and cells.

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        scale: s, one number for each of the forecast's channels.
    """
    weights = _cell_weights(forecast)
    target = truth.select(forecast.variables.names).data
    if forecast.valid_mask is None:
        error = (forecast.data - target) / scale
        return (weights * error.square()).mean() / weights.mean()
    valid = forecast.valid_mask
    error = torch.where(valid, forecast.data - target, 0.0) / scale
    batch, time = error.shape[:2]
    return (weights * error.square()).sum() / ((weights * valid).sum() * batch * time)


def _cell_weights(state: State) -> Float[Tensor, "y x"]:
    return torch.from_numpy(state.grid.cell_area_weights).to(state.data)
