"""The state of a training run on disk: all that is needed to go on as if nothing had happened."""

import hashlib
import io
import logging
import math
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import write_bytes
from triton_earth.training.optimization.moving_average import MovingAverage
from triton_earth.training.parallel.sharding import gathered, optimizer_state_like, placed_like

logger = logging.getLogger("triton_earth")

NAME, PREVIOUS = "training_state.pt", "training_state.previous.pt"
FRESH = f"{NAME}.new"
UNREADABLE = (
    OSError,
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
    EOFError,
    pickle.UnpicklingError,
)
"""What reading a damaged state raises."""
_SEAL = b"\nsha256 "
_SEAL_LENGTH = len(_SEAL) + 64


class Position(NamedTuple):
    """Where a run is.

    Attributes:
        step: Steps done.
        best_loss: Best validation score so far.
        first_loss: Training loss of the first step with the present horizon.
        best_weights: Averaged weights that scored best; None where they are not kept.
    """

    step: int = 0
    best_loss: float = math.inf
    first_loss: float = math.inf
    best_weights: dict[str, Tensor] | None = None


def save_training_state(
    folder: Path,
    *,
    step: int,
    best_loss: float,
    first_loss: float,
    network: nn.Module,
    average: MovingAverage,
    optimizers: list[Optimizer],
    parts: int = 1,
    writes: bool = True,
    best_weights: dict[str, Tensor] | None = None,
) -> None:
    """Write the state after `step` steps under a temporary name and rename it; the one before it is kept.

    The file is what `torch.save` writes, followed by its SHA-256. Every process must call this; one of them writes.

    Raises:
        UserError: if the disk is full; what was saved before is left as it was.
    """
    state = gathered(
        {
            "step": step,
            "best_loss": best_loss,
            "first_loss": first_loss,
            "parts": parts,
            "network": dict(network.state_dict()),
            "average": average.weights,
            "average_updates": average.updates,
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            **({} if best_weights is None else {"best_weights": best_weights}),
        }
    )
    if not writes:
        return
    content = io.BytesIO()
    torch.save(state, content)
    seal = _seal(content.getbuffer())
    content.write(seal)
    try:
        write_bytes(folder / FRESH, content.getvalue())
    except UserError as error:
        raise UserError(
            f"{error} The training state of the step before is whole: make room, then repeat the command with --resume."
        ) from error
    _to_its_name(folder)


def finish_saving(folder: Path) -> None:
    """Give a state its name that was written whole when a process was killed before it could; drop a damaged state."""
    fresh = folder / FRESH
    if not fresh.exists():
        return
    try:
        read_training_state(fresh)
    except UNREADABLE:
        fresh.unlink()
        return
    _to_its_name(folder)


def _to_its_name(folder: Path) -> None:
    path = folder / NAME
    if path.exists():
        path.replace(folder / PREVIOUS)
    (folder / FRESH).replace(path)


def load_training_state(
    folder: Path,
    *,
    network: nn.Module,
    average: MovingAverage,
    optimizers: list[Optimizer],
    parts: int = 1,
) -> Position:
    """Set network, average and optimisers to what was saved; only tensors and numbers are read, never code.

    Where the newest state is damaged, the one before it is used, with a warning.

    Returns:
        Where the run was; its beginning where nothing was saved yet.

    Raises:
        UserError: if no whole state is left, it belongs to another network, or was cut into another number of parts.
    """
    problems = []
    for path in _candidates(folder):
        try:
            state = read_training_state(path)
            own = network.state_dict()
            network.load_state_dict(
                {
                    name: placed_like(tensor, own[name]) if name in own else tensor
                    for name, tensor in state["network"].items()
                }
            )
            for name, tensor in state["average"].items():
                average.weights[name].copy_(placed_like(tensor, average.weights[name]))
            average.updates = state["average_updates"]
            for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
                _load_optimizer(optimizer, saved)
            position = Position(
                state["step"], state["best_loss"], state["first_loss"], state.get("best_weights")
            )
            found = int(state.get("parts", parts))
        except UNREADABLE as error:
            problems.append((path, (str(error).splitlines() or [type(error).__name__])[0]))
            continue
        for damaged, reason in problems:
            logger.warning(
                "%s cannot be used (%s): going on from step %d, saved before.",
                damaged,
                reason,
                position.step,
            )
        if found != parts:
            raise UserError(
                f"{path}: the run was started with batches of {found} parts (processes times train.accumulate), here "
                f"are {parts}. Start it with as many, on any number of processes."
            )
        return position
    if problems:
        path, reason = problems[0]
        raise UserError(f"{path} cannot be used ({reason}); start again with --overwrite.")
    return Position()


def saved_step(folder: Path) -> int:
    """Return how many steps of a run are saved; 0 where there is no whole state."""
    for path in _candidates(folder):
        try:
            return int(read_training_state(path)["step"])
        except UNREADABLE:
            continue
    return 0


def _candidates(folder: Path) -> list[Path]:
    """Return the training states of a run, the newest first."""
    paths = [folder / name for name in (FRESH, NAME, PREVIOUS)]
    return [path for path in paths if path.exists()]


def read_training_state(path: Path) -> dict[str, Any]:
    """Return a saved state after checking that every byte is as it was written.

    Raises:
        ValueError: if it is not.
    """
    content = path.read_bytes()
    body, seal = content[:-_SEAL_LENGTH], content[-_SEAL_LENGTH:]
    if seal != _seal(body):
        raise ValueError("its checksum is wrong: the file is cut off or damaged")
    state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return state


def _load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.load_state_dict(optimizer_state_like(saved, parameters))


def _seal(body: bytes | memoryview) -> bytes:
    return _SEAL + hashlib.sha256(body).hexdigest().encode()


def continue_training(run: Path, network: nn.Module, optimizers: list[Optimizer]) -> None:
    """Give a new run the weights of another's last step and their moments; rates and decays stay the recipe's own.

    The weights are not the other run's averages: moments belong to the weights that they were gathered with.

    Args:
        run: Run folder with a training state.
        network: That of the new run.
        optimizers: Fresh ones, for the same network.

    Raises:
        UserError: if there is no training state, it is damaged, or it belongs to other optimisers.
    """
    path = run / NAME
    remedy = "Give the run folder of the same recipe, or take train.init_optimizer=fresh."
    try:
        state = read_training_state(path)
        own = network.state_dict()
        network.load_state_dict(
            {name: placed_like(tensor, own[name]) for name, tensor in state["network"].items()}
        )
        for optimizer, theirs in zip(optimizers, state["optimizers"], strict=True):
            ours = optimizer.state_dict()
            if [len(g["params"]) for g in ours["param_groups"]] != [
                len(g["params"]) for g in theirs["param_groups"]
            ]:
                raise ValueError("it belongs to another optimizer or network")
            _load_optimizer(optimizer, {**ours, "state": theirs["state"]})
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: the optimizer cannot be continued. {remedy}"
        ) from error
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path}: the optimizer cannot be continued ({reason}). {remedy}"
        ) from error
