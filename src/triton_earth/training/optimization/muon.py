"""Muon: momentum whose matrices are made orthogonal, for linear layers and for the kernels of convolutions."""

from collections.abc import Callable, Iterable
from typing import overload

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
            moving = [
                torch.stack([self._moved(weight, group["momentum"]) for weight in weights])
                for weights in alike.values()
            ]
            for weights, updates in zip(alike.values(), orthogonalized(moving), strict=True):
                size = RMS_OF_ADAMW * group["lr"] * max(updates.shape[1:]) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update.reshape(weight.shape), alpha=-size)
        return loss

    def _moved(self, weight: nn.Parameter, memory: float) -> Float[Tensor, "m n"]:
        """Move a weight's momentum and return what the next step follows, as a matrix."""
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum_buffer"]
        assert weight.grad is not None
        momentum.lerp_(weight.grad, 1 - memory)
        return weight.grad.lerp(momentum, memory).flatten(1)


def orthogonalized(stacks: list[Float[Tensor, "_k _m _n"]]) -> list[Float[Tensor, "_k _m _n"]]:
    """Return nearly the orthogonal factor U Vᵀ of each matrix U S Vᵀ of stacks of matrices.

    Its singular values are 0.7 to 1.2 for directions with a hundredth of the matrix's norm or more, and less for weaker
    directions.

    X ← a X + (b A + c A²) X with A = X Xᵀ, five times, from X of Frobenius norm 1.

    Source: Jordan et al. (2024), kellerjordan.github.io/posts/muon, Newton-Schulz iteration.
    """
    found: list[Tensor] = []
    by_rows: dict[tuple[int, torch.dtype], list[int]] = {}
    for number, stack in enumerate(stacks):
        x = stack if stack.shape[1] <= stack.shape[2] else stack.mT
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
        # The iteration bears the coarse steps of bfloat16, which a GPU multiplies several times faster.
        if x.device.type == "cuda":
            x = _iterated(x.bfloat16())
        elif x.shape[2] < MUCH_WIDER * x.shape[1]:
            x = _iterated(x)
        else:
            by_rows.setdefault((x.shape[1], x.dtype), []).append(number)
        found.append(x)
    for numbers in by_rows.values():
        products = torch.cat([found[number] @ found[number].mT for number in numbers])
        factors = _factor(products).split([len(found[number]) for number in numbers])
        for number, factor in zip(numbers, factors, strict=True):
            found[number] = factor @ found[number]
    return [
        (x if stack.shape[1] <= stack.shape[2] else x.mT).to(stack.dtype)
        for stack, x in zip(stacks, found, strict=True)
    ]


def _iterated(x: Float[Tensor, "k m n"]) -> Float[Tensor, "k m n"]:
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        products = x @ x.mT
        x = torch.baddbmm(
            x, torch.baddbmm(products, products, products, beta=b, alpha=c), x, beta=a
        )
    return x


def _factor(products: Float[Tensor, "k m m"]) -> Float[Tensor, "k m m"]:
    """Return by what all iterations together multiply X, from A = X Xᵀ alone.

    Each multiplies X by Q = a I + b A + c A², which commutes with A: A ← Q A Q, and the result is the product of all Q.
    For wide X, whose rows are few, that is up to three times cheaper, and matrices with as many rows go together.
    Products lose half of the digits of the weak directions of X, so that this needs float32.
    """
    a, b, c = COEFFICIENTS
    whole: Tensor | None = None
    for iteration in range(ITERATIONS):
        factor = torch.baddbmm(products, products, products, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        whole = factor if whole is None else factor @ whole
        if iteration < ITERATIONS - 1:
            products = factor @ (products @ factor)
    assert whole is not None
    return whole
