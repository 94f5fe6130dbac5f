"""The cycle of the year and of the day as something to take out of fields, and to put back."""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.state import ValidTimes
from triton_earth.data.statistics.climatology import (
    Climatology,
    harmonic_basis,
    harmonic_mean_squares,
)

KEPT, MOST_NUMBERS = 4, 2**20
"""How many of the fields that were asked for last are kept, if they are no larger."""

_Key = tuple[Any, ...]


@dataclass(frozen=True)
class SeasonalCycle:
    """The climatology c of some variables, which a normaliser subtracts: their anomalies are x(t) − c(t).

    Attributes:
        variables: Names of the variables, in the order of the climatology.
        climatology: c, without missing values: 0 in cells that are not valid.
    """

    variables: tuple[str, ...]
    climatology: Climatology
    _on_device: dict[torch.device, Tensor] = field(default_factory=dict, compare=False, repr=False)
    _last: list[tuple[_Key, Tensor]] = field(default_factory=list, compare=False, repr=False)

    def at(
        self, names: list[str], times: ValidTimes, like: Float[Tensor, "batch time any y x"]
    ) -> Float[Tensor, "batch time channel y x"]:
        """Return c of the named variables at some times, 0 for those that have none; not to be changed in place.

        A step asks for the same few times again and again, so that small fields are kept for a while.

        Args:
            names: Variables wanted, in order.
            times: When, datetime64 or float64 [batch, time].
            like: Whose precision and device it shall have.
        """
        key = (
            *(tuple(names), times.tobytes(), times.dtype.str, times.shape),
            *(like.dtype, like.device, torch.is_inference_mode_enabled()),
        )
        for known, kept in tuple(self._last):
            if known == key:
                return kept
        found = self._at(names, times, like)
        if _has_values(found) and found.numel() <= MOST_NUMBERS:
            self._last[:] = [(key, found), *self._last[: KEPT - 1]]
        return found

    def _at(
        self, names: list[str], times: ValidTimes, like: Float[Tensor, "batch time any y x"]
    ) -> Float[Tensor, "batch time channel y x"]:
        coefficients = self._coefficients(like.device)
        basis = self._basis(times).to(like.device)
        # One time after the other, so that a field has the same bits in any batch; a GPU, whose batches have their own
        # bits anyway, would spend its time on starting so many products.
        flat = coefficients.flatten(1)
        groups = [basis] if like.is_cuda else basis.split(1)
        cycle = torch.cat([rows @ flat for rows in groups])
        cycle = cycle.to(like.dtype).reshape(*times.shape, *coefficients.shape[1:])
        if tuple(names) == self.variables:
            return cycle
        place_of = {name: place for place, name in enumerate(self.variables)}
        known = [place for place, name in enumerate(names) if name in place_of]
        channels = cycle.new_zeros(*cycle.shape[:2], len(names), *cycle.shape[3:])
        channels[:, :, known] = cycle[:, :, [place_of[names[place]] for place in known]]
        return channels

    def mean_and_std(
        self, names: list[str]
    ) -> tuple[Float[Tensor, "channel 1 1"], Float[Tensor, "channel 1 1"]]:
        """Return mean and standard deviation of c over cells and the year, of the named variables; 0 becomes 1."""
        rows = [self.variables.index(name) for name in names]
        coefficients = self.coefficients[:, rows]
        mean = coefficients[0].mean(dim=(-2, -1), keepdim=True)
        # Products of waves have a mean square of 1/2, or 1/4 where both the year's and the day's vary.
        size = harmonic_mean_squares(
            self.climatology.yearly_harmonics, self.climatology.daily_harmonics
        )
        squares = (torch.from_numpy(size)[:, None, None, None] * coefficients.square()).sum(dim=0)
        variance = squares.mean(dim=(-2, -1), keepdim=True) - mean.square()
        std = variance.clamp(min=0.0).sqrt()
        return mean, torch.where(std > 0, std, 1.0)

    @property
    def coefficients(self) -> Float[Tensor, "basis channel y x"]:
        """What is stored of it besides `to_dict`."""
        return torch.from_numpy(self.climatology.coefficients)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the coefficients as plain values for JSON."""
        return {
            "variables": list(self.variables),
            "definition": self.climatology.definition,
            "daily_harmonics": self.climatology.daily_harmonics,
        }

    @classmethod
    def from_dict(
        cls, values: dict[str, Any], coefficients: Float[Tensor, "basis channel y x"]
    ) -> "SeasonalCycle":
        """Read back what `to_dict` and `coefficients` gave."""
        climatology = Climatology(
            coefficients.numpy(), values["definition"], values["daily_harmonics"]
        )
        return cls(tuple(values["variables"]), climatology)

    def _basis(self, times: ValidTimes) -> Float[Tensor, "row basis"]:
        harmonics = self.climatology.yearly_harmonics, self.climatology.daily_harmonics
        return torch.from_numpy(harmonic_basis(times.ravel(), *harmonics))

    def _coefficients(self, device: torch.device) -> Float[Tensor, "basis channel y x"]:
        if device in self._on_device:
            return self._on_device[device]
        found = self.coefficients.to(device)
        if _has_values(found):
            self._on_device[device] = found
        return found


def _has_values(tensor: Tensor) -> bool:
    """Return whether a tensor is one, and not what a program that is being recorded or counted has in its place."""
    return type(tensor) is Tensor and not torch.compiler.is_compiling()
