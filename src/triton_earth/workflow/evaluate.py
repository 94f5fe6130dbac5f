"""`triton-earth evaluate` and `compare`: from forecasts and the truth to scores and a report."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import Claim, Kind
from triton_earth.core.outputs.files import require_apart
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.processes.workers import torch_threads
from triton_earth.core.region import Region
from triton_earth.evaluation.evaluate import Evaluation, evaluate_forecasts
from triton_earth.evaluation.needs import needs_of
from triton_earth.evaluation.noise_response import with_response
from triton_earth.evaluation.regions.named_regions import named_regions
from triton_earth.evaluation.regions.places import find_place
from triton_earth.evaluation.regions.surface_variables import keep_defined
from triton_earth.evaluation.scores_file import JSON, save_scores
from triton_earth.plots.page import Section
from triton_earth.plots.report import SectionsOf, write_report
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.workflow.judging.about_rollout import about_rollout
from triton_earth.workflow.judging.evaluation_config import EvaluationConfig, with_options
from triton_earth.workflow.judging.evaluation_inputs import (
    ForecastSource,
    Inputs,
    TruthSource,
    open_inputs,
    paths_of,
)
from triton_earth.workflow.provenance import command_line

REPORT = "report.html"

SCORES = Kind("report", (JSON,), '"definitions"', resumable=False)
"""What `evaluate` and `compare` make."""


@with_options
def evaluate(
    forecasts: ForecastSource | Sequence[ForecastSource],
    truth: TruthSource,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    force: bool = False,
    **options: Any,
) -> xr.Dataset:
    """Judge forecasts against the truth, with the baselines beside them.

    Forecasts are stores that `forecast` wrote, files of others in NetCDF or Zarr (a path, an address or a pattern), an
    `xarray.Dataset`, or a list of these, which are compared with each other over what they have in common. The truth is
    a training store, or files or a dataset with an axis of time. docs/judging.md lists the layouts and says how
    variables are recognised.

    Args:
        forecasts: What is judged. With the option `steps` or `length` a model (run folder or forecaster folder), whose
            forecasts are judged while they are made and not stored.
        truth: What holds the initial times and what followed.
        out: New folder for ``scores.nc``, ``scores.json``, ``report.html`` and ``animation.gif``; None: no file is
            written.
        overwrite: Replace an existing folder.
        force: Go on though memory or disk do not suffice.
        options: Fields of `triton_earth.workflow.judging.evaluation_config.EvaluationConfig`, all by name.

    Returns:
        The scores; with several forecasts differences of mse too, paired over the same resamples of initial conditions.

    Raises:
        UserError: if forecasts and truth do not fit, `out` exists and may not be replaced, or is, holds or lies within
            what is read.

    Example:
        scores = triton_earth.evaluate("forecast.zarr", "truth.zarr", resamples=100)
        scores["rmse"].sel(variable="vorticity").isel(lead_time=0).to_series()
        again = triton_earth.evaluate(forecasts, "truth.zarr", resamples=100)  # of the dataset
    """
    several: list[Any] = list(forecasts) if isinstance(forecasts, list | tuple) else [forecasts]
    return judge("evaluate", several, truth, out, options, overwrite=overwrite, force=force)


@with_options
def compare(
    forecasts: Sequence[ForecastSource],
    truth: TruthSource,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    force: bool = False,
    **options: Any,
) -> xr.Dataset:
    """Judge two forecasts or more against the truth and each other; `evaluate` with a list does the same.

    Args:
        forecasts: What is judged; the scorecard compares with the first.
        truth: What holds the initial times and what followed.
        out: New folder for ``scores.nc``, ``scores.json``, ``report.html`` and ``animation.gif``; None: no file is
            written.
        overwrite: Replace an existing folder.
        force: Go on though memory or disk do not suffice.
        options: Fields of `triton_earth.workflow.judging.evaluation_config.EvaluationConfig`, all by name.

    Returns:
        The scores; differences of mse are paired, over the same resamples of initial conditions.

    Raises:
        UserError: if there are fewer than two forecasts, they have nothing in common, they and the truth do not fit, or
            `out` exists and may not be replaced, or is, holds or lies within what is read.

    Example:
        both = ["forecast.zarr", theirs]
        scores = triton_earth.compare(both, "truth.zarr", name=["ours", "theirs"], out="report", resamples=100)
        scores["forecast"].values
    """
    if len(forecasts) < 2:
        raise UserError(
            f"compare: expected at least two forecasts and a truth, found {len(forecasts)} forecasts. "
            "Judge a single one with `triton-earth evaluate`."
        )
    return judge("compare", list(forecasts), truth, out, options, overwrite=overwrite, force=force)


def judge(
    verb: str,
    forecasts: list[ForecastSource],
    truth: TruthSource,
    out: str | Path | None,
    options: dict[str, Any],
    *,
    overwrite: bool = False,
    force: bool = False,
    sections: Sequence[Section] = (),
) -> xr.Dataset:
    """Do what `evaluate` and `compare` do, with sections of the report that stand after its verdict."""
    config = EvaluationConfig.of(verb, options)
    families, own_sections = config.families(), config.sections()
    if out is not None:
        sources = paths_of(*forecasts, truth, config.climatology, model=config.is_rolled_out)
        require_apart(Path(out), sources)
    inputs = open_inputs(forecasts, truth, config)
    config = config.with_names_of(inputs.models[0].variables.names)
    where = find_place(
        None if config.region is None else Region.parse(config.region), config.surface, inputs.truth
    )
    models, left_out = keep_defined(
        inputs.models, inputs.truth, where, [config.heat_waves, config.eddies]
    )
    regions = named_regions(config.by_region, models[0], inputs.truth, where)
    if not force:
        needed = needs_of(models, len(regions))
        require_fits(
            f"{'the evaluation' if out is None else out}: {verb} of {len(models)} forecasts",
            memory=needed.memory,
            disk=needed.disk,
            path=None if out is None else Path(out),
            advice="Judge fewer initial conditions, leads, variables or regions at once.",
        )
    with ExitStack() as stack:
        partial = None
        if out is not None:
            claim = Claim(Path(out), SCORES, resume=False, overwrite=overwrite)
            partial = stack.enter_context(claim).begin()
        stack.enter_context(torch_threads(inputs.threads))
        evaluation = evaluate_forecasts(
            models,
            inputs.truth,
            names=inputs.names,
            seed=config.seed,
            resamples=config.resamples,
            region=where,
            weights=config.weights,
            by_region=regions,
            heat_waves=config.heat_waves,
            eddies=config.eddies,
            indices=config.indices,
            baselines=config.baselines,
            climatology=inputs.climatology,
            families=families,
            examples=partial is not None,
            workers=config.workers,
            dask=config.dask,
            remarks=[*inputs.remarks, *left_out],
        )
        for one in inputs.stored:
            if isinstance(one, LiveForecasts):
                one.sum_up()
                evaluation = replace(evaluation, scores=with_response(evaluation.scores, one))
        scores = evaluation.scores
        given = [*forecasts, truth]
        if all(isinstance(one, str | Path) for one in given):
            words = {**({} if out is None else {"out": out}), **config.to_options()}
            scores.attrs["command"] = command_line(verb, [Path(str(one)) for one in given], words)
        if partial is not None:
            save_scores(scores, partial)
            _write_report(evaluation, inputs, partial / REPORT, config, sections, own_sections)
            claim.publish()
    return scores


def _write_report(
    evaluation: Evaluation,
    inputs: Inputs,
    path: Path,
    config: EvaluationConfig,
    first_sections: Sequence[Section],
    own_sections: Sequence[SectionsOf],
) -> None:
    first, *others = evaluation.examples
    judged = [str(name) for name in evaluation.scores["forecast"].values[: len(inputs.models)]]
    recipe = inputs.stored[0].provenance.get("training", {}).get("recipe", {})
    title = recipe.get("title") or f"Forecast of {judged[0]}"
    if others:
        title = f"{', '.join(judged[:-1])} and {judged[-1]} compared"
    sections = [
        section
        for one, name, failure in zip(inputs.stored, judged, evaluation.failures, strict=True)
        if isinstance(one, ForecastStore | LiveForecasts)
        for section in about_rollout(one, inputs.truth, failure, name if others else None)
    ]
    write_report(
        evaluation.scores,
        first,
        path,
        config.title or title,
        [*first_sections, *sections],
        others=dict(zip(judged[1:], others, strict=True)),
        more=own_sections,
    )
