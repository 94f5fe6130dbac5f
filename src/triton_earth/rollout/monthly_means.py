"""Means over calendar months, made while states pass: two numbers of each cell are kept, whatever the length."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.time import Duration, describe_time

MONTH = "month"
"""What `forecast --every` can be told."""


@dataclass(frozen=True)
class Month:
    """A calendar month of a forecast.

    Attributes:
        first: The month, as the first of its days.
        last_step: Last step of the forecast that is valid in it; the first step is 1.
        steps: Number of steps that are.
    """

    first: np.datetime64
    last_step: int
    steps: int


def whole_months(init_times: np.ndarray, time_step: Duration, steps: int) -> tuple[Month, ...]:
    """Return the calendar months that a forecast has all steps of, in order.

    A month counts from the first step that is valid in it; one that begins with the initial state or before, or ends
    after the forecast, is left out.

    Args:
        init_times: Initial times, all of them the same.
        time_step: Step of the model.
        steps: Steps of the forecast.

    Raises:
        UserError: if there is no calendar, the initial times differ, or no month is whole.
    """
    if not isinstance(time_step, np.timedelta64) or init_times.dtype.kind != "M":
        raise UserError(
            f"--every {MONTH}: there are calendar months where times are dates, but those of this model are numbers. "
            "Leave it out, or store some --leads."
        )
    different = np.unique(init_times)
    if len(different) > 1:
        raise UserError(
            f"--every {MONTH}: expected one initial time, since the months of other starts end at other leads; found "
            f"{len(different)}, {describe_time(different[0])} to {describe_time(different[-1])}. Choose one with "
            "--init, and make a forecast of each."
        )
    months = (different[0] + np.arange(steps + 2) * time_step).astype("datetime64[M]")
    # Where the month of a step differs from that of the step before; steps + 1 is the first after the end.
    begins = np.flatnonzero(months[1:] != months[:-1]) + 1
    found = tuple(
        Month(np.datetime64(months[first], "D"), int(after) - 1, int(after - first))
        for first, after in pairwise(begins)
    )
    if not found:
        raise UserError(
            f"--every {MONTH}: {steps} steps from {describe_time(different[0])} have no whole calendar month. Take "
            "more --steps, or leave it out."
        )
    return found


class MonthlyMeans:
    """Means over the months of one batch.

        mean = (1/n) Σ f,  of changes by stabilisers the root mean square,  added in double precision step by step

    Attributes:
        months: The months.
    """

    def __init__(self, months: Sequence[Month], memory: dict[str, Tensor]) -> None:
        """Begin, or go on with what `memory` gave.

        Args:
            months: The months, in order.
            memory: What was added up of the month that is at work.
        """
        self.months = tuple(months)
        self._ends = [month.last_step for month in months]
        self._sums = [
            memory[name].numpy().copy() for name in sorted(memory) if name.startswith("means.")
        ]

    def add(
        self,
        step: int,
        values: Sequence[Float32[np.ndarray, "row ..."]],
        changes: Sequence[Float32[np.ndarray, "row ..."]],
    ) -> list[Float32[np.ndarray, "row ..."]] | None:
        """Add a step, and return the means where it is the last of a month.

        Args:
            step: Number of the step; the first is 1.
            values: What is averaged.
            changes: What the root mean square is taken of.
        """
        place = bisect_left(self._ends, step)
        if place == len(self._ends) or step <= self._ends[place] - self.months[place].steps:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            new = [np.asarray(one, np.float64) for one in values]
            new += [np.asarray(one, np.float64) ** 2 for one in changes]
            if self._sums:
                new = [one + other for one, other in zip(self._sums, new, strict=True)]
            self._sums = new
            if step < self._ends[place]:
                return None
            means = [one / self.months[place].steps for one in self._sums]
            self._sums = []
            plain = len(values)
            return [
                (one if number < plain else np.sqrt(one)).astype(np.float32)
                for number, one in enumerate(means)
            ]

    def memory(self) -> dict[str, Tensor]:
        """Return the sums of the present month, for a restart file."""
        return {
            f"means.{number:06d}": torch.from_numpy(one) for number, one in enumerate(self._sums)
        }
