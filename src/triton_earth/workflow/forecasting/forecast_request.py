"""What a forecast of a model from a store is to be, whether it is stored or judged while it is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triton_earth.core.config import apply_overrides
from triton_earth.core.errors import UserError
from triton_earth.core.time import Duration, describe_time, steps_in
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.models.registry import import_network
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.guard import GuardConfig, Policy
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.workflow.device import Device, resolve_device
from triton_earth.workflow.forecasting.init_times import initial_times
from triton_earth.workflow.forecasting.masks import require_same_forcing_mask
from triton_earth.workflow.forecasting.model_source import is_reference, open_model
from triton_earth.workflow.provenance import provenance
from triton_earth.workflow.recipes.recipe import number_of_steps


@dataclass(frozen=True)
class ForecastRequest:
    """A model, the states that it starts from, and how.

    Attributes:
        forecaster: The model.
        store: Training store with the initial conditions.
        threads: Threads of torch on a CPU; None for its own choice.
        how: Further arguments that `write_forecast` and `LiveForecasts` share.
    """

    forecaster: Forecaster
    store: TrainingStore
    threads: int | None
    how: dict[str, Any]


def request_forecast(
    model: Path | Forecaster,
    store: Path | TrainingStore,
    *,
    steps: int | None,
    length: str | None = None,
    split: str,
    init: list[str] | None = None,
    forcings: Path | None = None,
    forcings_beyond: str | None = None,
    batch_size: int | None = None,
    ensemble: EnsembleConfig,
    guard: Policy = "warn",
    stabilizers: list[str] | None = None,
    network: str | None = None,
    device: Device = "auto",
) -> ForecastRequest:
    """Load a model, find its initial times, and take from its recipe what is not given; see `forecast`.

    Args:
        model: Run folder, forecaster folder, name of a shipped model or reference forecast, or a forecaster.
        store: Training store with the initial conditions.
        steps: Number of leads; None: `length`, or that of the model's recipe.
        length: Forecast time in place of `steps`, as ``365d`` or ``1y``.
        split: Split whose trajectories or periods are forecast.
        init: Initial times; None: the recipe's.
        forcings: Training store with the forcings; None: `store`.
        forcings_beyond: What stands in for them after their end.
        batch_size: Forecasts that are made together; None: the recipe's, or as many as memory allows.
        ensemble: Members of each initial condition.
        guard: What to do about a forecast that leaves the training climate; reference forecasts are not watched.
        stabilizers: Changes to the stabilisers of the recipe.
        network: The model's network as MODULE:CLASS; None: it is registered, or of an installed package.
        device: Where to compute.

    Raises:
        UserError: if model and store do not fit, or an initial time is not in the store.
    """
    where = model.device if isinstance(model, NetworkForecaster) else resolve_device(device)
    if network is not None:
        import_network(network)
    data = store if isinstance(store, TrainingStore) else TrainingStore.open(store)
    if steps is not None and length is not None:
        raise UserError("--steps and --length: give one of the two.")
    if length is not None:
        steps = steps_in(length, data.time_step)
    opened = open_model(model, data, steps, where)
    forecaster, origin = opened.forecaster, opened.origin
    given = None if forcings is None else TrainingStore.open(forcings)
    if (
        given is not None
        and isinstance(forecaster, NetworkForecaster)
        and set(forecaster.forcing.names) <= set(given.variables.names)
    ):
        require_same_forcing_mask(forecaster, given)
    training = origin["training"]
    if steps is None:
        name = forecaster.name if isinstance(model, Forecaster) else str(model)
        steps = _recipe_steps(training, name, forecaster.time_step)
    if init:
        windows = _windows_at(data, split, init, forecaster.history)
    else:
        windows = windows_of(data, split, forecaster.history, steps, _init_every(training))
    changed = apply_overrides(_of_recipe(training, "stabilizers") or {}, stabilizers or [])
    how = {
        "trajectories": [trajectory for trajectory, _ in windows],
        "starts": [start for _, start in windows],
        "steps": steps,
        "batch_size": batch_size or _of_recipe(training, "batch_size"),
        "provenance": provenance(
            model=forecaster.name,
            parameters=opened.parameters,
            store_hash=data.content_hash,
            split=split,
            **origin,
        ),
        "ensemble": ensemble,
        "forcings": given,
        "forcings_beyond": forcings_beyond,
        # A reference forecast fades or stays by its definition: nothing is to be watched.
        "guard": None if is_reference(model) else GuardConfig(policy=guard),
        "stabilizers": StabilizersConfig.parse(changed, "the stabilizers"),
        "device": where,
    }
    return ForecastRequest(forecaster, data, _of_recipe(training, "threads"), how)


def _recipe_steps(training: dict[str, Any], model: str, time_step: Duration) -> int:
    try:
        recipe = training["recipe"]["forecast"]
        return number_of_steps(recipe["steps"], recipe.get("length"), time_step)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{model}: the model does not say how many steps to forecast; add --steps."
        ) from error


def _of_recipe(training: dict[str, Any], key: str) -> Any:
    """Return the forecast part of the model's recipe; None where there is none."""
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
            times = f"{describe_time(store.times[start])} to {describe_time(store.times[start + history - 1])}"
            belongs = ", ".join(sorted(name or "the gap between splits" for name in found))
            raise UserError(
                f"--init: the initial states of {times} belong to {belongs}, not to split '{split}'. Choose another "
                "time, or the split with --split."
            )
    return windows
