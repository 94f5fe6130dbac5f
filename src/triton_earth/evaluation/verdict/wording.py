"""Numbers, intervals and horizons of scores in the words of the verdict."""

import numpy as np
import xarray as xr

from triton_earth.core.lead_times import LeadTimes
from triton_earth.core.wording import interval, number, variable_names, variable_words

MOST_NAMED = 4
"""Variables that are spoken of by name; of more than these they are counted."""


def said(value: float) -> str:
    """Return a number in words."""
    return "undefined" if np.isnan(value) else number(value)


def bracketed(scores: xr.Dataset, name: str, where: dict[str, str], lead: int = -1) -> str:
    """Return the interval of a score at one lead, `` [0.1 to 0.2]``; nothing where there is none."""
    if f"{name}_interval" not in scores:
        return ""
    bounds = scores[f"{name}_interval"].sel(where).isel(lead_time=lead)
    words = interval(*(float(bounds.sel(bound=bound)) for bound in ("lower", "upper")))
    return f" [{words}]" if words else ""


def horizon(scores: xr.Dataset, name: str, forecast: str, leads: LeadTimes) -> str:
    """Return a horizon (a step) as a lead with its interval, or nothing where it was not reached."""
    if name not in scores:
        return ""
    value = float(scores[name].sel(forecast=forecast))
    if not np.isfinite(value):
        return ""
    words = leads.of_step(value)
    if f"{name}_interval" not in scores:
        return words
    bounds = scores[f"{name}_interval"].sel(forecast=forecast)
    lower, upper = (float(bounds.sel(bound=bound)) for bound in ("lower", "upper"))
    if not np.isfinite(lower):
        return words
    end = leads.length(upper) if np.isfinite(upper) else "beyond the end"
    return f"{words} [{leads.length(lower)} to {end}]"


def by_variable(scores: xr.Dataset, name: str, forecast: str, leads: LeadTimes) -> str:
    """Return in a sentence which of several variables reaches a horizon first, and where the others do."""
    if scores.sizes["variable"] < 2 or f"{name}_variable" not in scores:
        return ""
    worst = variable_words(scores, text(scores, f"{name}_variable", forecast))
    if scores.sizes["variable"] > MOST_NAMED:
        return f"First {worst}."
    reached = scores[f"{name}_by_variable"].sel(forecast=forecast)
    parts = []
    for variable in variable_names(scores):
        value = float(reached.sel(variable=variable))
        words = leads.of_step(value) if np.isfinite(value) else "not reached"
        parts.append(f"{variable_words(scores, variable)}: {words}")
    return f"First {worst}; {', '.join(parts)}."


def text(scores: xr.Dataset, name: str, forecast: str) -> str:
    """Return a score that is a text; nothing where it is not there."""
    return str(scores[name].sel(forecast=forecast).values) if name in scores else ""
