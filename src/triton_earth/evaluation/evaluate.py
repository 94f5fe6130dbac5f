"""Evaluation: forecasts against the truth, with the baselines beside them, as one dataset of scores."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from triton_earth import __version__
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.processes.tasks import tasks
from triton_earth.core.time import describe_duration
from triton_earth.core.wording import LONG_NAMES, is_baseline
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.aggregator import TRUTH_NAME, Always, Case, Family, Finished
from triton_earth.evaluation.alignment import Forecasts, Truth, align
from triton_earth.evaluation.baselines import Baselines, fit_baselines
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.climate.family import Climate
from triton_earth.evaluation.climate.lead_bands import measure_lead_bands
from triton_earth.evaluation.example import ExampleFields, Examples
from triton_earth.evaluation.failure import Failures, FieldsAround
from triton_earth.evaluation.indices.family import Indices
from triton_earth.evaluation.metrics.beyond import beyond, describe_beyond
from triton_earth.evaluation.metrics.by_region import ByRegion
from triton_earth.evaluation.metrics.drift import drift
from triton_earth.evaluation.metrics.eddies.scores import Eddies
from triton_earth.evaluation.metrics.ensembles import ensembles
from triton_earth.evaluation.metrics.error_maps import ErrorMaps
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.metrics.extremes import Extremes
from triton_earth.evaluation.metrics.heat_waves.scores import HeatWaves
from triton_earth.evaluation.metrics.horizons import Horizons
from triton_earth.evaluation.metrics.possible_ranges import PossibleRanges
from triton_earth.evaluation.metrics.similarity import Similarity
from triton_earth.evaluation.metrics.stability import LeadBands, StabilityBands
from triton_earth.evaluation.regions.named_regions import NamedRegion
from triton_earth.evaluation.regions.places import (
    Place,
    box_of,
    describe_surface,
    surface_attribute,
)
from triton_earth.evaluation.regions.surface_variables import require_defined
from triton_earth.evaluation.regions.weights import WeightsName
from triton_earth.evaluation.remarks import REMARKS, coverage
from triton_earth.evaluation.spectra.degree import is_globe
from triton_earth.evaluation.spectra.family import spectra
from triton_earth.evaluation.streaming import aggregate
from triton_earth.evaluation.verdict.scored_period import CLIMATOLOGY_RECORD
from triton_earth.evaluation.verdict.verdict import FINDINGS, findings_attribute

FAMILIES: tuple[Family, ...] = (
    Always(Errors),
    Always(Similarity),
    Always(ErrorMaps),
    Always(spectra),
    Always(Extremes),
    Always(ensembles),
    Always(beyond),
    Always(PossibleRanges),
    Climate(),
)
"""The families of every evaluation; each shows every field to what it starts."""


@dataclass(frozen=True)
class Evaluation:
    """What comes out of an evaluation.

    Attributes:
        scores: Every score with its interval, as `evaluate_forecasts` describes them.
        examples: One case of each model for pictures, as `triton_earth.evaluation.example` describes them; empty where
            none were asked for.
        failures: Of each model the forecast that left the training climate first, around that step, as
            `triton_earth.evaluation.failure` keeps it; None where there is none, and empty without examples.
    """

    scores: xr.Dataset
    examples: list[xr.Dataset]
    failures: list[xr.Dataset | None]


def evaluate_forecast(forecast: Forecasts, truth: Truth, **options: Any) -> xr.Dataset:
    """Score a single forecast; arguments and scores are those of `evaluate_forecasts`."""
    return evaluate_forecasts([forecast], truth, **options).scores


def evaluate_forecasts(
    models: Sequence[Forecasts],
    truth: Truth,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    bands: StabilityBands | None = None,
    region: Place | None = None,
    weights: WeightsName = "cell_area",
    by_region: Sequence[NamedRegion] = (),
    heat_waves: str | None = None,
    eddies: str | None = None,
    indices: Sequence[str] = (),
    baselines: Baselines | Sequence[str] | None = None,
    climatology: TrainingStore | None = None,
    families: Sequence[Family] = (),
    examples: bool = False,
    workers: int = 1,
    dask: str | None = None,
    remarks: Sequence[str] = (),
) -> Evaluation:
    """Score forecasts against the truth, lead by lead, with 95 % intervals, beside the baselines and each other.

    The baselines are persistence and, where the truth has a training split, damped persistence and climatology. Every
    field is read once. Leads for which no forecast has a truth are scored against the training climate alone; the
    attribute `remarks` says in sentences what was scored. A forecast that is not finite is a result: its mse, rmse and
    relative_l2 are +∞, its bias and correlation NaN, and its stability horizon ends there.

    Args:
        models: Forecasts in physical units; several have the same initial conditions, variables and leads, as `match`
            gives them.
        truth: Store that holds the initial times of the forecasts and what followed.
        names: Names of the models; None for those they were stored with.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        bands: Reference bands of the stability horizon; None for those of `measure_lead_bands`, or where there is no
            training split to measure them on, the defaults of `StabilityBands`.
        region: Where scores are taken, as `find_place` gives it; None: everywhere.
        weights: Which cell weights.
        by_region: Regions with scores of their own beside the main ones, as `named_regions` gives them.
        heat_waves: Temperature whose marine heat waves are scored too, with the baseline period of the thresholds if it
            is not the training split, as VARIABLE or VARIABLE:START..END; None: none.
        eddies: Sea level whose eddies are scored too; None: none.
        indices: Climate indices that are scored too, names of `triton_earth.evaluation.indices.catalogue` or ``all``.
        baselines: The reference forecasts or their names, as `fit_baselines` takes them; None for its own choice.
        climatology: Store whose training split climatology, damped persistence and heat-wave thresholds are of; None:
            the truth.
        families: More families of scores.
        examples: Whether a case of each model is kept for pictures.
        workers: Processes on this machine that share the work.
        dask: Address of a Dask scheduler whose workers share it instead.
        remarks: Sentences for the reader that stand before those on what was scored.

    Returns:
        Scores over the dimensions `forecast`, `source` (forecasts and truth), `variable`, `lead_time`, `wavenumber`,
        `bound` and `init`. Every variable says in its attribute `definition` what it is. Scores that need vorticity on
        a doubly periodic box (energy, enstrophy, their spectra) are there where the forecast has it; those by region
        (NAME_by_region) over `region` too.

    Raises:
        UserError: if forecast and truth do not fit (see `align`), a variable is not defined on the surface of the
            region, a family cannot be scored, the truth is not finite in a valid cell, or there are fewer than 2
            resamples.
    """
    if resamples < 2:
        raise UserError(
            f"an interval needs at least two resamples; found {resamples}. Take 1000 or more."
        )
    alignment = align(models[0], truth)
    require_defined(models[0], truth, region)
    # Families refuse what they cannot score before baselines are fitted.
    without = Baselines((), None, "")
    case = Case(tuple(models), truth, alignment, without, (), region, weights, seed, climatology)
    chosen = [
        *FAMILIES,
        *([ByRegion(tuple(by_region))] if by_region else []),
        *([HeatWaves(heat_waves)] if heat_waves is not None else []),
        *([Eddies(eddies)] if eddies is not None else []),
        *([Indices(tuple(indices))] if indices else []),
        *families,
        *([Examples(), Failures()] if examples else []),
    ]
    checked = [sentence for family in chosen for sentence in family.check(case)]
    if not isinstance(baselines, Baselines):
        baselines = fit_baselines(models[0], truth, alignment, climatology, baselines)
    stored = [str(model.provenance.get("model", "forecast")) for model in models]
    called = [*_model_names(names or stored, baselines.names), *baselines.names]
    case = replace(case, baselines=baselines, names=tuple(called))
    with tasks(workers, dask) as pool:
        fitted = [family.fit(case, pool) for family in chosen]
        aggregators = aggregate(case, fitted, pool)
    bootstrap = Bootstrap.draw(
        np.asarray(case.forecast.trajectories),
        np.asarray(case.forecast.init_times),
        case.lead_times,
        alignment.available,
        resamples=resamples,
        seed=seed,
    )
    finished = Finished(case, bootstrap, aggregators)
    judged_by: LeadBands = bands or measure_lead_bands(case) or StabilityBands()
    scores = xr.Dataset(coords=_coordinates(case))
    derived: list[Callable[[Finished], xr.Dataset]] = [drift, Horizons(judged_by)]
    for part in (*(one.scores for one in aggregators), *derived):
        scores = scores.assign(part(finished).variables)
    said = [
        *describe_surface(region, case.grid),
        *remarks,
        *coverage(case.forecast, alignment),
        *describe_beyond(case.forecast, alignment),
        *baselines.remarks,
        *checked,
        *(sentence for one in aggregators for sentence in one.remarks(finished)),
        *_without(case),
    ]
    scores.attrs = _attributes(finished, judged_by, said)
    scores.attrs[FINDINGS] = findings_attribute(scores)
    example = finished.find(ExampleFields)
    pictures = [] if example is None else example.datasets(finished, eddies)
    failures = [one.dataset(finished) for one in aggregators if isinstance(one, FieldsAround)]
    return Evaluation(scores, pictures, failures)


def _attributes(finished: Finished, bands: LeadBands, said: list[str]) -> dict[str, Any]:
    """Return the attributes that tell a reader of the scores about the evaluation."""
    case = finished.case
    provenance = [model.provenance for model in case.models]
    judged = case.names[: len(case.models)]
    about = {
        "forecast": provenance if len(provenance) > 1 else provenance[0],
        "truth": case.truth.provenance,
        "truth_hash": case.truth.content_hash,
    }
    return {
        "title": f"scores of {' and '.join(judged)}",
        "provenance": json.dumps(about, sort_keys=True),
        "triton_earth_version": __version__,
        "seed": case.seed,
        "resamples": finished.bootstrap.resamples,
        "interval": finished.bootstrap.definition(case.alignment.numbers),
        "region": "everywhere" if case.region is None else str(case.region),
        **surface_attribute(case.region),
        "weights": case.weights_name,
        "baselines": case.baselines.definition,
        **({CLIMATOLOGY_RECORD: case.baselines.record} if case.baselines.record else {}),
        "stability_bands": json.dumps(bands.to_dict(case.variables.names)),
        "time_step": describe_duration(case.forecast.time_step),
        "evaluated_leads": len(case.alignment.leads),
        "forecast_leads": len(case.forecast.lead_times),
        REMARKS: "\n".join(said),
    }


def _without(case: Case) -> list[str]:
    """Return which scores a region of a globe does not have, in a sentence."""
    box = box_of(case.region)
    if box is None or not isinstance(case.grid, LatLonGrid) or not is_globe(case.grid):
        return []
    return [f"Isotropic and zonal spectra are of the region {box}; there are no spectra by degree."]


def _model_names(names: Sequence[str], references: Sequence[str]) -> list[str]:
    """Return the models' names, made different from those of the references, the truth and each other."""
    different: list[str] = []
    for name in names:
        taken = name in (*references, TRUTH_NAME) or is_baseline(name)
        plain = f"{name} (forecast)" if taken else name
        number = sum(other == plain or other.startswith(f"{plain} (") for other in different)
        different.append(f"{plain} ({number + 1})" if number else plain)
    return different


def _coordinates(case: Case) -> dict[str, Any]:
    """Return the coordinates that all scores share."""
    forecast, lead_times, names = case.forecast, case.lead_times, list(case.names)
    # xarray itself writes the units of calendar spans.
    units = {} if lead_times.dtype.kind == "m" else {"units": case.truth.time_units}
    return {
        "forecast": ("forecast", names, {"long_name": "forecast"}),
        "source": ("source", [*names, TRUTH_NAME], {"long_name": "forecast or truth"}),
        "variable": ("variable", forecast.variables.names, {"long_name": "variable"}),
        LONG_NAMES: ("variable", [variable.long_name for variable in forecast.variables]),
        "lead_time": ("lead_time", lead_times, {"long_name": "lead time", **units}),
        "lead": (
            "lead_time",
            case.alignment.numbers,
            {"long_name": "number of time steps since the initial time", "units": "1"},
        ),
        "bound": ("bound", ["lower", "upper"], {"long_name": "end of the 95 % interval"}),
        "init_time": ("init", forecast.init_times, {"long_name": "initial time"}),
        "trajectory": (
            "init",
            np.asarray(forecast.trajectories),
            {"long_name": "trajectory of the initial condition"},
        ),
    }
