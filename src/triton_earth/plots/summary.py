"""The scores in a few lines of text, as the command line shows them."""

import xarray as xr

from triton_earth.evaluation.score_table import score_rows
from triton_earth.plots.verdict import models, remarks, verdict

_HEADING = ("variable", "lead", "forecast", "cases", "RMSE", "relative L2", "correlation")


def summary(scores: xr.Dataset) -> list[str]:
    """Return the score table, what its intervals are, and the verdict on each model."""
    rows = [
        (
            row.variable,
            str(row.lead),
            row.forecast,
            str(row.initial_conditions),
            str(row.rmse),
            str(row.relative_l2),
            str(row.correlation),
        )
        for row in score_rows(scores)
    ]
    table = [_HEADING, *rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADING))]
    lines = [
        "  ".join(f"{text:{width}s}" for text, width in zip(line, widths, strict=True))
        for line in table
    ]
    lines.append(f"[95 % intervals: {scores.attrs['interval']}]")
    lines += [f"[{remark}]" for remark in remarks(scores)]
    lines += [f"- {finding.text}" for name in models(scores) for finding in verdict(scores, name)]
    return lines
