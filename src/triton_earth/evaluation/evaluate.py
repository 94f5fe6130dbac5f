"""Evaluation: stored forecasts against the truth, with persistence beside them, as one dataset of scores."""

import json
from typing import Any

import numpy as np
import xarray as xr

from triton_earth import __version__
from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth, align
from triton_earth.evaluation.bootstrap import resampling_weights
from triton_earth.evaluation.records import record
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.score_errors import score_errors
from triton_earth.evaluation.score_flow import score_flow
from triton_earth.evaluation.score_horizons import score_horizons
from triton_earth.evaluation.stability import StabilityBands

PERSISTENCE_NAME = "persistence"
TRUTH_NAME = "truth"


def evaluate_forecast(
    forecast: Forecasts,
    truth: Truth,
    *,
    seed: int = 0,
    resamples: int = 1000,
    bands: StabilityBands | None = None,
) -> xr.Dataset:
    """Score forecasts against the truth, lead by lead, with 95 % intervals, beside persistence.

    Persistence is the truth at the initial time, held. Leads for which no forecast has a truth are left out; the
    attributes `evaluated_leads` and `forecast_leads` say how many there are. A forecast that is not finite is a result:
    its mse, rmse and relative_l2 are +∞, its bias and correlation NaN, and its stability horizon ends there.

    Args:
        forecast: Stored forecasts, in physical units.
        truth: Store that holds the initial times of the forecasts and what followed.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples of trajectories.
        bands: Reference bands of the stability horizon; None for the defaults of `StabilityBands`.

    Returns:
        Scores over the dimensions `forecast`, `source` (forecasts and truth), `variable`, `lead_time`, `wavenumber`,
        `bound` and `init`. Every variable says in its attribute `definition` what it is. Scores that need vorticity on
        a doubly periodic box (energy, enstrophy, their spectra) are there where the forecast has it.

    Raises:
        UserError: if forecast and truth do not fit (see `align`), the truth is not finite in a valid cell, or there are
            fewer than 2 resamples.
    """
    if resamples < 2:
        raise UserError(
            f"an interval needs at least two resamples; found {resamples}. Take 1000 or more."
        )
    bands = bands or StabilityBands()
    alignment = align(forecast, truth)
    records = record(forecast, truth, alignment)
    names = [_model_name(forecast.provenance), PERSISTENCE_NAME]
    weights = resampling_weights(np.asarray(forecast.trajectories), resamples, seed)
    resampling = Resampling(weights, alignment.available)
    scores = xr.Dataset(coords=_coordinates(forecast, alignment, names))
    for part in (
        score_errors(records, forecast.variables, resampling),
        score_flow(records, forecast.variables, resampling),
        score_horizons(records, forecast.variables, resampling, alignment.leads + 1, bands),
    ):
        scores = scores.assign(part.data_vars)
    scores.attrs = {
        "title": f"scores of {names[0]}",
        "provenance": json.dumps(
            {
                "forecast": forecast.provenance,
                "truth": truth.provenance,
                "truth_hash": truth.content_hash,
            },
            sort_keys=True,
        ),
        "triton_earth_version": __version__,
        "seed": seed,
        "resamples": resamples,
        "interval": _interval_definition(weights),
        "stability_bands": json.dumps(bands.model_dump()),
        "time_step": describe_duration(forecast.time_step),
        "evaluated_leads": len(alignment.leads),
        "forecast_leads": len(forecast.lead_times),
    }
    return scores


def _model_name(provenance: dict[str, Any]) -> str:
    """Return the model's name, made different from the names of persistence and truth."""
    name = str(provenance.get("model", "forecast"))
    return f"{name} (forecast)" if name in (PERSISTENCE_NAME, TRUTH_NAME) else name


def _coordinates(forecast: Forecasts, alignment: Alignment, names: list[str]) -> dict[str, Any]:
    lead_times = np.asarray(forecast.lead_times)[alignment.leads]
    # xarray itself writes the units of calendar spans.
    units = {} if lead_times.dtype.kind == "m" else {"units": "1"}
    return {
        "forecast": ("forecast", names, {"long_name": "forecast"}),
        "source": ("source", [*names, TRUTH_NAME], {"long_name": "forecast or truth"}),
        "variable": ("variable", forecast.variables.names, {"long_name": "variable"}),
        "lead_time": ("lead_time", lead_times, {"long_name": "lead time", **units}),
        "lead": (
            "lead_time",
            alignment.leads + 1,
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


def _interval_definition(weights: np.ndarray) -> str:
    if np.isnan(weights).any():
        return (
            "none: all initial conditions are of one trajectory, and an interval needs at least two"
        )
    return (
        "95 % percentile bootstrap over initial conditions, resampled by trajectory (all initial conditions of a "
        "trajectory together)"
    )
