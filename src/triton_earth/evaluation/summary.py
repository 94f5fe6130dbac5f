"""The scores in a few lines of text, as the command line shows them."""

import xarray as xr

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import interval, number
from triton_earth.evaluation.verdict import remarks, verdict

_SCORES = {"rmse": "RMSE", "relative_l2": "relative L2", "correlation": "correlation"}


def summary(scores: xr.Dataset) -> list[str]:
    """Return a table of scores at the leads worth showing, what its intervals are, and the verdict on each model."""
    table = [("variable", "lead", "forecast", "cases", *_SCORES.values()), *_rows(scores)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(f"{text:{width}s}" for text, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    lines.append(f"[95 % intervals: {scores.attrs['interval']}]")
    lines += [f"[{remark}]" for remark in remarks(scores)]
    lines += [f"- {finding.text}" for findings in verdict(scores).values() for finding in findings]
    return lines


def _rows(scores: xr.Dataset) -> list[tuple[str, ...]]:
    """Return a row for each variable, lead and forecast."""
    leads = lead_times(scores["lead_time"])
    rows = []
    for variable in map(str, scores["variable"].values):
        for index in leads.chosen():
            cases = str(int(scores["initial_conditions"][index]))
            for forecast in map(str, scores["forecast"].values):
                where = {"forecast": forecast, "variable": variable}
                at = scores.sel(where).isel(lead_time=index)
                cells = (_estimate(at, name) for name in _SCORES)
                rows.append((variable, str(leads.steps[index]), forecast, cases, *cells))
    return rows


def _estimate(scores: xr.Dataset, name: str) -> str:
    """Return a value with its interval, if it has one."""
    lower, upper = (float(scores[f"{name}_interval"].sel(bound=end)) for end in ("lower", "upper"))
    bounds = interval(lower, upper)
    return number(float(scores[name])) + (f" [{bounds}]" if bounds else "")
