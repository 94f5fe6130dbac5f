"""Evaluation: stored forecasts against the truth, with the baselines beside them, as one dataset of scores."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from triton_earth import __version__
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.tasks import tasks
from triton_earth.core.time import describe_duration
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth, align
from triton_earth.evaluation.baselines import Baselines, fit_baselines
from triton_earth.evaluation.distributed import HeatWaves, Recording, record_with
from triton_earth.evaluation.metrics.beyond import describe_beyond, score_beyond
from triton_earth.evaluation.metrics.by_region import score_regions
from triton_earth.evaluation.metrics.drift import score_drift
from triton_earth.evaluation.metrics.eddies import require_sea_level
from triton_earth.evaluation.metrics.errors import score_errors
from triton_earth.evaluation.metrics.heat_wave_baseline import HeatWaveBaseline, heat_wave_baseline
from triton_earth.evaluation.metrics.horizons import score_horizons
from triton_earth.evaluation.metrics.score_eddies import score_eddies
from triton_earth.evaluation.metrics.score_ensemble import (
    beside_references,
    lost_members,
    score_ensemble,
)
from triton_earth.evaluation.metrics.score_heat_waves import score_heat_waves
from triton_earth.evaluation.metrics.score_totals import score_totals
from triton_earth.evaluation.metrics.several import by_ensemble
from triton_earth.evaluation.metrics.stability import StabilityBands
from triton_earth.evaluation.named_regions import NamedRegion, describe_regions
from triton_earth.evaluation.places import box_of, describe_surface, surface_attribute
from triton_earth.evaluation.regions import Place, WeightsName
from triton_earth.evaluation.remarks import REMARKS, coverage
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.spectra.degree import is_globe
from triton_earth.evaluation.spectra.scores import score_spectra
from triton_earth.evaluation.surface_variables import require_defined

TRUTH_NAME = "truth"


def evaluate_forecast(
    forecast: Forecasts,
    truth: Truth,
    *,
    seed: int = 0,
    resamples: int = 1000,
    bands: StabilityBands | None = None,
    region: Place | None = None,
    weights: WeightsName = "cell_area",
    others: Sequence[Forecasts] = (),
    names: Sequence[str] | None = None,
    heat_waves: str | None = None,
    eddies: str | None = None,
    baselines: Baselines | None = None,
    workers: int = 1,
    dask: str | None = None,
    climatology: TrainingStore | None = None,
    remarks: Sequence[str] = (),
    by_region: Sequence[NamedRegion] = (),
) -> xr.Dataset:
    """Score forecasts against the truth, lead by lead, with 95 % intervals, beside the baselines.

    The baselines are persistence and, where the truth has a training split, damped persistence and climatology. Leads
    for which no forecast has a truth are left out; the attribute `remarks` says in sentences what was scored. A
    forecast that is not finite is a result: its mse, rmse and relative_l2 are +∞, its bias and correlation NaN, and its
    stability horizon ends there.

    Args:
        forecast: Stored forecasts, in physical units.
        truth: Store that holds the initial times of the forecasts and what followed.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        bands: Reference bands of the stability horizon; None for the defaults of `StabilityBands`.
        region: Where scores are taken, as `find_place` gives it; None: everywhere.
        weights: Which cell weights.
        others: Forecasts of other models to compare with, as `match` gives them (the first one too).
        names: Names of all models; None for those they were stored with.
        heat_waves: Temperature whose marine heat waves are scored too, with the baseline period of the thresholds if it
            is not the training split, as VARIABLE or VARIABLE:START..END; None: none.
        eddies: Sea level whose eddies are scored too; None: none.
        baselines: The reference forecasts; None for those of `fit_baselines`.
        workers: Processes on this machine that share the work.
        dask: Address of a Dask scheduler whose workers share it instead.
        climatology: Store whose training split climatology, damped persistence and heat-wave thresholds are of; None:
            the truth.
        remarks: Sentences for the reader that stand before those on what was scored.
        by_region: Regions with scores of their own beside the main ones, as `named_regions` gives them.

    Returns:
        Scores over the dimensions `forecast`, `source` (forecasts and truth), `variable`, `lead_time`, `wavenumber`,
        `bound` and `init`. Every variable says in its attribute `definition` what it is. Scores that need vorticity on
        a doubly periodic box (energy, enstrophy, their spectra) are there where the forecast has it; those by region
        (NAME_by_region) over `region` too.

    Raises:
        UserError: if forecast and truth do not fit (see `align`), a variable is not defined on the surface of the
            region, the truth is not finite in a valid cell, or there are fewer than 2 resamples.
    """
    if resamples < 2:
        raise UserError(
            f"an interval needs at least two resamples; found {resamples}. Take 1000 or more."
        )
    bands = bands or StabilityBands()
    alignment = align(forecast, truth)
    require_defined(forecast, truth, region)
    warm = require_events(forecast, truth, alignment, heat_waves, eddies, climatology)
    baselines = baselines or fit_baselines(forecast, truth, alignment, climatology)
    said = [
        *describe_surface(region, forecast.grid),
        *remarks,
        *coverage(forecast, alignment),
        *describe_beyond(forecast, alignment),
        *describe_regions(by_region),
        *baselines.remarks,
    ]
    if warm is not None:
        said.append(warm.remark)
    models = [forecast, *others]
    with tasks(workers, dask) as places:
        work = Recording(
            tuple(models),
            truth,
            alignment,
            baselines,
            region,
            weights,
            seed,
            None if warm is None else HeatWaves(warm.variable, warm.climate(places)),
            eddies,
            tuple(by_region),
        )
        recorded = record_with(places, work)
    records = recorded.errors
    stored = [str(model.provenance.get("model", "forecast")) for model in models]
    sources = [*_model_names(names or stored, baselines.names), *baselines.names]
    lead_times = np.asarray(forecast.lead_times)[alignment.leads]
    resampling = Resampling.draw(
        np.asarray(forecast.trajectories),
        np.asarray(forecast.init_times),
        lead_times,
        alignment.available,
        resamples=resamples,
        seed=seed,
    )
    scores = xr.Dataset(coords=_coordinates(forecast, truth, alignment, sources))
    for part in (
        score_errors(records, sources, forecast.variables, resampling),
        score_totals(records, forecast.variables, resampling),
        score_spectra(records.spectra.values(), forecast.variables, resampling, lead_times),
        score_drift(records, forecast.variables, resampling, alignment.numbers, lead_times),
        score_horizons(records, sources, forecast.variables, resampling, alignment.numbers, bands),
    ):
        scores = scores.assign(part.data_vars)
    if recorded.regions is not None:
        part = score_regions(
            recorded.regions, sources, records.rivals, forecast.variables, resampling
        )
        scores = scores.assign(part.variables)
    if recorded.ensembles:
        ensembles = {
            sources[place]: score_ensemble(found, forecast.variables, resampling)
            for place, found in recorded.ensembles.items()
        }
        for name, found in ensembles.items():
            said += lost_members(name, found, alignment.numbers)
        scores = scores.assign(beside_references(scores, ensembles))
        scores = scores.assign(by_ensemble(ensembles).variables)
    if recorded.heat_waves is not None and warm is not None:
        (temperature,) = forecast.variables.select([warm.variable])
        part = score_heat_waves(recorded.heat_waves, resampling, temperature.units, warm.remark)
        scores = scores.assign(part.data_vars)
    if recorded.eddies is not None:
        scores = scores.assign(score_eddies(recorded.eddies, resampling).data_vars)
    part = score_beyond(
        models,
        sources[: len(models)],
        truth,
        alignment,
        baselines.climatology,
        climatology or truth,
        resamples=resamples,
        seed=seed,
        region=region,
        weights_name=weights,
    )
    scores = scores.assign(part.variables)
    provenance = [model.provenance for model in models]
    scores.attrs = {
        "title": f"scores of {' and '.join(sources[: len(models)])}",
        "provenance": json.dumps(
            {
                "forecast": provenance if others else provenance[0],
                "truth": truth.provenance,
                "truth_hash": truth.content_hash,
            },
            sort_keys=True,
        ),
        "triton_earth_version": __version__,
        "seed": seed,
        "resamples": resamples,
        "interval": resampling.definition(alignment.numbers),
        "region": "everywhere" if region is None else str(region),
        **surface_attribute(region),
        "weights": weights,
        "baselines": baselines.definition,
        "stability_bands": json.dumps(bands.model_dump()),
        "time_step": describe_duration(forecast.time_step),
        "evaluated_leads": len(alignment.leads),
        "forecast_leads": len(forecast.lead_times),
        REMARKS: "\n".join([*said, *_without(forecast, region)]),
    }
    return scores


def require_events(
    forecast: Forecasts,
    truth: Truth,
    alignment: Alignment,
    heat_waves: str | None,
    eddies: str | None,
    climatology: TrainingStore | None = None,
) -> HeatWaveBaseline | None:
    """Refuse heat waves and eddies that cannot be scored, before anything is computed.

    Returns:
        The baseline period of the heat waves; None where none are asked for.

    Raises:
        UserError: if a variable is not there or is none of that kind, or there are no thresholds.
    """
    if eddies is not None:
        require_sea_level(forecast, eddies)
    if heat_waves is None:
        return None
    return heat_wave_baseline(heat_waves, forecast, truth, alignment, climatology)


def _without(forecast: Forecasts, region: Place | None) -> list[str]:
    """Return which scores a region of a globe does not have, in a sentence."""
    box = box_of(region)
    if box is None or not isinstance(forecast.grid, LatLonGrid) or not is_globe(forecast.grid):
        return []
    return [
        f"Spectra are those of the region {box}: isotropic ones and zonal ones; by degree there are none."
    ]


def _model_names(names: Sequence[str], references: Sequence[str]) -> list[str]:
    """Return the models' names, made different from those of the references, the truth and each other."""
    different: list[str] = []
    for name in names:
        plain = f"{name} (forecast)" if name in (*references, TRUTH_NAME) else name
        number = sum(other == plain or other.startswith(f"{plain} (") for other in different)
        different.append(f"{plain} ({number + 1})" if number else plain)
    return different


def _coordinates(
    forecast: Forecasts, truth: Truth, alignment: Alignment, names: list[str]
) -> dict[str, Any]:
    lead_times = np.asarray(forecast.lead_times)[alignment.leads]
    # xarray itself writes the units of calendar spans.
    units = {} if lead_times.dtype.kind == "m" else {"units": truth.time_units}
    return {
        "forecast": ("forecast", names, {"long_name": "forecast"}),
        "source": ("source", [*names, TRUTH_NAME], {"long_name": "forecast or truth"}),
        "variable": ("variable", forecast.variables.names, {"long_name": "variable"}),
        "lead_time": ("lead_time", lead_times, {"long_name": "lead time", **units}),
        "lead": (
            "lead_time",
            alignment.numbers,
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
