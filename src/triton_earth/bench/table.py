"""The table of a bench as Markdown, HTML and JSON."""

import math
from typing import Any

import numpy as np
from markupsafe import Markup

from triton_earth.bench.errors import LONG_NAMES
from triton_earth.bench.results import Results, Row
from triton_earth.plots.page import Cell, heading, paragraph, table, together

ABSENT = "–"


def markdown(results: Results) -> str:
    """Return the whole table as Markdown."""
    parts = [f"# {results.title}", "", *_said(results), ""]
    for title, (columns, rows) in _tables(results).items():
        parts += [f"## {title}", "", _line(columns), _line(["---"] * len(columns))]
        parts += [*(_line(row) for row in rows), ""]
    return "\n".join(parts)


def html(results: Results) -> Markup:
    """Return the whole table as HTML."""
    parts = [paragraph(sentence) for sentence in _said(results)]
    for title, (columns, rows) in _tables(results).items():
        cells = [[Cell(row[0], scope="row"), *(Cell(cell) for cell in row[1:])] for row in rows]
        parts += [heading(title), table("scores", columns, cells)]
    return together(parts)


def as_json(results: Results) -> dict[str, Any]:
    """Return all numbers as plain values for strict JSON; what is not finite is null."""
    return {
        "title": results.title,
        "budget": results.budget,
        "error": LONG_NAMES[results.kind],
        "leads": results.leads,
        "forecasts": results.trajectories,
        "rows": [
            {
                "name": row.name,
                **({} if row.cost is None else {"cost_of_a_step": vars(row.cost)}),
                **row.known,
                "seeds": row.runs,
                "failures": {str(seed): reason for seed, reason in row.failures.items()},
                **row.means,
                **(
                    {}
                    if row.summary is None
                    else {name: _plain(value) for name, value in vars(row.summary).items()}
                ),
            }
            for row in results.rows
        ],
    }


def _said(results: Results) -> list[str]:
    return [
        f"Budget of a run: {results.budget}, the search of the learning rate apart. Errors: "
        f"{LONG_NAMES[results.kind]}, means over all seeds and {results.trajectories} forecasts with 95 % intervals of "
        "the bootstrap over both; the worst seed in round brackets."
    ]


def _tables(results: Results) -> dict[str, tuple[list[str], list[list[str]]]]:
    leads = [f"lead {lead}" for lead in results.leads]
    climate = any("climate_skill" in row.means for row in results.rows)
    tables = {
        "Errors": (
            ["variant", "MSE over persistence's", *leads],
            [_errors(row, results) for row in results.rows],
        ),
        "Long forecasts": (
            [
                "variant",
                "stable forecasts",
                "stability horizon",
                "small scales at the end",
                "ACC",
                "activity",
                *(["climate skill"] if climate else []),
            ],
            [[*_long(row), *([_climate(row)] if climate else [])] for row in results.rows],
        ),
    }
    variants = [row for row in results.rows if row.cost is not None or row.known]
    if len(variants) > 1:
        tables[f"Difference from {variants[0].name}"] = (
            ["variant", *leads],
            [_difference(row, results) for row in variants[1:]],
        )
    tables["Cost"] = (
        [
            "variant",
            "parameters",
            "FLOPs of a step",
            "steps",
            "learning rate",
            "CPU s of a run",
            "CPU s of the search",
            "seeds",
        ],
        [_cost(row) for row in variants],
    )
    failures = [
        [row.name, str(seed), reason] for row in variants for seed, reason in row.failures.items()
    ]
    if failures:
        tables["Failures"] = (["variant", "seed", "reason"], failures)
    return tables


def _errors(row: Row, results: Results) -> list[str]:
    cells = [row.name, _number(row.means.get("mse_over_persistence"))]
    if row.summary is None:
        return [*cells, *[ABSENT] * len(results.leads)]
    for column in range(len(results.leads)):
        lower, upper = row.summary.interval[column]
        cell = _number(row.summary.mean[column])
        if not math.isnan(lower):
            cell += f" [{_number(lower)}, {_number(upper)}]"
        if len(row.runs) > 1:
            cell += f" ({_number(row.summary.worst[column])})"
        cells.append(cell)
    return cells


def _long(row: Row) -> list[str]:
    stable = row.means.get("stable_fraction")
    horizon = _number(row.means.get("stability_horizon"))
    if horizon == ABSENT and row.runs:
        horizon = "not reached"
    return [
        row.name,
        ABSENT if stable is None else f"{stable:.0%}",
        horizon,
        *(_number(row.means.get(name)) for name in ("small_scales", "acc", "activity")),
    ]


def _climate(row: Row) -> str:
    """Return the mean climate skill and, in brackets, that of the worst run of any seed."""
    mean = _number(row.means.get("climate_skill"))
    worst = row.means.get("climate_skill_worst")
    return mean if worst is None else f"{mean} ({_number(worst)})"


def _difference(row: Row, results: Results) -> list[str]:
    if row.summary is None:
        return [row.name, *[ABSENT] * len(results.leads)]
    cells = [row.name]
    for column in range(len(results.leads)):
        lower, upper = row.summary.difference_interval[column]
        word = "better, " if upper < 0 else "worse, " if lower > 0 else ""
        value = row.summary.difference[column]
        interval = "" if math.isnan(lower) else f" [{lower:+.3g}, {upper:+.3g}]"
        cells.append(f"{word}{value:+.3g}{interval}" if math.isfinite(value) else ABSENT)
    return cells


def _cost(row: Row) -> list[str]:
    cost = row.cost
    return [
        row.name,
        ABSENT if cost is None else f"{cost.parameters:,}",
        _number(None if cost is None else cost.flops),
        str(row.known.get("steps", ABSENT)),
        _number(row.known.get("rate")),
        _number(row.means.get("cpu_seconds")),
        _number(row.known.get("search_cpu_seconds")),
        str(len(row.runs)),
    ]


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ABSENT
    return "∞" if math.isinf(value) else f"{value:.3g}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(values: np.ndarray) -> Any:
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [float(value) if math.isfinite(value) else None for value in values]
