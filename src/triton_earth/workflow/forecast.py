"""`triton-earth forecast`: from a trained model and initial conditions to a forecast, stored or in memory."""

from pathlib import Path
from typing import Any, Literal, overload

import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import require_apart, require_zarr_name
from triton_earth.core.processes.workers import torch_threads
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.ensemble import EnsembleConfig, Perturbation
from triton_earth.rollout.guard.guard import Policy
from triton_earth.rollout.in_memory import forecast_in_memory
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.rollout.storage.output import OutputConfig
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.workflow.device import Device
from triton_earth.workflow.forecasting.forecast_request import request_forecast
from triton_earth.workflow.forecasting.model_source import model_folders
from triton_earth.workflow.running.run_folder import require_not_of_a_run

Model = str | Path | Forecaster
Store = str | Path | TrainingStore


@overload
def forecast(model: Model, store: Store, out: str | Path, **options: Any) -> ForecastStore: ...
@overload
def forecast(model: Model, store: Store, out: None = None, **options: Any) -> xr.Dataset: ...
def forecast(  # type: ignore[misc] # the options are those below
    model: Model,
    store: Store,
    out: str | Path | None = None,
    *,
    steps: int | None = None,
    length: str | None = None,
    split: str = "test",
    init: str | list[str] | None = None,
    forcings: str | Path | None = None,
    forcings_beyond: str | None = None,
    batch_size: int | None = None,
    members: int = 1,
    perturb: Perturbation = "auto",
    perturb_size: float = 0.5,
    drop_paths: bool = False,
    seed: int = 0,
    variables: list[str] | None = None,
    levels: list[float] | list[str] | None = None,
    leads: str | None = None,
    region: str | None = None,
    statistics_only: bool = False,
    mean_and_spread: bool = False,
    every: Literal["month"] | None = None,
    guard: Policy = "warn",
    stabilize: list[str] | None = None,
    network: str | None = None,
    device: Device = "auto",
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
) -> ForecastStore | xr.Dataset:
    """Forecast from states of a training store.

    Args:
        model: Run folder, forecaster folder, name of a shipped model, address on the Hub, or name of a reference
            forecast (`triton_earth.models.references.REFERENCES`), which is fitted to the training split of `store`.
            Without `out` also a forecaster.
        store: Training store with the initial conditions.
        out: New forecast store; None: no file is written, and the forecast stays in memory.
        steps: Number of leads, by default that of the model's recipe; may go beyond the end of the store.
        length: Forecast time in place of `steps`: ``36h``, ``365d``, ``4w``, ``6mo``, ``10y``; without a calendar a
            number in the units of the model's time.
        split: Split whose trajectories or periods are forecast.
        init: Initial times, as ``2018-01-01``, ``2018-01-01,2018-02-01`` or ``2018-01-01..2018-12-31/5D``; by default
            the first possible one of each trajectory or period, and with the recipe's `forecast.init_every` those that
            follow it. A month stands for its only time.
        forcings: Training store with the forcings; by default `store`.
        forcings_beyond: What stands in for forcings after the end of that store: ``repeat`` takes the same dates of its
            last year, ``2002`` those of that year. Those that follow from time and place alone, and constant ones,
            need nothing of the kind: they are known for every date. The forecast says what was done.
        batch_size: Forecasts that are made together, each member is one; by default the recipe's, or as many as
            memory allows. On a CPU the result does not depend on it; on a GPU its last digits do, and it is stored
            with the forecast.
        members: Forecasts from each initial state; with more than one the store has a dimension `member`.
        perturb: What makes the members differ: ``noise`` with the covariance of the differences between successive
            training states, added to the initial state, ``bred`` vectors that grow out of it in the times before,
            or ``none``; ``auto`` is none for a model with noise channels and noise for all others.
        perturb_size: Root mean square of what is added, in that of those differences.
        drop_paths: Leave out branches of the network at random, other ones for each member and step.
        seed: Seed of all that is random.
        variables: Names or patterns (``temperature_*``) of what is stored; by default all that is predicted.
        levels: Levels that are stored of variables that have one.
        leads: Steps that are stored, as ``1,5,10`` or ``FIRST..LAST/EVERY``.
        region: Where, as SOUTH:NORTH,WEST:EAST in degrees.
        statistics_only: Store mean, variance, smallest and largest value of each field in place of the field.
        mean_and_spread: Store mean and standard deviation over the members too.
        every: ``month`` stores the mean of each whole calendar month in place of single steps; from one initial time.
        guard: What to do about a forecast that leaves the training climate: ``warn`` and go on, ``record`` it only, or
            ``stop`` (its later states are missing). What the guard saw is stored with the forecast in each case.
        stabilize: Changes to the `forecast.stabilizers` of the model's recipe, as ``spectral_filter={}``,
            ``relaxation.steps=50`` or ``range_clamp=null``.
        network: The model's network as MODULE:CLASS, where it is neither registered nor of an installed package.
        device: Where to compute.
        resume: Go on with an unfinished forecast.
        overwrite: Replace an existing one.
        force: Go on though memory or disk do not suffice.

    Returns:
        The forecast: with `out` the store, else an `xarray.Dataset` with the same layout and values.

    Raises:
        UserError: if model and store do not fit, an initial time is not in the store, `out` exists and neither option
            allows it, or `out` is, holds or lies within what is read.

    Example:
        stored = triton_earth.forecast("run", "truth.zarr", "forecast.zarr")
        stored.lead_times, stored.init_times
        fields = triton_earth.forecast(model, store, steps=10)  # no file: an xarray.Dataset
        fields["vorticity"].isel(init=0, lead_time=-1).std().item()
    """
    model = model if isinstance(model, Forecaster) else Path(model)
    store = store if isinstance(store, TrainingStore) else Path(store)
    forcings = None if forcings is None else Path(forcings)
    if out is not None:
        out = _new_store(Path(out), model, store, forcings)
    elif resume or overwrite:
        raise UserError(
            "forecast: resume and overwrite are of use with `out` only. Leave them out."
        )
    request = request_forecast(
        model,
        store,
        steps=steps,
        length=length,
        split=split,
        init=[init] if isinstance(init, str) else init,
        forcings=forcings,
        forcings_beyond=forcings_beyond,
        batch_size=batch_size,
        ensemble=EnsembleConfig.parse(
            {
                "members": members,
                "perturb": perturb,
                "perturb_size": perturb_size,
                "drop_paths": drop_paths,
                "seed": seed,
            },
            "the ensemble",
        ),
        guard=guard,
        stabilizers=stabilize,
        network=network,
        device=device,
    )
    chosen = OutputConfig.parse(
        {
            "variables": variables,
            "levels": levels,
            "leads": leads,
            "region": region,
            "statistics_only": statistics_only,
            "mean_and_spread": mean_and_spread,
            "every": every,
        },
        "the output",
    )
    with torch_threads(request.threads):
        if out is None:
            return forecast_in_memory(
                request.forecaster, request.store, output=chosen, force=force, **request.how
            )
        return write_forecast(
            request.forecaster,
            request.store,
            out,
            output=chosen,
            resume=resume,
            overwrite=overwrite,
            force=force,
            **request.how,
        )


def _new_store(
    out: Path, model: Path | Forecaster, store: Path | TrainingStore, forcings: Path | None
) -> Path:
    """Return where a forecast is to be stored, once it is known that nothing that is read lies there."""
    if isinstance(model, Forecaster):
        raise UserError(
            f"{out}: a stored forecast says which model made it, and the forecaster '{model.name}' does not say where "
            "it comes from. Give the path of the model, or leave out `out`."
        )
    require_zarr_name(
        out,
        f"`triton-earth export-forecast {out.stem}.zarr --layout netcdf --out {out.stem}` makes NetCDF of it.",
    )
    read = store.path if isinstance(store, TrainingStore) else store
    require_apart(out, [*model_folders(model), read, *([] if forcings is None else [forcings])])
    require_not_of_a_run(out)
    return out
