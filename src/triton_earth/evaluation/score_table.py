"""A small table of scores at a few lead times, for the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

LEADS = (1, 25, 50, 99)
"""Leads of the table unless others are asked for; the last evaluated one is always in it."""


@dataclass(frozen=True)
class Estimate:
    """A score and the ends of its 95 % interval, NaN where there is none."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        if np.isnan(self.lower) or np.isnan(self.upper):
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.lower:.3g}, {self.upper:.3g}]"


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one forecast, variable and lead.

    Attributes:
        forecast: Name of the forecast.
        variable: Name of the variable.
        lead: Number of the lead; the first step is 1.
        initial_conditions: How many were scored.
        rmse: Root mean square error, in the variable's units.
        relative_l2: Relative L2 error.
        correlation: Pattern correlation.
    """

    forecast: str
    variable: str
    lead: int
    initial_conditions: int
    rmse: Estimate
    relative_l2: Estimate
    correlation: Estimate


def score_rows(scores: xr.Dataset, leads: Sequence[int] = LEADS) -> list[ScoreRow]:
    """Return the scores at some leads, ordered by variable, lead and forecast.

    Args:
        scores: What `evaluate_forecast` gave.
        leads: Numbers of the leads wanted; those that were not evaluated are left out, the last one that was is added.

    Returns:
        One row for each.
    """
    evaluated = [int(lead) for lead in scores["lead"].values]
    wanted = sorted({lead for lead in leads if lead in evaluated} | {evaluated[-1]})
    return [
        ScoreRow(
            forecast,
            variable,
            lead,
            int(scores["initial_conditions"][evaluated.index(lead)]),
            *(
                _estimate(
                    scores,
                    name,
                    {"forecast": forecast, "variable": variable},
                    evaluated.index(lead),
                )
                for name in ("rmse", "relative_l2", "correlation")
            ),
        )
        for variable in map(str, scores["variable"].values)
        for lead in wanted
        for forecast in map(str, scores["forecast"].values)
    ]


def _estimate(scores: xr.Dataset, name: str, where: dict[str, Any], position: int) -> Estimate:
    value = scores[name].sel(where).isel(lead_time=position)
    lower, upper = scores[f"{name}_interval"].sel(where).isel(lead_time=position).values
    return Estimate(float(value), float(lower), float(upper))
