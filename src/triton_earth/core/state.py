"""State: fields in physical units together with what they are, where they are and when they are valid."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.variables import Variables

ValidTimes = Shaped[np.ndarray, "batch time"]
"""Times as datetime64 or, for model time without a calendar, as float64."""


@dataclass(frozen=True)
class State:
    """Fields at one or several times.

    Attributes:
        data: Fields in physical units; NaN only where the valid mask is false.
        variables: What each channel is.
        grid: Where the cells are.
        valid_times: When each field is valid.
        valid_mask: True where a channel is defined; None where every channel is defined everywhere.
    """

    data: Float[Tensor, "batch time channel y x"]
    variables: Variables
    grid: Grid
    valid_times: ValidTimes
    valid_mask: Bool[Tensor, "channel y x"] | None = None

    def __post_init__(self) -> None:
        batch, time, channels, *shape = self.data.shape
        if channels != len(self.variables):
            raise ValueError(
                f"the tensor has {channels} channels but {len(self.variables)} variables are named: "
                f"{self.variables.names}."
            )
        if tuple(shape) != self.grid.shape:
            raise ValueError(f"the tensor's fields are {tuple(shape)} but the grid is {self.grid}.")
        if self.valid_times.shape != (batch, time):
            raise ValueError(
                f"expected valid times of shape {(batch, time)}, found {self.valid_times.shape}."
            )

    def select(self, names: Iterable[str]) -> "State":
        """Return the state of the named variables, in the order of `names`.

        Raises:
            UserError: if one is missing; the message names both sets.
        """
        names = list(names)
        if names == self.variables.names:
            return self
        indices = self.variables.indices(names)
        return replace(
            self,
            data=self.data[:, :, indices],
            variables=self.variables.select(names),
            valid_mask=None if self.valid_mask is None else self.valid_mask[indices],
        )

    def last(self, times: int) -> "State":
        """Return the newest `times` times."""
        return self.at(slice(self.data.shape[1] - times, None))

    def at(self, times: slice) -> "State":
        """Return the times in a slice of the time axis."""
        return replace(self, data=self.data[:, times], valid_times=self.valid_times[:, times])

    def append(self, newer: "State") -> "State":
        """Return this state followed in time by the same variables of a newer one."""
        newer = newer.select(self.variables.names)
        return replace(
            self,
            data=torch.cat([self.data, newer.data], dim=1),
            valid_times=np.concatenate([self.valid_times, newer.valid_times], axis=1),
        )

    def masked(self) -> "State":
        """Return the state with NaN in every cell where its variable is not defined."""
        if self.valid_mask is None:
            return self
        return replace(self, data=torch.where(self.valid_mask, self.data, torch.nan))

    def to(self, device: torch.device | str) -> "State":
        """Return the state on another device; from pinned memory it goes there while the caller goes on."""
        mask = None if self.valid_mask is None else self.valid_mask.to(device)
        data = self.data.to(device, non_blocking=self.data.is_pinned())
        return replace(self, data=data, valid_mask=mask)

    def pinned(self) -> "State":
        """Return the state in memory that a GPU can fetch by itself."""
        return replace(self, data=self.data.pin_memory())

    def require_finite(self, what: str) -> None:
        """Refuse values that are not finite in cells where their variable is defined.

        Args:
            what: What this state is, for the message.

        Raises:
            UserError: naming the variable, time and cell of the first such value and how many there are.
        """
        bad = ~torch.isfinite(self.data)
        if self.valid_mask is not None:
            bad &= self.valid_mask
        count = int(bad.sum())
        if count == 0:
            return
        batch, time, channel, y, x = (int(index) for index in torch.nonzero(bad)[0])
        raise UserError(
            f"{what} holds {count} values that are not finite, the first in "
            f"'{self.variables.names[channel]}' at time {self.valid_times[batch, time]}, cell ({y}, {x}). "
            "Repair the data, or mark those cells as undefined in the valid mask."
        )
