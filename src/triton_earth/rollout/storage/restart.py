"""The restart file: all that an interrupted forecast needs to go on with the same bits."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from triton_earth.core.errors import DAMAGE, UserError, first_line
from triton_earth.core.outputs import sealed_tensors
from triton_earth.core.outputs.files import write_bytes

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
        """Write the restart file; it is replaced as a whole, and tells whether it is what was written."""
        position = {
            "identity": self.identity,
            "batch": self.batch,
            "step": self.step,
            "trips": self.trips,
        }
        write_bytes(folder / NAME, sealed_tensors.to_bytes(self.tensors, json.dumps(position)))

    @classmethod
    def read(cls, folder: Path) -> "Restart":
        """Read the restart file.

        Raises:
            UserError: if it is damaged.
        """
        path = folder / NAME
        try:
            tensors, text = sealed_tensors.from_bytes(path.read_bytes())
            return cls(**json.loads(text), tensors=tensors)
        except (*DAMAGE, safetensors.SafetensorError) as error:
            raise UserError(
                f"{path} cannot be used ({first_line(error)}): the restart file is damaged."
            ) from error

    def before(self, batch: int, first_row: int, members: int) -> "Restart":
        """Return where the forecast was before an earlier batch was begun.

        Args:
            batch: Number of that batch.
            first_row: Its first row, counted over initial conditions and members.
            members: Members of each initial condition.
        """
        kept = [
            trip
            for trip in self.trips
            if trip["init"] * members + (trip["member"] or 0) < first_row
        ]
        return Restart(self.identity, batch, trips=kept)


class Pace:
    """Says when the next restart file is due, so that writing them takes at most `COST` of the time."""

    def __init__(self) -> None:
        """Start the clock."""
        self._last, self._took = time.monotonic(), 0.0

    def due(self) -> bool:
        """Whether enough time has gone by since the last file."""
        return time.monotonic() - self._last >= self._took / COST

    def write(self, save: Callable[[], None]) -> None:
        """Write a restart file and note how long it took."""
        began = time.monotonic()
        save()
        self._last = time.monotonic()
        self._took = self._last - began
