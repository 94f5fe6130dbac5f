"""`triton-earth forecast`: from a trained model and initial conditions to a forecast store."""

from pathlib import Path
from typing import Any

import numpy as np

from triton_earth.core.config import apply_overrides
from triton_earth.core.errors import UserError
from triton_earth.core.files import require_apart
from triton_earth.core.threads import torch_threads
from triton_earth.data.store import TrainingStore
from triton_earth.models.checkpoint import forecaster_folder, load_forecaster, load_provenance
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.ensemble import EnsembleConfig, Perturbation
from triton_earth.rollout.forecast_store import ForecastStore
from triton_earth.rollout.guard import GuardConfig, Policy
from triton_earth.rollout.output import OutputConfig
from triton_earth.rollout.stabilizers import StabilizersConfig
from triton_earth.rollout.writer import write_forecast
from triton_earth.workflow.device import Device, resolve_device
from triton_earth.workflow.init_times import initial_times
from triton_earth.workflow.provenance import provenance


def forecast(
    model: Path,
    store: Path,
    out: Path,
    *,
    steps: int | None = None,
    split: str = "test",
    init: list[str] | None = None,
    forcings: Path | None = None,
    batch_size: int | None = None,
    members: int = 1,
    perturb: Perturbation = "noise",
    perturb_size: float = 0.5,
    drop_paths: bool = False,
    seed: int = 0,
    variables: list[str] | None = None,
    levels: list[float] | list[str] | None = None,
    leads: str | None = None,
    region: str | None = None,
    statistics_only: bool = False,
    mean_and_spread: bool = False,
    guard: Policy = "warn",
    stabilizers: list[str] | None = None,
    device: Device = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> ForecastStore:
    """Forecast from states of a training store.

    Args:
        model: Run folder or forecaster folder.
        store: Training store with the initial conditions.
        out: New forecast store.
        steps: Number of leads, by default that of the model's recipe; may go beyond the end of the store.
        split: Split whose trajectories or periods are forecast.
        init: Initial times, as ``2018-01-01``, ``2018-01-01,2018-02-01`` or ``2018-01-01..2018-12-31/5D``; by default
            the first possible one of each trajectory or period, and with the recipe's `forecast.init_every` those that
            follow it. A month stands for its only time.
        forcings: Training store with the forcings; by default `store`.
        batch_size: Forecasts that are made together, each member is one; by default the recipe's, or as many as
            memory allows. On a CPU
            the result does not depend on it; on a GPU its last digits do, and it is stored with the forecast.
        members: Forecasts from each initial state; with more than one the store has a dimension `member`.
        perturb: What makes the members differ: ``noise`` with the covariance of the differences between successive
            training states, added to the initial state, ``bred`` vectors that grow out of it in the times before,
            or ``none``.
        perturb_size: Root mean square of what is added, in that of those differences.
        drop_paths: Leave out branches of the network at random, other ones for each member and step.
        seed: Seed of all that is random.
        variables: Names or patterns (``temperature_*``) of what is stored; by default all that is predicted.
        levels: Levels that are stored of variables that have one.
        leads: Steps that are stored, as ``1,5,10`` or ``FIRST..LAST/EVERY``.
        region: Where, as SOUTH:NORTH,WEST:EAST in degrees.
        statistics_only: Store mean, variance, smallest and largest value of each field in place of the field.
        mean_and_spread: Store mean and standard deviation over the members too.
        guard: What to do about a forecast that leaves the training climate: ``warn`` and go on, ``record`` it only, or
            ``stop`` (its later states are missing). What the guard saw is stored with the forecast in each case.
        stabilizers: Changes to the `forecast.stabilizers` of the model's recipe, as ``spectral_filter={}``,
            ``relaxation.steps=50`` or ``range_clamp=null``.
        device: Where to compute.
        resume: Go on with an unfinished forecast.
        overwrite: Replace an existing one.

    Returns:
        The forecast.

    Raises:
        UserError: if model and store do not fit, an initial time is not in the store, `out` exists and neither option
            allows it, or `out` is, holds or lies within what is read.
    """
    require_apart(out, [forecaster_folder(model), store, *([] if forcings is None else [forcings])])
    where = resolve_device(device)
    forecaster = load_forecaster(model, where)
    data = TrainingStore.open(store)
    require_same_mask(forecaster, data)
    origin = load_provenance(model)
    if steps is None:
        steps = _recipe_steps(origin["training"], model)
    if batch_size is None:
        batch_size = _of_recipe(origin["training"], "batch_size")
    if init:
        windows = _windows_at(data, split, init, forecaster.history)
    else:
        windows = windows_of(
            data, split, forecaster.history, steps, _init_every(origin["training"])
        )
    with torch_threads(_of_recipe(origin["training"], "threads")):
        return write_forecast(
            forecaster,
            data,
            out,
            trajectories=[trajectory for trajectory, _ in windows],
            starts=[start for _, start in windows],
            steps=steps,
            batch_size=batch_size,
            provenance=provenance(
                model=forecaster.name,
                parameters=forecaster.parameter_count,
                store_hash=data.content_hash,
                split=split,
                **origin,
            ),
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
            output=OutputConfig.parse(
                {
                    "variables": variables,
                    "levels": levels,
                    "leads": leads,
                    "region": region,
                    "statistics_only": statistics_only,
                    "mean_and_spread": mean_and_spread,
                },
                "the output",
            ),
            forcings=None if forcings is None else TrainingStore.open(forcings),
            guard=GuardConfig(policy=guard),
            stabilizers=StabilizersConfig.parse(
                apply_overrides(
                    _of_recipe(origin["training"], "stabilizers") or {}, stabilizers or []
                ),
                "the stabilizers",
            ),
            device=where,
            resume=resume,
            overwrite=overwrite,
        )


def _recipe_steps(training: dict[str, Any], model: Path) -> int:
    try:
        return int(training["recipe"]["forecast"]["steps"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{model}: the model does not say how many steps to forecast; add --steps."
        ) from error


def require_same_mask(forecaster: NetworkForecaster, store: TrainingStore) -> None:
    """Refuse a store that is defined elsewhere than where the model was trained to forecast."""
    forecaster.require_fit(store.variables, store.grid, store.time_step, str(store.path))
    predicted = store.variables.indices(forecaster.predicted.names)
    shape = (len(predicted), *store.grid.shape)
    everywhere = np.ones(shape, dtype=bool)
    ours = everywhere if forecaster.valid_mask is None else forecaster.valid_mask.cpu().numpy()
    theirs = everywhere if store.valid_mask is None else store.valid_mask[predicted]
    for name, one, other in zip(forecaster.predicted.names, ours, theirs, strict=True):
        if not np.array_equal(one, other):
            raise UserError(
                f"{store.path}: '{name}' is defined in {int(other.sum())} cells, but the model '{forecaster.name}' was "
                f"trained where it is in {int(one.sum())}; {int((one != other).sum())} cells differ. Prepare the store "
                "with the model's mask, or train on it."
            )


def _of_recipe(training: dict[str, Any], key: str) -> Any:
    """Return what the forecast part of the model's recipe says; None where it says nothing."""
    return training.get("recipe", {}).get("forecast", {}).get(key)


def _init_every(training: dict[str, Any]) -> int | None:
    """Return the steps between initial times that the model's recipe wishes for."""
    every = _of_recipe(training, "init_every")
    return None if every is None else int(every)


def windows_of(
    store: TrainingStore, split: str, history: int, steps: int, every: int | None
) -> list[tuple[int, int]]:
    """Return (trajectory, first time) of the initial states in each trajectory or period of a split.

    The first possible one, and with `every` those that follow as long as the period holds their truth to the end.
    """
    windows: list[tuple[int, int]] = []
    for segment in store.segments(split):
        if len(segment) < history:
            continue
        last = max(segment.start, segment.stop - history - steps)
        starts = [segment.start] if every is None else range(segment.start, last + 1, every)
        windows.extend((segment.trajectory, start) for start in starts)
    if not windows:
        raise UserError(
            f"{store.path}: no period of split '{split}' holds the {history} states the model starts from."
        )
    return windows


def _windows_at(
    store: TrainingStore, split: str, init: list[str], history: int
) -> list[tuple[int, int]]:
    """Return (trajectory, first time) of the `history` states that lead up to each initial time."""
    starts = [index - history + 1 for index in initial_times(init, store, history)]
    windows = [
        (trajectory, start)
        for trajectory in store.trajectories_in(split).tolist()
        for start in starts
    ]
    for trajectory, start in windows:
        found = set(store.split[trajectory, start : start + history].tolist())
        if found != {split}:
            times = f"{store.times[start]} to {store.times[start + history - 1]}"
            belongs = ", ".join(sorted(name or "the gap between splits" for name in found))
            raise UserError(
                f"--init: the initial states of {times} belong to {belongs}, not to split '{split}'. Choose another "
                "time, or the split with --split."
            )
    return windows
