"""Muon: momentum whose matrices are made orthogonal, for linear layers and for the kernels of convolutions."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a s + b s³ + c s⁵, which brings singular values s of 0.01 to 1 near one in five applications."""

MUCH_WIDER = 2
"""Columns for each row from which on the iteration is made on the products of the rows."""

RMS_OF_ADAMW = 0.2
"""Root mean square of an update that AdamW typically makes, in units of the learning rate."""


class Muon(Optimizer):
    """Steps along the orthogonal factor of each weight's momentum, as large as AdamW's steps are.

        M ← β M + (1 − β) G,    U ≈ W Vᵀ of (1 − β) G + β M = W S Vᵀ,    θ ← (1 − η λ) θ − 0.2 η √max(m, n) U

    A kernel [out, in, height, width] counts as the matrix of its m = out rows and n = in · height · width columns. So
    all directions of a matrix learn at one pace, where AdamW lets the few strongest lead. Weights of one shape are made
    orthogonal together.

    Source: Jordan et al. (2024), kellerjordan.github.io/posts/muon; Liu et al. (2025), arXiv:2502.16982, for the size.

    Args:
        weights: Matrices and kernels, of two or more axes.
        learning_rate: η.
        weight_decay: λ.
        momentum: β.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        defaults = {"lr": learning_rate, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(weights, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one step along the gradients that the weights have; a weight without a gradient stays."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    alike.setdefault(weight.shape, []).append(weight)
            for weights in alike.values():
                self._step_of_one_shape(weights, group)
        return loss

    def _step_of_one_shape(self, weights: list[nn.Parameter], group: dict[str, Any]) -> None:
        moving = torch.stack([self._moved(weight, group["momentum"]) for weight in weights])
        updates = orthogonalized(moving)
        size = RMS_OF_ADAMW * group["lr"] * max(moving.shape[1:]) ** 0.5
        for weight, update in zip(weights, updates, strict=True):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(update.reshape(weight.shape), alpha=-size)

    def _moved(self, weight: nn.Parameter, memory: float) -> Float[Tensor, "m n"]:
        """Move a weight's momentum and return what the next step follows, as a matrix."""
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum_buffer"]
        assert weight.grad is not None
        momentum.lerp_(weight.grad, 1 - memory)
        return weight.grad.lerp(momentum, memory).flatten(1)


def orthogonalized(matrices: Float[Tensor, "k m n"]) -> Float[Tensor, "k m n"]:
    """Return nearly the orthogonal factor U Vᵀ of each matrix U S Vᵀ.

    Its singular values are 0.7 to 1.2 for directions with a hundredth of the matrix's norm or more, and less for weaker
    directions.

    X ← a X + (b A + c A²) X with A = X Xᵀ, five times, from X of Frobenius norm 1.

    Source: Jordan et al. (2024), kellerjordan.github.io/posts/muon, Newton-Schulz iteration.
    """
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = wide / wide.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    # The iteration bears the coarse steps of bfloat16, which devices with matrix units multiply several times faster.
    if x.device.type == "cuda":
        x = _iterated(x.bfloat16())
    elif x.shape[2] >= MUCH_WIDER * x.shape[1]:
        x = _iterated_on_products(x)
    else:
        x = _iterated(x)
    found = x.to(matrices.dtype)
    return found if matrices.shape[1] <= matrices.shape[2] else found.mT


def _iterated(x: Float[Tensor, "k m n"]) -> Float[Tensor, "k m n"]:
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        products = x @ x.mT
        x = torch.baddbmm(
            x, torch.baddbmm(products, products, products, beta=b, alpha=c), x, beta=a
        )
    return x


def _iterated_on_products(x: Float[Tensor, "k m n"]) -> Float[Tensor, "k m n"]:
    """Return the same from matrices of m rows and columns alone, which is two to three times cheaper for wide matrices.

    Each iteration multiplies X by Q = a I + b A + c A², which commutes with A = X Xᵀ: A ← Q A Q, and X by all Q in the
    end. Products of X lose half of the digits of its weak directions, so that this needs float32.
    """
    a, b, c = COEFFICIENTS
    products = x @ x.mT
    whole: Tensor | None = None
    for iteration in range(ITERATIONS):
        factor = torch.baddbmm(products, products, products, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        whole = factor if whole is None else factor @ whole
        if iteration < ITERATIONS - 1:
            products = factor @ (products @ factor)
    assert whole is not None
    return whole @ x
