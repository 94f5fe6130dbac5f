"""The streaming writer: consumes rollouts into a forecast store, lead by lead, and can go on after a crash."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.files import claim_output, publish, read_json, write_json
from triton_earth.core.progress import progress
from triton_earth.core.state import State
from triton_earth.data.store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.climate import Climate, training_climate
from triton_earth.rollout.ensemble import EnsembleConfig, initial_states
from triton_earth.rollout.forecast_store import (
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
    open_for_writing,
    write_guard,
    write_lead,
)
from triton_earth.rollout.guard import Guard, GuardConfig, Trip, guard_record
from triton_earth.rollout.rollout import rollout

logger = logging.getLogger("triton_earth")

PROGRESS = "progress.json"


def write_forecast(
    forecaster: Forecaster,
    store: TrainingStore,
    out: Path,
    *,
    trajectories: list[int],
    starts: list[int],
    steps: int,
    batch_size: int,
    provenance: dict[str, Any],
    ensemble: EnsembleConfig | None = None,
    guard: GuardConfig | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
) -> ForecastStore:
    """Forecast from states of a store and write every lead as it comes; memory does not grow with `steps`.

    After a crash `resume` goes on after the last lead that was written; the finished forecast has the same bits as an
    uninterrupted one, because a state is stored exactly as it is fed back and batches stay the same.

    Args:
        forecaster: The model.
        store: Where the initial conditions and forcings are.
        out: New forecast store.
        trajectories: Trajectory of each initial condition.
        starts: Index of the first of the `history` initial times of each initial condition.
        steps: Number of leads.
        batch_size: Forecasts that are made together; each member is one.
        provenance: How the forecast is made; plain values. Its `model_hash` says which weights are used.
        ensemble: Members of each initial condition; None: single forecasts.
        guard: What watches the prognostic variables, and what it does; its record is stored with the forecast. None:
            nothing does.
        device: Where the forecaster's weights are.
        resume: Go on with an unfinished forecast.
        overwrite: Replace an existing one.

    Returns:
        The finished forecast.

    Raises:
        UserError: if model and store do not fit, an initial state is not finite, the forcings end before the forecast,
            or `out` exists and neither option allows it.
    """
    if steps < 1:
        raise UserError(f"a forecast needs at least one step; found {steps}.")
    if batch_size < 1:
        raise UserError(f"a batch needs at least one initial condition; found {batch_size}.")
    forecaster.require_fit(store.variables, store.grid, store.time_step, str(store.path))
    last_input = np.array(starts) + forecaster.history - 1
    available = len(store.times) - 1 - int(last_input.max())
    needed = -(-steps // forecaster.block) * forecaster.block
    if len(forecaster.forcing) and needed > available:
        raise UserError(
            f"{store.path}: forcings end {available} steps after the last initial time, but a forecast of {steps} "
            f"steps needs {needed}. Shorten the forecast or start it earlier."
        )
    ensemble = ensemble or EnsembleConfig()
    ensemble.require_different_members()
    rows = len(starts) * ensemble.members
    batches = [slice(first, min(first + batch_size, rows)) for first in range(0, rows, batch_size)]

    def initial(batch: slice) -> State:
        return initial_states(forecaster, store, trajectories, starts, batch, ensemble)

    for number in range(len(starts)):  # all are checked before anything is written
        initial_states(
            forecaster, store, trajectories, starts, slice(number, number + 1), EnsembleConfig()
        )
    identity = {
        "model": forecaster.name,
        "model_hash": provenance.get("model_hash"),
        "store_hash": store.content_hash,
        "trajectories": trajectories,
        "starts": starts,
        "steps": steps,
        "ensemble": ensemble.model_dump(mode="json"),
        "batch_size": batch_size,
        "stop": guard is not None and guard.policy == "stop",
    }
    climate = (
        None if guard is None else training_climate(store, forecaster.prognostic, guard.margins)
    )
    partial = claim_output(out, resume=resume, overwrite=overwrite)
    if resume and out.exists():
        finished = ForecastStore.open(out)
        _require_same(finished.provenance["identity"], identity, out)
        logger.info("%s is complete; nothing to resume.", out)
        return finished
    if not (resume and (partial / PROGRESS).exists()):
        create_forecast_store(
            partial,
            variables=forecaster.predicted,
            grid=forecaster.grid,
            time_step=forecaster.time_step,
            steps=steps,
            init_times=store.times[last_input],
            trajectories=np.array(trajectories),
            members=ensemble.members,
            provenance={**provenance, "identity": identity},
        )
        write_json(partial / PROGRESS, {"identity": identity, "leads": [0] * len(batches)})
    written = _leads_written(partial, identity)
    arrays = open_for_writing(partial, forecaster.predicted.names)
    trips: list[Trip] = []
    with progress("forecast", len(batches) * steps, done=sum(written)) as advance:
        for number, batch in enumerate(batches):
            done, first = written[number], initial(batch)
            watch = _guard(guard, climate, first, partial, batch, ensemble.members, done, device)
            if done < steps and not (watch and watch.finished):
                window = _window_after(done, first, partial, batch, forecaster.block)
                of_row = np.repeat(trajectories, ensemble.members)[batch].tolist()
                forcings = _forcings(forecaster, store, of_row, window)
                with torch.inference_mode():
                    states = rollout(forecaster, window.to(device), forcings, steps - done)
                    for state in watch.watch(states) if watch else states:
                        write_lead(arrays, batch, written[number], state)
                        written[number] += 1
                        if written[number] % forecaster.block == 0:
                            write_json(partial / PROGRESS, {"identity": identity, "leads": written})
                        advance()
            if watch:
                trips += watch.trips
    if guard is not None and climate is not None:
        write_guard(partial, guard_record(guard, climate, trips))
    (partial / PROGRESS).unlink()
    finish_forecast_store(partial)
    publish(partial, out)
    return ForecastStore.open(out)


def _guard(
    config: GuardConfig | None,
    climate: Climate | None,
    initial: State,
    partial: Path,
    batch: slice,
    members: int,
    done: int,
    device: torch.device | str,
) -> Guard | None:
    """Return a guard that has seen the leads that are written already, so that a resumed record is the same."""
    if config is None or climate is None:
        return None
    guard = Guard(climate, config.policy, initial.to(device), batch.start, members)
    if done:
        stored = ForecastStore.open(partial, complete=False)
        for lead in range(done):
            guard.check(stored.state(batch, lead).to(device))
    return guard


def _leads_written(partial: Path, identity: dict[str, Any]) -> list[int]:
    """Return how many leads of each batch an unfinished forecast has."""
    state = read_json(partial / PROGRESS, "unfinished forecast")
    _require_same(state["identity"], identity, partial)
    return list(state["leads"])


def _require_same(found: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Refuse to go on with a forecast that another model, store or request made."""
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        raise UserError(
            f"{path}: the forecast there was made with another {' and '.join(differing)}. "
            "Repeat its own command with --resume, or start again with --overwrite."
        )


def _window_after(done: int, initial: State, partial: Path, batch: slice, block: int) -> State:
    """Return the states that the rollout goes on from once `done` leads are written.

    `done` is a multiple of the model's block, so the window is where an uninterrupted rollout applied the model too.
    """
    if done % block:
        raise ValueError(f"leads are counted in blocks of {block}; found {done}.")
    if done == 0:
        return initial
    stored = ForecastStore.open(partial, complete=False)
    window = initial
    for lead in range(max(0, done - initial.data.shape[1]), done):
        window = window.append(stored.state(batch, lead))
    return window.last(initial.data.shape[1])


def _forcings(
    forecaster: Forecaster, store: TrainingStore, trajectories: list[int], window: State
) -> Iterator[State] | None:
    """Yield the true forcings at the target times of each application of the model."""
    if not len(forecaster.forcing):
        return None

    def states() -> Iterator[State]:
        times = window.valid_times[:, -1]
        starts = [1 + int(np.argmin(np.abs(store.times - time))) for time in times]
        while True:
            forcing = store.windows(trajectories, starts, forecaster.block)
            forcing = forcing.select(forecaster.forcing.names)
            forcing.require_finite(f"{store.path}: the forcing")
            yield forcing.to(window.data.device)
            starts = [start + forecaster.block for start in starts]

    return states()
