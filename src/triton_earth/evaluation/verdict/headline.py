"""The headline: one small table of scores to quote, with intervals, units, period and number of starts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    interval,
    number,
    one_variable,
    units_of,
    variable_names,
    variable_title,
    with_units,
)
from triton_earth.evaluation.verdict.scored_period import scored_period

MOST_VARIABLES = 4
"""Variables that the table shows at most."""

WEATHER = ("geopotential_500", "temperature_850", "2m_temperature", "mean_sea_level_pressure")
"""Variables that come first where there are more than that: the headline variables of WeatherBench."""

SCORES = {"rmse": "RMSE", "acc": "ACC"}
_WITHOUT_CLIMATOLOGY = {"rmse": "RMSE", "correlation": "Correlation"}


@dataclass(frozen=True)
class Estimate:
    """A score at one lead.

    Attributes:
        value: The score.
        lower: Lower end of its 95 % interval, NaN where there is none.
        upper: Upper end.
    """

    value: float
    lower: float = np.nan
    upper: float = np.nan

    @property
    def number(self) -> str:
        """The value in words."""
        return number(self.value)

    @property
    def bounds(self) -> str:
        """The interval in words; nothing where there is none."""
        return interval(self.lower, self.upper)

    def __str__(self) -> str:
        return self.number + (f" [{self.bounds}]" if self.bounds else "")


@dataclass(frozen=True)
class Row:
    """A forecast of one variable.

    Attributes:
        variable: Name of the variable.
        title: The variable in words with its units.
        forecast: Name of the forecast.
        estimates: A score at a lead for each column.
    """

    variable: str
    title: str
    forecast: str
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Headline:
    """The table.

    Attributes:
        caption: What is scored, in sentences.
        columns: Score and lead of each column.
        rows: Models and baselines, variable by variable.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def markdown(self) -> str:
        """Return the table in Markdown, its caption below it."""
        lines = [("Variable", "Forecast", *self.columns), ("---",) * (2 + len(self.columns))]
        lines += [(row.title, row.forecast, *map(str, row.estimates)) for row in self.rows]
        cells = ([text.replace("|", r"\|") for text in line] for line in lines)
        return "\n".join([*(f"| {' | '.join(line)} |" for line in cells), "", self.caption])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is not finite is None."""

        def plain(value: float) -> float | None:
            return value if np.isfinite(value) else None

        rows = [
            {
                "variable": row.variable,
                "title": row.title,
                "forecast": row.forecast,
                **{
                    key: [plain(getattr(one, key)) for one in row.estimates]
                    for key in ("value", "lower", "upper")
                },
            }
            for row in self.rows
        ]
        return {
            "caption": self.caption,
            "columns": list(self.columns),
            "rows": rows,
            "markdown": self.markdown(),
        }


def headline_variables(scores: xr.Dataset) -> list[str]:
    """Return the variables that are quoted: the first few, of many those of `WEATHER` before others."""
    names = variable_names(scores)
    if len(names) > MOST_VARIABLES:
        first = [name for name in WEATHER if name in names]
        names = [*first, *(name for name in names if name not in first)]
    return names[:MOST_VARIABLES]


def headline_scores(scores: xr.Dataset) -> dict[str, str]:
    """Return the scores that are quoted, with their titles: RMSE, and ACC or, without climatology, the correlation."""
    wanted = SCORES if "acc" in scores else _WITHOUT_CLIMATOLOGY
    return {name: title for name, title in wanted.items() if name in scores}


def headline(scores: xr.Dataset) -> Headline:
    """Return the table of the scores that are quoted, at the leads worth showing.

    Args:
        scores: Scores as evaluation gives them, (forecast, variable, lead_time), with their intervals.
    """
    leads, names = lead_times(scores["lead_time"]), headline_scores(scores)
    shown = leads.chosen()
    rows = []
    for variable in headline_variables(scores):
        units = units_of(one_variable(scores[next(iter(names))], variable)) if names else ""
        title = with_units(variable_title(scores, variable), units)
        for forecast in map(str, scores["forecast"].values):
            where = {"forecast": forecast, "variable": variable}
            found = (estimate(scores, name, lead, where) for name in names for lead in shown)
            rows.append(Row(variable, title, forecast, tuple(found)))
    hidden = scores.sizes["variable"] - len(headline_variables(scores))
    sentences = [
        *scored_period(scores),
        f"{leads.summary[:1].upper()}{leads.summary[1:]}.",
        *([f"Region: {scores.attrs['region']}."] if "region" in scores.attrs else []),
        f"In brackets: {scores.attrs.get('interval', '95 % interval')}.",
        *([f"{hidden} more variables are in the score files."] if hidden else []),
    ]
    columns = tuple(f"{title}, {leads.brief(lead)}" for title in names.values() for lead in shown)
    return Headline(" ".join(sentences), columns, tuple(rows))


def estimate(scores: xr.Dataset, name: str, lead: int, where: dict[str, str]) -> Estimate:
    """Return a score with its interval, if it has one.

    Args:
        scores: The scores.
        name: Which.
        lead: Index of the lead.
        where: What to select of its other dimensions.
    """
    at = scores[[one for one in (name, f"{name}_interval") if one in scores]]
    at = at.sel(where).isel(lead_time=lead)
    value = float(at[name])
    if f"{name}_interval" not in at:
        return Estimate(value)
    lower, upper = (float(at[f"{name}_interval"].sel(bound=end)) for end in ("lower", "upper"))
    return Estimate(value, lower, upper)
