"""Stochastic depth: leave out a residual branch at random, sample by sample, in training or in an ensemble."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn


class DropPath(nn.Module):
    """y = x·m/(1 − p) with m = 0 with probability p, drawn per sample; y = x in evaluation.

    In an ensemble `draw_paths` sets the factors m/(1 − p), which then count in evaluation too.

    Source: Huang et al. (2016), Deep Networks with Stochastic Depth, Eq. 2 and 5, scaled in
    training so that the mean does not depend on the mode.

    Args:
        probability: p, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.factors: Tensor | None = None

    def forward(self, x: Float[Tensor, "batch *rest"]) -> Float[Tensor, "batch *rest"]:
        """Return the branch, or zeros for the samples that leave it out."""
        if self.factors is not None:
            return x * self.factors.to(x).reshape(-1, *[1] * (x.ndim - 1))
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        mask = torch.empty([len(x)] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """Return the words that `print` shows for this layer."""
        return f"probability={self.probability:.4g}"


def draw_paths(network: nn.Module, seeds: Sequence[Sequence[int]]) -> None:
    """Draw which branches each sample of the next batch leaves out, also in evaluation.

    Args:
        network: Network whose `DropPath` layers are set; `keep_all_paths` undoes it.
        seeds: Seeds of each sample; what it leaves out depends on them alone.
    """
    layers = _layers(network)
    keep = 1.0 - np.array([layer.probability for layer in layers])
    factors = np.array(
        [(np.random.default_rng(list(seed)).random(len(layers)) < keep) / keep for seed in seeds]
    )
    for number, layer in enumerate(layers):
        layer.factors = torch.from_numpy(factors[:, number])


def keep_all_paths(network: nn.Module) -> None:
    """Let a network leave out branches in training only."""
    for layer in _layers(network):
        layer.factors = None


def drops_paths(network: nn.Module) -> bool:
    """Return whether a network has a branch that may be left out."""
    return any(layer.probability > 0 for layer in _layers(network))


def _layers(network: nn.Module) -> list[DropPath]:
    return [layer for layer in network.modules() if isinstance(layer, DropPath)]
