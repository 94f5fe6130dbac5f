"""Fully sharded training: each process keeps its part of weights, averages and moments, and borrows the rest."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map


def shard(network: nn.Module) -> None:
    """Cut the weights of a network over all processes, block by block, in place.

    Kernels are laid out in rows first: torch cuts no others.

    Source: Zhao et al. (2023), arXiv:2304.11277.
    """
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, nn.ModuleList):
            for block in module:
                fully_shard(block)
    fully_shard(network)


def gathered(values: Any) -> Any:
    """Return nested values with whole tensors in place of parts; every process must call this.

    Values without parts come back as they are.
    """

    def whole(value: Any) -> Any:
        return value.full_tensor().cpu() if isinstance(value, DTensor) else value

    return tree_map(whole, values)


def placed_like(whole: Tensor, example: Tensor) -> Tensor:
    """Return a whole tensor cut as the example is; as it is where the example is whole."""
    if not isinstance(example, DTensor):
        return whole
    local = whole.to(example.device)
    return distribute_tensor(local, example.device_mesh, example.placements)


def whole_norm(norm: Tensor) -> float:
    """Return a norm over all processes' parts as a number."""
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)


def optimizer_state_like(saved: dict[str, Any], parameters: list[nn.Parameter]) -> dict[str, Any]:
    """Return an optimiser's saved state with the moments cut, and lying in memory, as the parameters are.

    Kernels saved by an older version lie otherwise, which a fused optimiser does not look at.

    Args:
        saved: What `state_dict` gave, gathered.
        parameters: The optimiser's, in its order.
    """
    state = {
        number: {
            name: _lying_like(placed_like(value, parameters[number]), parameters[number])
            if isinstance(value, torch.Tensor) and value.shape == parameters[number].shape
            else value
            for name, value in moments.items()
        }
        for number, moments in saved["state"].items()
    }
    return {**saved, "state": state}


def _lying_like(moment: Tensor, parameter: Tensor) -> Tensor:
    if moment.stride() == parameter.stride():
        return moment
    return torch.empty_like(parameter, dtype=moment.dtype, device=moment.device).copy_(moment)
