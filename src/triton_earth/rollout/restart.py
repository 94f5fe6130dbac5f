"""The restart file: all that an interrupted forecast needs to go on with the same bits."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.files import write_bytes

NAME = "restart.safetensors"

COST = 0.05
"""Most of the time that may go into restart files."""


@dataclass(frozen=True)
class Restart:
    """Where a forecast is.

    Attributes:
        identity: What is forecast; plain values.
        batch: Number of the batch that is at work; those before are complete.
        step: Steps of that batch that are complete, a multiple of the model's block.
        trips: What the guard has seen; plain values.
        tensors: The window that the rollout goes on from, and what the guard remembers; empty at step 0.
    """

    identity: dict[str, Any]
    batch: int = 0
    step: int = 0
    trips: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the restart file; it is replaced as a whole."""
        position = {
            "identity": self.identity,
            "batch": self.batch,
            "step": self.step,
            "trips": self.trips,
        }
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.tensors.items()}
        write_bytes(
            folder / NAME,
            safetensors.torch.save(tensors, metadata={"restart": json.dumps(position)}),
        )

    @classmethod
    def read(cls, folder: Path) -> "Restart":
        """Read the restart file.

        Raises:
            UserError: if it is damaged.
        """
        path = folder / NAME
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                position = json.loads(file.metadata()["restart"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls(**position, tensors=tensors)
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            raise UserError(
                f"{path} cannot be read ({error}): the unfinished forecast is damaged; start again with --overwrite."
            ) from error


class Pace:
    """Says when the next restart file is due, so that writing them takes at most `COST` of the time."""

    def __init__(self) -> None:
        """Start the clock."""
        self._last, self._took = time.monotonic(), 0.0

    def due(self) -> bool:
        """Whether enough time has gone by since the last file."""
        return time.monotonic() - self._last >= self._took / COST

    def write(self, restart: Restart, folder: Path) -> None:
        """Write a restart file and note how long it took."""
        began = time.monotonic()
        restart.write(folder)
        self._last = time.monotonic()
        self._took = self._last - began
