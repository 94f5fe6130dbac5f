"""The scores in a few lines of text, as the command line shows them."""

import xarray as xr

from triton_earth.core.lead_times import lead_times
from triton_earth.evaluation.remarks import remarks
from triton_earth.evaluation.verdict.headline import (
    estimate,
    headline_scores,
    headline_variables,
)
from triton_earth.evaluation.verdict.scored_period import scored_period
from triton_earth.evaluation.verdict.verdict import verdict


def summary(scores: xr.Dataset) -> list[str]:
    """Return a table of scores at the leads worth showing, what it is of, and the verdict on each model."""
    heading = ("variable", "lead", "forecast", "cases", *headline_scores(scores).values())
    table = [heading, *_rows(scores)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(f"{text:{width}s}" for text, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    lines += [f"[{sentence}]" for sentence in scored_period(scores)]
    lines.append(f"[95 % intervals: {scores.attrs['interval']}]")
    lines += [f"[{remark}]" for remark in remarks(scores)]
    judged = verdict(scores)
    for name, findings in judged.items():
        lines += [f"{name}:"] if len(judged) > 1 else []
        lines += [f"- {finding.text}" for finding in findings]
    return lines


def _rows(scores: xr.Dataset) -> list[tuple[str, ...]]:
    """Return a row for each variable, lead and forecast."""
    leads = lead_times(scores["lead_time"])
    rows = []
    for variable in headline_variables(scores):
        for lead in leads.chosen():
            cases = str(int(scores["initial_conditions"][lead]))
            for forecast in map(str, scores["forecast"].values):
                where = {"forecast": forecast, "variable": variable}
                cells = (
                    str(estimate(scores, name, lead, where)) for name in headline_scores(scores)
                )
                rows.append((variable, leads.brief(lead), forecast, cases, *cells))
    return rows
