"""Activation checkpointing: compute activations twice instead of keeping them for the gradient."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Recomputing(nn.Module):
    """A chain of layers that keeps only their inputs where `checkpoint_activations` is set.

    Outputs, gradients and random numbers are those of the ordinary chain. A layer with batch
    normalization is never computed twice: it would count its batch twice.
    """

    checkpoint_activations = False

    def apply_layer(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Return `layer(x)`."""
        recompute = self.checkpoint_activations and self.training and torch.is_grad_enabled()
        if recompute and not _counts_batches(layer):
            return checkpoint(layer, x, use_reentrant=False)
        return layer(x)


def _counts_batches(layer: nn.Module) -> bool:
    """Batch normalization would count a batch twice if it were computed twice."""
    return any(isinstance(module, nn.BatchNorm2d) for module in layer.modules())
