"""A network in bfloat16 on a CPU whose matrices and kernels are cast once, not at each application."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

CAST = (nn.Linear, nn.modules.conv._ConvNd)
"""The layers whose weights mixed precision casts."""


class CastOnce:
    """Applies a network without a gradient, with copies of its weights in the precision that autocast would give them.

    Autocast casts all weights at each application, which takes up to a fifth of the time. The output has the same bits.
    Where there is a gradient, no mixed precision, no CPU, a compiler or a part of the weights only, the network is
    applied as it is.

    The copies are made again where weights have changed. Fused optimisers do not count their changes as torch's other
    operations do, so one number of each weight is compared too.
    """

    def __init__(self) -> None:
        self._counts: list[tuple[int, int]] = []
        self._numbers = torch.empty(0)
        self._copies: dict[str, Tensor] = {}

    def __call__(self, network: nn.Module, x: Tensor) -> Tensor:
        """Return the output of the network, which may be another one each time."""
        mixed = torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()
        as_written = network._compiled_call_impl is None and not torch.compiler.is_compiling()
        on_cpu = type(x) is Tensor and x.device.type == "cpu"
        output: Tensor
        if mixed and as_written and on_cpu and _is_whole(network):
            output = functional_call(network, self._up_to_date(network), (x,))
        else:
            self._copies = {}
            output = network(x)
        return output

    def _up_to_date(self, network: nn.Module) -> dict[str, Tensor]:
        weights = {
            f"{name}.{part}": weight.detach()
            for name, layer in network.named_modules()
            if isinstance(layer, CAST)
            for part, weight in layer.named_parameters(recurse=False)
        }
        if not weights:
            return {}
        dtype = torch.get_autocast_dtype("cpu")
        counts = [(weight.data_ptr(), weight._version) for weight in weights.values()]
        numbers = torch.stack([weight[(0,) * weight.ndim] for weight in weights.values()])
        same = counts == self._counts and torch.equal(numbers, self._numbers)
        if not same or {copy.dtype for copy in self._copies.values()} != {dtype}:
            self._counts, self._numbers = counts, numbers
            self._copies = {name: weight.to(dtype) for name, weight in weights.items()}
        return self._copies


def _is_whole(network: nn.Module) -> bool:
    """Return whether no other process has a part of the weights."""
    return all(type(weight) is nn.Parameter for weight in network.parameters())
