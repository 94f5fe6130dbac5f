"""The gradient balancer: every channel pulls on the weights with the same strength."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from triton_earth.core.state import State

LEAST = 1e-5
"""A channel's gradient counts as at least this part of the largest, lest a perfect channel's noise be blown up."""


def balanced(state: State) -> State:
    """Return the same state; on the way back each channel's gradient gets the same norm.

        g_c ← g_c · C u_c / Σ u,      u_c = 1 / max(‖g_c‖₂, 1e-5 max_c ‖g_c‖₂)

    for each sample and time, norms over the cells, C channels. What is passed to the loss goes through this; what is
    fed back into the model must not, or gradients through n steps would be rescaled n times.

    Source: Andrychowicz et al. (2023), MetNet-3, arXiv:2306.06079, loss scaling. There the floor of the norm is
    absolute; here it is relative, because the size of a gradient depends on batch and grid.
    """
    return replace(state, data=_Balance.apply(state.data))


class _Balance(torch.autograd.Function):
    """Identity with the gradient above; [batch, time, channel, y, x]."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        norms = gradient.norm(dim=(-2, -1), keepdim=True)
        largest = norms.amax(dim=2, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)
        inverse = 1 / (norms / largest).clamp(min=LEAST)
        return gradient * inverse / inverse.mean(dim=2, keepdim=True)
