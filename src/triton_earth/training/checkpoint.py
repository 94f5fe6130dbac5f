"""The state of a training run on disk: all that is needed to go on as if nothing had happened."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from triton_earth.core.errors import UserError
from triton_earth.core.files import write_bytes
from triton_earth.training.moving_average import MovingAverage

NAME = "training_state.pt"


def save_training_state(
    folder: Path,
    *,
    step: int,
    best_loss: float,
    network: nn.Module,
    average: MovingAverage,
    optimizer: Optimizer,
) -> None:
    """Write the state after `step` steps under a temporary name and rename it."""
    state = {
        "step": step,
        "best_loss": best_loss,
        "network": network.state_dict(),
        "average": average.weights,
        "average_updates": average.updates,
        "optimizer": optimizer.state_dict(),
    }
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(folder / NAME, content.getvalue())


def load_training_state(
    folder: Path, *, network: nn.Module, average: MovingAverage, optimizer: Optimizer
) -> tuple[int, float]:
    """Set network, average and optimiser to what was saved; only tensors and numbers are read, never code.

    Returns:
        How many steps were done, and the best validation loss so far; (0, infinity) where nothing was saved yet.

    Raises:
        UserError: if the file is damaged or belongs to another network.
    """
    path = folder / NAME
    if not path.exists():
        return 0, float("inf")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        for name, tensor in state["average"].items():
            average.weights[name].copy_(tensor)
        average.updates = state["average_updates"]
        optimizer.load_state_dict(state["optimizer"])
        return state["step"], state["best_loss"]
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} cannot be used ({reason}); start again with --overwrite."
        ) from error
