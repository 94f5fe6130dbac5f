"""The first screen: the scores to quote, and the verdict on each model."""

from collections.abc import Mapping, Sequence

import xarray as xr
from markupsafe import Markup

from triton_earth.evaluation.remarks import remarks
from triton_earth.evaluation.verdict.finding import PARTS, Finding, Part
from triton_earth.evaluation.verdict.headline import headline
from triton_earth.evaluation.verdict.verdict import verdict
from triton_earth.plots.page import Cell, Section, heading, paragraph, render, table, together

TITLES: dict[Part, str] = {"values": "Values", "skill": "Skill", "climate": "Climate"}
"""The parts of a verdict in words."""

SIGNS = {"good": "✓", "bad": "✗", "note": "•"}
"""What stands before an answer."""


def headline_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section with the table to quote, which folds out as Markdown too."""
    found = headline(scores)
    if not found.rows or not found.columns:
        return []
    count = sum(row.variable == found.rows[0].variable for row in found.rows)
    rows = []
    for number, row in enumerate(found.rows):
        head = [Cell(row.title, scope="rowgroup", rowspan=count)] if number % count == 0 else []
        cells = [Cell(one.number, one.bounds) for one in row.estimates]
        rows.append([*head, Cell(row.forecast, scope="row"), *cells])
    body = table("scores", ["Variable", "Forecast", *found.columns], rows)
    body += paragraph(found.caption)
    code = Markup("<pre>{}</pre>").format(found.markdown())
    return [
        Section(
            "Scores to quote", body + render("folded.html", title="as Markdown, to copy", body=code)
        ),
    ]


def verdict_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that says what the scores mean, for each model under its name."""
    judged = verdict(scores)
    parts = []
    for name, findings in judged.items():
        if len(judged) > 1:
            parts.append(heading(name))
        parts.append(findings_table(findings))
    return [Section("Verdict", together([*parts, *map(paragraph, remarks(scores))]))]


def findings_table(findings: Sequence[Finding]) -> Markup:
    """Return findings as HTML of one table, part by part."""
    rows = []
    for part in PARTS:
        own = [finding for finding in findings if finding.part == part]
        for number, finding in enumerate(own):
            head = [Cell(TITLES[part], scope="rowgroup", rowspan=len(own))] if not number else []
            answer = Cell(f"{SIGNS[finding.kind]} {finding.answer}", kind=finding.kind)
            rows.append([*head, Cell(finding.question), answer, Cell(finding.details)])
    return table("verdict", ["", "Question", "Answer", "Numbers"], rows)
