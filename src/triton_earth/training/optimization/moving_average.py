"""The exponential moving average of the weights, used for validation and export."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Average of a network's weights over its training.

        a ← d a + (1 − d) w,      d = min(decay, (1 + n)/(10 + n)) after n updates,

    so that early averages forget the random start quickly.

    Attributes:
        weights: The averages by name; buffers that are no floats are copied.
        updates: n.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in network.state_dict().items()
        }

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the averages towards the network's present weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, 1 - decay)
            else:
                self.weights[name].copy_(tensor)

    @torch.no_grad()
    def go_back(self, network: nn.Module, weights: dict[str, Tensor]) -> None:
        """Set the averages and the network's own weights to those of an earlier average."""
        network.load_state_dict(weights)
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])

    @contextmanager
    def applied_to(self, network: nn.Module) -> Iterator[None]:
        """Give the network the averaged weights for a while."""
        own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self.weights)
        try:
            yield
        finally:
            network.load_state_dict(own)
