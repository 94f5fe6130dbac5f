"""Compiling the network of a training run, where that pays."""

import importlib.util
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from triton_earth.training.config import TrainConfig

COMPILED_FROM = 5000
"""Steps of a run on a GPU from which ``auto`` compiles: fewer do not make up for the minute that it takes."""


def is_compiled(config: TrainConfig, device: torch.device, processes: int = 1) -> bool:
    """Return whether the network of a run is compiled.

    Args:
        config: How it is trained.
        device: Where.
        processes: How many processes share the work; of several, ``auto`` compiles none.
    """
    if config.compile != "auto":
        return config.compile
    possible = device.type == "cuda" and importlib.util.find_spec("triton") is not None
    return possible and processes == 1 and config.steps >= COMPILED_FROM


def compile_network(network: nn.Module) -> None:
    """Compile a network in place: its parameters stay what they are.

    What was compiled before is forgotten: a process that trains one network after the other would come to the number
    beyond which torch compiles no more.
    """
    torch.compiler.reset()
    network.compile(dynamic=False)


def as_written(network: nn.Module) -> AbstractContextManager[object]:
    """Return the context in which a network runs as it is written, compiled or not: other batches compile nothing."""
    if network._compiled_call_impl is None:
        return nullcontext()  # the compiler takes seconds to import
    return torch.compiler.set_stance("force_eager")
