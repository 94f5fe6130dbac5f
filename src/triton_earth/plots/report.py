"""The report: scores and one example forecast as a single HTML page that explains itself."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from triton_earth import __version__
from triton_earth.core.errors import UserError
from triton_earth.core.lead_times import lead_times
from triton_earth.core.outputs.files import write_text
from triton_earth.core.wording import variable_names
from triton_earth.evaluation.verdict.comparison import models
from triton_earth.evaluation.verdict.scored_period import scored_period
from triton_earth.plots.animation import animation, comparison, write_animation
from triton_earth.plots.page import MOST_VARIABLES, Section, page
from triton_earth.plots.sections.beyond import beyond_sections
from triton_earth.plots.sections.climate import climate_sections, noise_sections
from triton_earth.plots.sections.ensembles import ensemble_sections
from triton_earth.plots.sections.error_maps import error_map_sections
from triton_earth.plots.sections.events import event_sections
from triton_earth.plots.sections.example import example_sections
from triton_earth.plots.sections.indices import index_sections
from triton_earth.plots.sections.long_runs import long_run_sections
from triton_earth.plots.sections.provenance import definition_sections, provenance_sections
from triton_earth.plots.sections.regions import region_sections
from triton_earth.plots.sections.scales import scale_sections
from triton_earth.plots.sections.scores import SCORES, score_sections, scorecard_sections
from triton_earth.plots.sections.totals import total_sections
from triton_earth.plots.sections.verdict import headline_sections, verdict_sections

ANIMATION_NAME = "animation.gif"
"""Name of the animation's own file, beside the report."""

SectionsOf = Callable[[xr.Dataset, Mapping[str, xr.Dataset]], list[Section]]
"""Takes the scores and one example of each model by name; returns sections, none where it has nothing to show."""

SECTIONS: tuple[SectionsOf, ...] = (
    scorecard_sections,
    example_sections,
    score_sections,
    error_map_sections,
    region_sections,
    climate_sections,
    long_run_sections,
    noise_sections,
    beyond_sections,
    ensemble_sections,
    index_sections,
    event_sections,
    scale_sections,
    total_sections,
)
"""What follows the verdict, in this order; a new picture of scores is one file in `sections` and one entry here."""

LAST: tuple[SectionsOf, ...] = (definition_sections, provenance_sections)
"""What ends the page."""


def write_report(
    scores: xr.Dataset,
    example: xr.Dataset,
    path: Path,
    title: str,
    about_rollout: Sequence[Section] = (),
    others: Mapping[str, xr.Dataset] | None = None,
    more: Sequence[SectionsOf] = (),
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
        about_rollout: What the guard saw and stabilisers did, as `triton_earth.plots.sections.guard.triage` and
            `triton_earth.plots.sections.guard.stabilizers` give it.
        more: What gives further sections, which stand before the definitions.

    Returns:
        The path.

    Raises:
        UserError: if `scores` holds no score, `example` lacks a field, or the folder cannot be written.
    """
    _require(scores, example)
    with _pictures_alone_are_garbage():
        return _write(scores, example, path, title, about_rollout, others or {}, more)


@contextmanager
def _pictures_alone_are_garbage() -> Iterator[None]:
    """Keep Python's searches for garbage, which pictures make many of, from what was there before them."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _write(
    scores: xr.Dataset,
    example: xr.Dataset,
    path: Path,
    title: str,
    about_rollout: Sequence[Section],
    others: Mapping[str, xr.Dataset],
    more: Sequence[SectionsOf],
) -> Path:
    variables = variable_names(scores)
    names = models(scores)
    examples = {names[0]: example, **others}
    sections = [
        *headline_sections(scores, examples),
        *verdict_sections(scores, examples),
        *about_rollout,
        *(
            part
            for sections_of in (*SECTIONS, *more, *LAST)
            for part in sections_of(scores, examples)
        ),
    ]
    footer = f"Triton Earth {__version__}. This page is one file; it loads nothing."
    text = page(title, _subtitle(scores, variables), sections, footer)
    first = variable_names(example)[0]
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


def _subtitle(scores: xr.Dataset, variables: list[str]) -> str:
    leads = lead_times(scores["lead_time"])
    parts = [
        f"{_listed(models(scores))} judged on {_shortened(variables)}",
        leads.summary,
        *(sentence.removesuffix(".") for sentence in scored_period(scores)),
    ]
    return " · ".join(parts)


def _listed(names: list[str]) -> str:
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])


def _shortened(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_VARIABLES])
    hidden = len(names) - MOST_VARIABLES
    return f"{shown} and {hidden} more" if hidden > 0 else shown
