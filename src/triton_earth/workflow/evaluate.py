"""`triton-earth evaluate`: from a forecast and the truth to scores and a report."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from triton_earth.core.claim import Claim, Kind
from triton_earth.core.errors import UserError
from triton_earth.core.files import require_apart
from triton_earth.core.threads import torch_threads
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.evaluation.named_regions import named_regions
from triton_earth.evaluation.places import Surface, find_place
from triton_earth.evaluation.regions import Region, WeightsName
from triton_earth.evaluation.scores_file import JSON, save_scores
from triton_earth.evaluation.surface_variables import keep_defined
from triton_earth.models.checkpoint import forecaster_folder
from triton_earth.plots.report import write_report
from triton_earth.rollout.ensemble import EnsembleConfig, Perturbation
from triton_earth.rollout.forecast_store import ForecastStore
from triton_earth.rollout.guard import Policy
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.workflow.about_rollout import about_rollout
from triton_earth.workflow.command_line import command_line
from triton_earth.workflow.forecast_request import request_forecast

REPORT = "report.html"

SCORES = Kind("report", (JSON,), '"definitions"', resumable=False)
"""What `evaluate` and `compare` make."""


def evaluate(
    forecast: str | Path,
    store: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    resamples: int = 1000,
    title: str | None = None,
    region: str | None = None,
    surface: Surface | None = None,
    by_region: Sequence[str] | None = None,
    weights: WeightsName = "cell_area",
    heat_waves: str | None = None,
    eddies: str | None = None,
    climatology: str | Path | None = None,
    workers: int = 1,
    dask: str | None = None,
    steps: int | None = None,
    split: str | None = None,
    init: list[str] | None = None,
    members: int | None = None,
    perturb: Perturbation | None = None,
    forcings: str | Path | None = None,
    guard: Policy | None = None,
    stabilize: list[str] | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Judge a forecast against the truth, with the baselines beside it.

    Args:
        forecast: Forecast store; with `steps` a model (run folder or forecaster folder), whose forecasts are judged
            while they are made and not stored.
        store: Training store that holds the initial times and what followed.
        out: New folder for ``scores.nc``, ``scores.json``, ``report.html`` and ``animation.gif``.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        title: Heading of the report; by default the title of the model's recipe.
        region: Where scores are taken, SOUTH:NORTH,WEST:EAST in degrees; None: everywhere.
        surface: Whether on ``land`` or at ``sea``; None: on both.
        by_region: Regions with scores of their own beside the main ones: NAME=SOUTH:NORTH,WEST:EAST, ``land``, ``sea``
            or a well-known name.
        weights: Cell weights of all means, by name.
        heat_waves: Temperature whose marine heat waves are scored too, against the training split or, as
            VARIABLE:START..END, the days named; None: none.
        eddies: Sea level whose eddies are scored too; None: none.
        climatology: Store whose training split the climatology is of; None: `store`.
        workers: Processes on this machine that share the work.
        dask: Address of a Dask scheduler whose workers share it instead.
        steps: Steps that the model is rolled out for; None: `forecast` is a forecast store. Only with it:
        split: Split whose trajectories or periods the model forecasts, by default ``test``;
        init: initial times, as in `triton_earth.workflow.forecast.forecast`, like all that follow;
        members: forecasts from each initial state;
        perturb: what makes them differ;
        forcings: training store with the forcings;
        guard: what to do about a forecast that leaves the training climate, by default ``warn``;
        stabilize: changes to those of the model's recipe.
        overwrite: Replace an existing folder.

    Returns:
        The scores.

    Raises:
        UserError: if forecast and truth do not fit, `out` exists and may not be replaced, or is, holds or lies within
            what is read.

    Example:
        scores = triton_earth.evaluate("forecast.zarr", "truth.zarr", "report")
        scores["rmse"].sel(variable="vorticity").isel(lead_time=0).to_series()
    """
    forecast = Path(forecast)
    forcings = None if forcings is None else Path(forcings)
    store, out = Path(store), Path(out)
    climatology = None if climatology is None else Path(climatology)
    require_apart(
        out,
        [
            forecast if steps is None else forecaster_folder(forecast),
            store,
            *([] if climatology is None else [climatology]),
        ],
    )
    of_rollout = {
        "split": split,
        "init": init,
        "members": members,
        "perturb": perturb,
        "forcings": forcings,
        "guard": guard,
        "stabilize": stabilize,
    }
    request = None
    if steps is None:
        needless = [f"--{name}" for name, value in of_rollout.items() if value]
        if needless:
            raise UserError(
                f"{', '.join(needless)}: {forecast} is judged as it is stored. Give these to "
                "`triton-earth forecast`, or judge a model with --steps."
            )
    elif workers > 1 or dask is not None:
        raise UserError(
            "--steps: a model is rolled out in one process. Leave out --workers and --dask, or store the forecast."
        )
    else:
        request = request_forecast(
            forecast,
            store,
            steps=steps,
            split=split or "test",
            init=init,
            forcings=forcings,
            ensemble=EnsembleConfig(members=members or 1, perturb=perturb or "auto"),
            guard=guard or "warn",
            stabilizers=stabilize,
        )
    forecasts = (
        ForecastStore.open(forecast)
        if request is None
        else LiveForecasts(request.forecaster, request.store, **request.how)
    )
    truth = TrainingStore.open(store).on(forecasts.grid)
    normal = None if climatology is None else TrainingStore.open(climatology).on(forecasts.grid)
    where = find_place(None if region is None else Region.parse(region), surface, truth)
    (scored,), left_out = keep_defined([forecasts], truth, where, [heat_waves, eddies])
    regions = named_regions(by_region or (), scored, truth, where)
    with Claim(out, SCORES, resume=False, overwrite=overwrite) as claim:
        partial = claim.begin()
        with torch_threads(None if request is None else request.threads):
            evaluation = evaluate_forecasts(
                [scored],
                truth,
                seed=seed,
                resamples=resamples,
                region=where,
                weights=weights,
                heat_waves=heat_waves,
                eddies=eddies,
                climatology=normal,
                workers=workers,
                dask=dask,
                remarks=left_out,
                by_region=regions,
                examples=True,
            )
            about = about_rollout(forecasts, truth)
        scores = evaluation.scores
        scores.attrs["command"] = command_line(
            "evaluate",
            [forecast, store],
            {
                "out": out,
                "seed": seed,
                "resamples": resamples,
                "title": title,
                "region": region,
                "surface": surface,
                "by-region": by_region,
                "weights": weights,
                "heat-waves": heat_waves,
                "eddies": eddies,
                "climatology": climatology,
                "steps": steps,
                **of_rollout,
                "workers": None if workers == 1 else workers,
                "dask": dask,
            },
        )
        save_scores(scores, partial)
        recipe = forecasts.provenance.get("training", {}).get("recipe", {})
        heading = title or recipe.get("title") or f"Forecast of {scores['forecast'].values[0]}"
        write_report(
            scores,
            evaluation.examples[0],
            partial / REPORT,
            heading,
            about,
        )
        claim.publish()
    return scores
