"""Optimisers by name, and the learning rate that each step gives them."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.optim import Optimizer

from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.muon import Muon
from triton_earth.training.optimization.schedule import warmup_cosine, warmup_trapezoid


def build_optimizers(network: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """Return the optimisers of a recipe; each weight belongs to exactly one of them.

    Raises:
        UserError: if the network has nothing for the optimiser.
    """
    matrices, rest = _shared_out(network, config)
    return [
        *([Muon(matrices, config.learning_rate, config.weight_decay)] if matrices else []),
        *([adamw(rest, config)] if rest else []),
    ]


def moments(network: nn.Module, config: TrainConfig) -> int:
    """Return how many numbers the optimisers of a recipe keep: AdamW two for each weight, Muon one.

    Raises:
        UserError: if the network has nothing for the optimiser.
    """
    matrices, rest = _shared_out(network, config)
    return sum(p.numel() for p in matrices) + 2 * sum(p.numel() for p in rest)


def _shared_out(
    network: nn.Module, config: TrainConfig
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the weights for Muon, which are matrices and kernels of convolutions, and those for AdamW."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        return [], parameters
    kernels = {id(m.weight) for m in network.modules() if isinstance(m, _ConvNd)}
    matrices = [p for p in parameters if p.ndim == 2 or id(p) in kernels]
    if not matrices:
        raise UserError(
            "train.optimizer=muon: the network has no linear layers and no convolutions; take adamw."
        )
    taken = {id(p) for p in matrices}
    return matrices, [p for p in parameters if id(p) not in taken]


def require_whole_matrices(config: TrainConfig, processes: int) -> None:
    """Refuse Muon where several processes have a part of each matrix only.

    Raises:
        UserError: saying what to take.
    """
    if config.optimizer == "muon" and config.parallel == "fsdp" and processes > 1:
        raise UserError(
            "train.optimizer=muon needs whole matrices, which train.parallel=fsdp cuts; take adamw or ddp."
        )


def adamw(parameters: list[nn.Parameter], config: TrainConfig) -> Optimizer:
    """Return AdamW; weight decay acts on matrices and kernels, not on biases, norms and layer scales.

    It goes over the weights once (``fused``), which takes half the time on a CPU, and goes through them as they lie in
    memory: the moments have to lie there alike, which `optimizer_state_like` sees to.

    Source: Loshchilov and Hutter (2019), arXiv:1711.05101.
    """
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step, from 0."""
    if config.schedule == "cosine":
        return config.learning_rate * warmup_cosine(step, config.steps, config.warmup_steps)
    return config.learning_rate * warmup_trapezoid(
        step, config.steps, config.warmup_steps, config.fall
    )


def set_learning_rate(optimizers: list[Optimizer], rate: float) -> None:
    """Set the learning rate of all weights."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
