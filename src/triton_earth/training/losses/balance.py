"""The gradient balancer: every channel pulls on the weights with the same strength."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.state import State

LEAST = 1e-5
"""A channel's gradient counts as at least this part of the largest, lest a perfect channel's noise be blown up."""


def balanced(state: State, weights: Float[Tensor, "channel 1 1"] | None = None) -> State:
    """Return the same state; on the way back each channel's gradient gets the same norm, times its weight.

        g_c ← g_c · C u_c / Σ u,      u_c = v_c / max(‖g_c‖₂, 1e-5 max_c ‖g_c‖₂)

    for each sample and time, norms over the cells, C channels. The loss must not be weighted itself: a weight in g_c
    would cancel. What is passed to the loss goes through this; what is fed back into the model must not, or gradients
    through n steps would be rescaled n times.

    Args:
        state: Forecast states.
        weights: v; all alike if not given.

    Source: Andrychowicz et al. (2023), MetNet-3, arXiv:2306.06079, loss scaling. There the floor of the norm is
    absolute; here it is relative, because the size of a gradient depends on batch and grid.
    """
    return replace(state, data=_Balance.apply(state.data, weights))


class _Balance(torch.autograd.Function):
    """Identity with the gradient above; [batch, time, channel, y, x]."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor | None) -> Tensor:
        ctx.weights = 1.0 if weights is None else weights
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        norms = gradient.norm(dim=(-2, -1), keepdim=True)
        largest = norms.amax(dim=2, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)
        inverse = ctx.weights / (norms / largest).clamp(min=LEAST)
        return gradient * inverse / inverse.mean(dim=2, keepdim=True), None
