"""What of a rollout is stored: which variables, levels, leads and region, fields or statistics of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError, nearest
from triton_earth.core.grid import Grid
from triton_earth.core.region import Cut, Region
from triton_earth.core.state import State
from triton_earth.core.variables import Variables
from triton_earth.data.sources.names import name_among
from triton_earth.rollout.monthly_means import MONTH, Month

STATISTICS = ("mean", "variance", "minimum", "maximum")
"""What is stored of each field where no fields are: area mean and variance, smallest and largest value."""


MOST_STEPS = 10_000_000
"""Steps of a forecast, 6800 years of six hours: each of them is in memory by its number at least."""


class OutputConfig(StrictConfig):
    """What is asked to be stored.

    Attributes:
        variables: Names, or patterns such as ``temperature_*``; None: all that are predicted.
        levels: Levels of those that have one; None: all.
        leads: Steps, as ``1,5,10`` or ``FIRST..LAST/EVERY``; None: all.
        region: SOUTH:NORTH,WEST:EAST in degrees; None: everywhere.
        statistics_only: Store `STATISTICS` of each field in place of the field.
        mean_and_spread: Store mean and standard deviation over the members too.
        every: ``month`` stores means over calendar months in place of single steps; None: single steps.
    """

    variables: tuple[str, ...] | None = None
    levels: tuple[float, ...] | None = None
    leads: str | None = None
    region: str | None = None
    statistics_only: bool = False
    mean_and_spread: bool = False
    every: Literal["month"] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values by which a forecast that is gone on with is known again."""
        return self.model_dump(mode="json", exclude={"every"} if self.every is None else None)

    def build(
        self,
        predicted: Variables,
        grid: Grid,
        steps: int,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
    ) -> "Output":
        """Find out what that is for a model; which months there are is found out later.

        Args:
            predicted: What the model predicts.
            grid: Where.
            steps: Steps of the forecast.
            valid_mask: Where each predicted variable is defined; None: everywhere.

        Raises:
            UserError: if there is no such variable, level, lead or region.
        """
        if self.every is not None and (self.leads is not None or self.statistics_only):
            raise UserError(
                f"--every {MONTH} stores a mean of the fields of every step of a month; leave out --leads and "
                "--statistics-only."
            )
        variables = _at_levels(_named(predicted, self.variables), self.levels)
        leads = tuple(range(1, steps + 1)) if self.leads is None else parse_leads(self.leads, steps)
        cut = None if self.region is None else Region.parse(self.region).cut(grid)
        weights = grid.cell_area_weights
        if valid_mask is not None:
            weights = np.where(valid_mask[predicted.indices(variables.names)], weights, 0.0)
        if cut is not None:
            weights = weights[..., cut.rows[:, None], cut.columns]
        weights = np.broadcast_to(weights, (len(variables), *weights.shape[-2:]))
        return Output(
            variables,
            grid if cut is None else cut.grid,
            cut,
            leads,
            weights,
            self.statistics_only,
            self.mean_and_spread,
        )


@dataclass(frozen=True)
class Output:
    """What of the states of a rollout is stored.

    Attributes:
        variables: Which variables.
        grid: On which cells.
        cut: Where these are in the model's grid; None: all of it.
        leads: At which steps, ascending; the first step is 1.
        weights: Cell areas; zero where a variable is not defined.
        statistics_only: Statistics in place of fields.
        mean_and_spread: Mean and standard deviation over members too.
        months: Calendar months whose means are stored at their last steps, the leads; none for single steps.
    """

    variables: Variables
    grid: Grid
    cut: Cut | None
    leads: tuple[int, ...]
    weights: Float64[np.ndarray, "channel y x"]
    statistics_only: bool = False
    mean_and_spread: bool = False
    months: tuple[Month, ...] = ()

    def fields(self, state: State) -> Float32[np.ndarray, "row channel y x"]:
        """Return the chosen variables of a state [row, 1, channel, y, x] on the chosen cells."""
        data = state.select(self.variables.names).data[:, 0].float().cpu()
        if self.cut is None:
            return data.numpy()
        rows, columns = torch.from_numpy(self.cut.rows), torch.from_numpy(self.cut.columns)
        return data[..., rows[:, None], columns].numpy()

    def statistics(
        self, fields: Float32[np.ndarray, "row channel y x"]
    ) -> Float[np.ndarray, "row channel statistic"]:
        """Return `STATISTICS` of each field over the cells where its variable is defined.

        mean = Σ w f / Σ w,      variance = Σ w (f − mean)² / Σ w,      w cell areas
        """
        weights, there = self.weights, self.weights > 0
        kept = np.where(there, fields, 0.0).astype(np.float64)
        total = weights.sum(axis=(-2, -1))
        with np.errstate(invalid="ignore", over="ignore"):  # a forecast that is not finite
            mean = (weights * kept).sum(axis=(-2, -1)) / total
            anomaly = kept - mean[..., None, None]
            variance = (weights * anomaly**2).sum(axis=(-2, -1)) / total
            least = np.where(there, fields, np.inf).min(axis=(-2, -1))
            most = np.where(there, fields, -np.inf).max(axis=(-2, -1))
        return np.stack([mean, variance, least, most], axis=-1)


def parse_leads(text: str, steps: int) -> tuple[int, ...]:
    """Read leads, ``1,5,10`` or ``FIRST..LAST`` or ``FIRST..LAST/EVERY``.

    Args:
        text: What the user wrote.
        steps: Steps of the forecast.

    Raises:
        UserError: if it has another form, or a lead is not one of 1 … steps.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+)(?:/(\d+))?)?\s*", part)
        if found is None or found[3] == "0":
            raise UserError(
                f"leads '{text}': expected numbers of steps as 1,5,10 or FIRST..LAST/EVERY; found '{part}'."
            )
        if len(part) > 60:
            raise UserError(
                f"leads: '{part[:60]}...' has too many digits; a forecast has {steps} steps."
            )
        first, last = int(found[1]), int(found[2] or found[1])
        wanted = range(first, last + 1, int(found[3] or 1))
        if wanted and wanted[-1] > steps:  # before a range of them is in memory
            beyond = next(lead for lead in wanted if lead > steps)
            raise UserError(
                f"leads '{text[:200]}': expected steps of the forecast, 1 to {steps}; found {beyond}. Change --leads "
                "or --steps."
            )
        chosen.update(wanted)
    outside = sorted(lead for lead in chosen if not 1 <= lead <= steps)
    if outside or not chosen:
        raise UserError(
            f"leads '{text}': expected steps of the forecast, 1 to {steps}; found "
            f"{outside[0] if outside else 'none'}. Change --leads or --steps."
        )
    return tuple(sorted(chosen))


def _named(predicted: Variables, patterns: Sequence[str] | None) -> Variables:
    if patterns is None:
        return predicted
    patterns = [name_among(pattern, predicted.names) for pattern in patterns]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in predicted.names):
            raise UserError(
                f"--variables: the model predicts no '{pattern}'; {nearest(pattern, predicted.names)}"
            )
    return predicted.select(
        name for name in predicted.names if any(fnmatchcase(name, pattern) for pattern in patterns)
    )


def _at_levels(variables: Variables, levels: Sequence[float] | None) -> Variables:
    if levels is None:
        return variables
    there = sorted({variable.level for variable in variables if variable.level is not None})
    absent = [f"{level:g}" for level in levels if level not in there]
    if absent:
        raise UserError(
            f"--levels: no variable has level {', '.join(absent)}; there are "
            f"{', '.join(f'{level:g}' for level in there) or 'none'}."
        )
    return Variables(tuple(one for one in variables if one.level is None or one.level in levels))
