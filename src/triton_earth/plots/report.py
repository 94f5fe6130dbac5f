"""The report: scores and one example forecast as a single HTML page that explains itself."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from markupsafe import Markup

from triton_earth import __version__
from triton_earth.core.errors import UserError
from triton_earth.core.lead_times import lead_times
from triton_earth.core.outputs.files import write_text
from triton_earth.core.wording import variable_names
from triton_earth.evaluation.verdict import FINDINGS, cases, models, remarks, verdict
from triton_earth.plots.animation import animation, comparison, write_animation
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.page import Picture, Section, heading, page, paragraph, render, together
from triton_earth.plots.sections.beyond import beyond_curves
from triton_earth.plots.sections.budgets import BUDGETS, budgets
from triton_earth.plots.sections.climate import climate_sections
from triton_earth.plots.sections.curves import SCORES, score_curves
from triton_earth.plots.sections.ensembles import ENSEMBLE, ensemble_figure
from triton_earth.plots.sections.event_sections import event_sections
from triton_earth.plots.sections.long_runs import long_run_curves, rates_table
from triton_earth.plots.sections.provenance import provenance_list
from triton_earth.plots.sections.regions import region_sections
from triton_earth.plots.sections.scale_sections import scale_sections
from triton_earth.plots.sections.scorecard import scorecard
from triton_earth.plots.sections.seen import (
    MOST_VARIABLES,
    left_out,
    one_forecast,
    several_models,
    shading,
)
from triton_earth.plots.tables import definitions_table, score_table

ANIMATION_NAME = "animation.gif"
"""Name of the animation's own file, beside the report."""

_CROSS = "A cross marks where a forecast stops being finite."


def write_report(
    scores: xr.Dataset,
    example: xr.Dataset,
    path: Path,
    title: str,
    about_rollout: Sequence[Section] = (),
    others: Mapping[str, xr.Dataset] | None = None,
) -> Path:
    """Write the report of one evaluation as a single HTML page, and its animation as a GIF beside it.

    The page holds its pictures and needs no network and no script. It is there whole or not at all; one that is there
    is replaced.

    Args:
        scores: Scores of shape (forecast, variable, lead_time), intervals with a last dimension `bound`; where they
            exist totals (source, lead_time) and spectra (source, lead_time, wavenumber); provenance as attributes.
        example: `truth`, `forecast` and `error` of shape (variable, lead_time, y, x) from one initial condition.
        path: Where the page goes; `animation.gif` goes into the same folder.
        title: Heading of the page.
        others: Of a comparison, examples of the other models by name, of the same initial condition.
        about_rollout: What the guard saw and stabilisers did, as `triton_earth.plots.sections.triage.triage` and
            `triton_earth.plots.sections.stabilizers.stabilizers` give it.

    Returns:
        The path.

    Raises:
        UserError: if `scores` holds no score, `example` lacks a field, or the folder cannot be written.
    """
    _require(scores, example)
    variables = variable_names(scores)
    names = models(scores)
    examples = {names[0]: example, **(others or {})}
    pictured = variable_names(example)
    sections = [
        Section("Verdict", _verdict(scores)),
        *about_rollout,
        *([Section("Scorecard", _scorecard(scores))] if others else []),
        Section(
            "One forecast, seen",
            (several_models(examples) if others else one_forecast(example)) + left_out(pictured),
        ),
        Section("Scores over lead time", _scores(scores, variables)),
        *region_sections(scores),
        *_more(scores, examples),
        Section("Definitions", definitions_table(scores)),
        Section("Provenance", provenance_list(_without_findings(scores.attrs))),
    ]
    footer = f"Triton Earth {__version__}. This page is one file; it loads nothing."
    text = page(title, _subtitle(scores, variables), sections, footer)
    first = pictured[0]
    write_animation(
        comparison(examples, first, "gif") if others else animation(example, first, "gif"),
        path.with_name(ANIMATION_NAME),
    )
    write_text(path, text)
    return path


def _require(scores: xr.Dataset, example: xr.Dataset) -> None:
    if not any(name in scores for name in SCORES) or not scores.sizes.get("lead_time"):
        raise UserError(
            f"a report needs scores at one lead or more (any of {', '.join(SCORES)}); "
            f"found {', '.join(map(str, scores.data_vars)) or 'nothing'}. Evaluate the forecast first."
        )
    missing = [name for name in ("truth", "forecast", "error") if name not in example]
    if missing:
        raise UserError(
            f"the example lacks {', '.join(missing)}; found {', '.join(map(str, example.data_vars))}."
        )


def _without_findings(attributes: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
    """Return the attributes of scores without the verdict, which has a section of its own."""
    return {name: value for name, value in attributes.items() if name != FINDINGS}


def _subtitle(scores: xr.Dataset, variables: list[str]) -> str:
    leads = lead_times(scores["lead_time"])
    parts = [
        f"{_listed(models(scores))} judged on {_shortened(variables)}",
        f"{leads.steps[-1]} steps to {leads.at(-1)}",
    ]
    count = cases(scores)
    if count is not None:
        parts.append(f"{count} initial condition{'' if count == 1 else 's'}")
    return " · ".join(parts)


def _listed(names: list[str]) -> str:
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])


def _shortened(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_VARIABLES])
    hidden = len(names) - MOST_VARIABLES
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def _verdict(scores: xr.Dataset) -> Markup:
    judged = verdict(scores)
    parts = []
    for name, findings in judged.items():
        if len(judged) > 1:
            parts.append(heading(name))
        parts.append(render("findings.html", findings=findings))
    return together([*parts, *map(paragraph, remarks(scores))])


def _scorecard(scores: xr.Dataset) -> Markup:
    reference = models(scores)[0]
    return Picture(
        svg_uri(scorecard(scores, reference)),
        f"Scorecard: mean square error of every forecast relative to {reference}, by lead time.",
        f"Mean square error relative to that of {reference}. Green: smaller, purple: larger. Dots: the 95 % interval "
        f"of the paired difference does not hold zero. {shading(scores).replace('Shading', 'Intervals')}",
    ).html()


def _scores(scores: xr.Dataset, variables: list[str]) -> Markup:
    shown = variables[:MOST_VARIABLES]
    parts = []
    for variable in shown:
        if len(variables) > 1:
            parts.append(heading(variable))
        curves = Picture(
            svg_uri(score_curves(scores, variable)),
            f"Curves of every score of {variable} over lead time, all forecasts.",
            f"Scores of {variable} over lead time. {shading(scores)}{_CROSS}",
        )
        parts += [curves.html(), score_table(scores, variable)]
    return together(parts) + left_out(variables)


def _long_runs(scores: xr.Dataset) -> Markup:
    variables = variable_names(scores)
    seasonal = "departure from the seasonal cycle, " if "seasonal_departure" in scores else ""
    parts = [
        Picture(
            svg_uri(long_run_curves(scores, variable)),
            f"Area mean, {seasonal}variance and extremes of {variable} over lead time.",
            f"{variable}: area mean with the gap to the truth shaded, {seasonal}variance and "
            "extremes (the value below which that part of the area lies). Black: truth.",
        ).html()
        for variable in variables[:MOST_VARIABLES]
    ]
    return together(parts) + left_out(variables) + rates_table(scores)


def _beyond(scores: xr.Dataset) -> Markup:
    variables = variable_names(scores)
    parts = [
        Picture(
            svg_uri(beyond_curves(scores, variable)),
            f"Area mean, variance and extremes of {variable} at the leads beyond the end of the truth.",
            f"{variable} where there is no truth any more. Black: extremes of the training split. {shading(scores)}",
        ).html()
        for variable in variables[:MOST_VARIABLES]
    ]
    rates = Markup("")
    if "beyond_drift_rate" in scores:
        rates = rates_table(scores, ("beyond_drift_rate",), "model")
    return together(parts) + left_out(variables) + rates


def _ensembles(scores: xr.Dataset) -> Markup:
    variables = variable_names(scores)
    each = {"": scores}
    if "ensemble" in scores.dims:
        each = {f"{name}, ": scores.sel(ensemble=name) for name in scores["ensemble"].values}
    parts = [
        Picture(
            svg_uri(ensemble_figure(one, variable)),
            f"CRPS, spread, spread divided by error and rank histograms of the ensemble of {name}{variable}.",
            f"{name}{variable}: the members. Dashed in the rank histograms: all ranks alike, as of a reliable "
            f"ensemble. {shading(scores)}",
        ).html()
        for variable in variables[:MOST_VARIABLES]
        for name, one in each.items()
    ]
    return together(parts) + left_out(variables)


def _more(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    sections: list[Section] = []
    sections += climate_sections(scores)
    if "area_mean" in scores:
        sections.append(Section("Long runs", _long_runs(scores)))
    if "beyond_extreme" in scores:
        sections.append(Section("Beyond the truth", _beyond(scores)))
    if all(name in scores for name in ENSEMBLE):
        sections.append(Section("Ensemble", _ensembles(scores)))
    sections += [*event_sections(scores, examples), *scale_sections(scores)]
    if any(name in scores for name in BUDGETS):
        picture = Picture(
            svg_uri(budgets(scores)),
            "Totals over lead time: forecasts against truth.",
            f"Totals over lead time. Black: truth. {shading(scores)}{_CROSS}",
        )
        sections.append(Section("Energy and enstrophy", picture.html()))
    return sections
