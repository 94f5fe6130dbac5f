"""Losses: plain functions of forecast and truth, weighted by cell area, blind to undefined cells.

Each takes `weights`, how much each of the forecast's channels counts; all alike if not given. The loss of one variable
is that of the forecast's `select([name])`.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from triton_earth.core.state import State

ChannelWeights = Float[Tensor, "channel 1 1"]

TINY = 1e-12
"""Keeps the root of the relative error smooth where a forecast is perfect."""

LEAST_VARIANCE = 1e-4
"""A truth counts as at least this part of the training variance away from its mean."""


def mean_squared_error(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
) -> Float[Tensor, ""]:
    """Return the mean squared error in units of `scale`.

        L = Σ v w m ((f − t)/s)² / Σ v w m

    with channel weights v, cell-area weights w and valid mask m, over batch, time, channels and cells.

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        scale: s, one number for each of the forecast's channels.
        weights: v.
    """
    return weighted_mean(defined_error(forecast, truth, scale).square(), forecast, weights)


def mean_absolute_error(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
) -> Float[Tensor, ""]:
    """Return the mean absolute error in units of `scale`.

        L = Σ v w m |f − t|/s / Σ v w m

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        scale: s, one number for each of the forecast's channels.
        weights: v.
    """
    return weighted_mean(defined_error(forecast, truth, scale).abs(), forecast, weights)


def huber_loss(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
    delta: float = 1.0,
) -> Float[Tensor, ""]:
    """Return the Huber loss: quadratic for small errors, linear for large ones, so that outliers count less.

        L = Σ v w m h((f − t)/s) / Σ v w m,      h(e) = e²/2 for |e| ≤ δ,  δ (|e| − δ/2) beyond

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        scale: s, one number for each of the forecast's channels.
        weights: v.
        delta: δ, in units of `scale`.

    Source: Huber (1964), Annals of Mathematical Statistics 35, 73.
    """
    error = defined_error(forecast, truth, scale)
    penalty = functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta)
    return weighted_mean(penalty, forecast, weights)


def relative_l2(
    forecast: State,
    truth: State,
    mean: Float[Tensor, "channel 1 1"],
    std: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
) -> Float[Tensor, ""]:
    """Return the channel-wise relative L2 error, the mean over samples, times and channels.

        L = Σ_c v_c ‖f_c − t_c‖ / √(‖t_c − μ_c‖² + 1e-4 ‖σ_c‖²) / Σ_c v_c,      ‖x‖² = Σ w m x²

    The truth is measured from the training mean μ, as the original system's normalised fields are: the norm of a
    temperature in kelvin says nothing. A channel's units cancel. The term with the training standard deviation σ keeps
    the error finite where a truth is nearly its mean; elsewhere it hardly counts.

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        mean: μ, one number for each of the forecast's channels.
        std: σ, likewise.
        weights: v.
    """
    unit = torch.ones_like(mean)
    anomaly = defined(truth.select(forecast.variables.names).data - mean, forecast)
    error = defined_error(forecast, truth, unit)
    cells = cell_weights(forecast)
    spread = defined(std.expand_as(error), forecast)
    norms = [(cells * field.square()).sum(dim=(-2, -1)) for field in (error, anomaly, spread)]
    ratio = (norms[0] / (norms[1] + LEAST_VARIANCE * norms[2]) + TINY).sqrt()
    return mean_over_channels(ratio, weights)


def mean_over_channels(
    by_channel: Float[Tensor, "*batch channel"], weights: ChannelWeights | None
) -> Float[Tensor, ""]:
    """Return the mean of numbers of each channel, weighted by how much a channel counts."""
    if weights is None:
        return by_channel.mean()
    return (by_channel * weights[:, 0, 0]).mean() / weights.mean()


def cell_weights(state: State) -> Float[Tensor, "y x"]:
    """Return the cell-area weights w of a state's grid, mean 1, where the state is."""
    return torch.from_numpy(state.grid.cell_area_weights).to(state.data)


def defined_error(
    forecast: State, truth: State, scale: Float[Tensor, "channel 1 1"]
) -> Float[Tensor, "batch time channel y x"]:
    """Return (f − t)/s, zero where the forecast is not defined."""
    target = truth.select(forecast.variables.names).data
    return defined(forecast.data - target, forecast) / scale


def defined(field: Tensor, forecast: State) -> Tensor:
    """Return a field with zero where the forecast is not defined."""
    return field if forecast.valid_mask is None else torch.where(forecast.valid_mask, field, 0.0)


def weighted_mean(
    penalty: Float[Tensor, "batch time channel y x"],
    forecast: State,
    weights: ChannelWeights | None,
) -> Float[Tensor, ""]:
    """Return the weighted mean of a penalty that is zero where the forecast is not defined."""
    cells = cell_weights(forecast) if weights is None else weights * cell_weights(forecast)
    if forecast.valid_mask is None:
        return (cells * penalty).mean() / cells.mean()
    batch, time = penalty.shape[:2]
    return (cells * penalty).sum() / ((cells * forecast.valid_mask).sum() * batch * time)
