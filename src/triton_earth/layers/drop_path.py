"""Stochastic depth: in training, leave out a residual branch at random, sample by sample."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DropPath(nn.Module):
    """y = x·m/(1 − p) with m = 0 with probability p, drawn per sample; y = x in evaluation.

    Source: Huang et al. (2016), Deep Networks with Stochastic Depth, Eq. 2 and 5, scaled in
    training so that the mean does not depend on the mode.

    Args:
        probability: p, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Float[Tensor, "batch *rest"]) -> Float[Tensor, "batch *rest"]:
        """Return the branch, or zeros for the samples that leave it out."""
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        mask = torch.empty([len(x)] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """Return what `print` shows of this layer."""
        return f"probability={self.probability:.4g}"
