"""Tables of the report as HTML: scores at chosen leads, and what each score means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from markupsafe import Markup

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    axis_title,
    interval,
    number,
    one_variable,
)
from triton_earth.evaluation.verdict.predictability import is_relative
from triton_earth.plots.page import Cell, table

SCORES = ("rmse", "relative_l2", "correlation", "acc", "ssim", "bias")
"""Scores that the table has columns for; the curves show more."""

RELATIVE = "relative_l2"
"""The error that is relative to the size of the truth."""


def score_table(scores: xr.Dataset, variable: str) -> Markup:
    """Return the scores of one variable at chosen leads, every forecast, intervals below the values.

    Args:
        scores: Scores of shape (forecast, variable, lead_time), intervals with a last dimension `bound`.
        variable: Which variable.

    Returns:
        HTML of one table.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    names = [name for name in SCORES if name in scores]
    names = [name for name in names if name != RELATIVE or is_relative(scores, variable)]
    columns = [
        Column(axis_title(one_variable(scores[name], variable)), name, {"variable": variable})
        for name in names
    ]
    return lead_table(scores, columns)


@dataclass(frozen=True)
class Column:
    """A column of a table of scores.

    Attributes:
        heading: What stands above it, plain text.
        score: Name of the score, with the dimensions `forecast` and `lead_time` once `where` is selected.
        where: What to select of its other dimensions.
        mark: What stands before the value of a forecast at the number of a lead, and the class of that cell.
    """

    heading: str
    score: str
    where: dict[str, str]
    mark: Callable[[str, int], tuple[str, str]] | None = None


def lead_table(scores: xr.Dataset, columns: Sequence[Column]) -> Markup:
    """Return scores at chosen leads, every forecast, intervals below the values, as HTML of one table.

    Args:
        scores: The scores, intervals with a last dimension `bound`.
        columns: What the columns are.
    """
    leads = lead_times(scores["lead_time"])
    forecasts = [str(name) for name in scores["forecast"].values]
    entries = [_Entries.of(scores, column) for column in columns]
    rows = []
    for index in leads.chosen():
        lead, _, length = leads.title(index).partition(" · ")
        step = Cell(lead, length, "", "rowgroup", len(forecasts))
        for order, forecast in enumerate(forecasts):
            cells = [
                _cell(column, entry, order, forecast, index)
                for column, entry in zip(columns, entries, strict=True)
            ]
            rows.append([*([step] if order == 0 else []), Cell(forecast, scope="row"), *cells])
    return table("scores", ["Lead", "Forecast", *(column.heading for column in columns)], rows)


@dataclass(frozen=True)
class _Entries:
    """What stands in a column: values (forecast, lead_time), and intervals (forecast, lead_time, bound) or None."""

    values: np.ndarray
    bounds: np.ndarray | None

    @classmethod
    def of(cls, scores: xr.Dataset, column: Column) -> "_Entries":
        order = ("forecast", "lead_time")
        values = scores[column.score].sel(column.where).transpose(*order).values
        if f"{column.score}_interval" not in scores:
            return cls(values, None)
        chosen = {**column.where, "bound": ["lower", "upper"]}
        bounds = scores[f"{column.score}_interval"].sel(chosen).transpose(*order, "bound")
        return cls(values, np.asarray(bounds.values, dtype=np.float64))


def _cell(column: Column, entries: _Entries, order: int, forecast: str, index: int) -> Cell:
    value = number(float(entries.values[order, index]))
    words = ""
    if entries.bounds is not None:
        lower, upper = entries.bounds[order, index]
        words = interval(float(lower), float(upper))
    sign, kind = ("", "") if column.mark is None else column.mark(forecast, index)
    return Cell(f"{sign} {value}".lstrip(), words, kind)
