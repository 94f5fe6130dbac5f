"""The verdict of the scores, as HTML."""

from collections.abc import Mapping

import xarray as xr

from triton_earth.evaluation.verdict import remarks, verdict
from triton_earth.plots.page import Section, heading, paragraph, render, together


def verdict_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that says what the scores mean, for each model."""
    judged = verdict(scores)
    parts = []
    for name, findings in judged.items():
        if len(judged) > 1:
            parts.append(heading(name))
        parts.append(render("findings.html", findings=findings))
    return [Section("Verdict", together([*parts, *map(paragraph, remarks(scores))]))]
