"""The streaming writer: consumes rollouts into a forecast store, lead by lead, and can go on after a crash."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from triton_earth.core.errors import UserError
from triton_earth.core.files import claim_output, publish
from triton_earth.core.progress import progress
from triton_earth.core.state import State
from triton_earth.data.store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.batch_size import find_batch_size
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.forecast_store import (
    CHANGE,
    STATISTICS,
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
    open_for_writing,
    write_guard,
    write_lead,
    write_mean_and_spread,
)
from triton_earth.rollout.guard import Guard, GuardConfig, Trip, guard_record
from triton_earth.rollout.output import STATISTICS as NAMES
from triton_earth.rollout.output import Output, OutputConfig
from triton_earth.rollout.restart import NAME, Pace, Restart
from triton_earth.rollout.stabilizers import Correction, StabilizersConfig

logger = logging.getLogger("triton_earth")


def write_forecast(
    forecaster: Forecaster,
    store: TrainingStore,
    out: Path,
    *,
    trajectories: list[int],
    starts: list[int],
    steps: int,
    provenance: dict[str, Any],
    batch_size: int | None = None,
    ensemble: EnsembleConfig | None = None,
    output: OutputConfig | None = None,
    forcings: TrainingStore | None = None,
    guard: GuardConfig | None = None,
    stabilizers: StabilizersConfig | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
) -> ForecastStore:
    """Forecast from states of a store and write every lead as it comes; memory does not grow with `steps`.

    After a crash `resume` goes on from the restart file; the finished forecast has the same bits as an uninterrupted
    one, because a state is stored exactly as it is fed back and batches stay the same.

    Args:
        forecaster: The model.
        store: Where the initial conditions are.
        out: New forecast store.
        trajectories: Trajectory of each initial condition.
        starts: Index of the first of the `history` initial times of each initial condition.
        steps: Number of steps.
        provenance: How the forecast is made; plain values. Its `model_hash` says which weights are used.
        batch_size: Forecasts that are made together, each member is one; None: as many as memory allows.
        ensemble: Members of each initial condition; None: single forecasts.
        output: What is stored; None: all fields.
        forcings: Where the forcings are; None: in `store`.
        guard: What watches the predicted variables, and what it does; its record is stored with the forecast. None:
            nothing does.
        stabilizers: What corrects each state before it is fed back; None: nothing does. How much each of them changes
            is stored with the forecast.
        device: Where the forecaster's weights are.
        resume: Go on with an unfinished forecast.
        overwrite: Replace an existing one.

    Returns:
        The finished forecast.

    Raises:
        UserError: if model and store do not fit, an initial state is not finite, the forcings do not fit or end before
            the forecast, what is to be stored is not there, or `out` exists and neither option allows it.
    """
    if steps < 1:
        raise UserError(f"a forecast needs at least one step; found {steps}.")
    if batch_size is not None and batch_size < 1:
        raise UserError(f"a batch needs at least one initial condition; found {batch_size}.")
    ensemble, asked = ensemble or EnsembleConfig(), output or OutputConfig()
    stabilizers = stabilizers or StabilizersConfig()
    batches = Batches.of(
        forecaster,
        store,
        trajectories=trajectories,
        starts=starts,
        steps=steps,
        ensemble=ensemble,
        forcings=forcings,
        guard=guard,
        stabilizers=stabilizers,
        device=device,
    )
    chosen = _output(forecaster, store, asked, steps, ensemble.members)
    identity = {
        "model": forecaster.name,
        "model_hash": provenance.get("model_hash"),
        "store_hash": store.content_hash,
        "forcings_hash": (forcings or store).content_hash,
        "trajectories": trajectories,
        "starts": starts,
        "steps": steps,
        "ensemble": ensemble.model_dump(mode="json"),
        "output": asked.model_dump(mode="json"),
        "stabilizers": stabilizers.model_dump(mode="json"),
        "stop": guard is not None and guard.policy == "stop",
    }
    partial = claim_output(out, resume=resume, overwrite=overwrite)
    if resume and out.exists():
        finished = ForecastStore.open(out)
        _require_same(finished.provenance["identity"], identity, batch_size, out)
        logger.info("%s is complete; nothing to resume.", out)
        return finished
    if resume and (partial / NAME).exists():
        restart = Restart.read(partial)
        _require_same(restart.identity, identity, batch_size, partial)
    else:
        size = batch_size or find_batch_size(forecaster, batches.rows, batches.device)
        restart = Restart({**identity, "batch_size": size})
        create_forecast_store(
            partial,
            variables=chosen.variables,
            grid=chosen.grid,
            time_step=forecaster.time_step,
            steps=chosen.leads,
            init_times=store.times[np.array(starts) + forecaster.history - 1],
            trajectories=np.array(trajectories),
            members=ensemble.members,
            statistics=NAMES if chosen.statistics_only else (),
            mean_and_spread=chosen.mean_and_spread,
            corrected=forecaster.prognostic.names,
            stabilizers=stabilizers.names,
            provenance={**provenance, "identity": restart.identity},
        )
        restart.write(partial)
    arrays = open_for_writing(
        partial,
        [
            *([STATISTICS] if chosen.statistics_only else chosen.variables.names),
            *([CHANGE] if batches.stabilizers else []),
        ],
    )
    trips = _Run(batches, chosen, partial, arrays).complete(restart)
    if chosen.mean_and_spread:
        write_mean_and_spread(partial)
    if guard is not None and batches.climate is not None:
        write_guard(partial, guard_record(guard, batches.climate, trips))
    (partial / NAME).unlink()
    finish_forecast_store(partial)
    publish(partial, out)
    return ForecastStore.open(out)


@dataclass(frozen=True)
class _Run:
    """A forecast at work: everything that stays the same from its first to its last batch."""

    batches: Batches
    output: Output
    folder: Path
    arrays: list[zarr.Array]

    def complete(self, restart: Restart) -> list[Trip]:
        """Make all batches from a restart on, and return what the guard saw in all of them."""
        rows, size = self.batches.rows, restart.identity["batch_size"]
        slices = [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
        done = restart.batch * self.batches.steps + restart.step
        with progress("forecast", len(slices) * self.batches.steps, done=done) as advance:
            for number in range(restart.batch, len(slices)):
                trips = self._complete_batch(restart, slices[number], advance)
                restart = Restart(restart.identity, number + 1, trips=trips)
                restart.write(self.folder)
        return [Trip(**trip) for trip in restart.trips]

    def _complete_batch(
        self, restart: Restart, rows: slice, advance: Callable[[], None]
    ) -> list[dict[str, Any]]:
        batch = self.batches.start(rows, restart.step, restart.tensors)
        steps, block = self.batches.steps, self.batches.forecaster.block
        pace = Pace()
        with torch.inference_mode():
            for state in batch.states():
                self._write(rows, batch.step, state, batch.correction)
                if batch.step % block == 0 and batch.step < steps and pace.due():
                    trips = restart.trips + _plain(batch.guard)
                    now = Restart(
                        restart.identity, restart.batch, batch.step, trips, batch.memory()
                    )
                    pace.write(now, self.folder)
                advance()
        return restart.trips + _plain(batch.guard)

    def _write(self, rows: slice, step: int, state: State, correction: Correction | None) -> None:
        changes = [] if correction is None else [correction.changes.popleft()]
        if step not in self.output.leads:
            return
        fields = self.output.fields(state)
        values = [fields[:, channel] for channel in range(fields.shape[1])]
        if self.output.statistics_only:
            values = [self.output.statistics(fields).astype(np.float32)]
        lead = self.output.leads.index(step)
        write_lead(self.arrays, rows, self.batches.ensemble.members, lead, [*values, *changes])


def _output(
    forecaster: Forecaster, store: TrainingStore, asked: OutputConfig, steps: int, members: int
) -> Output:
    """Find out what is stored."""
    if asked.mean_and_spread and (members == 1 or asked.statistics_only):
        raise UserError(
            "mean and spread are those of stored members; give --members, and leave out --statistics-only."
        )
    predicted = store.variables.indices(forecaster.predicted.names)
    mask = None if store.valid_mask is None else store.valid_mask[predicted]
    return asked.build(forecaster.predicted, forecaster.grid, steps, mask)


def _require_same(
    found: dict[str, Any], wanted: dict[str, Any], batch_size: int | None, path: Path
) -> None:
    """Refuse to go on with a forecast that another model, store or request made."""
    if batch_size is not None:
        wanted = {**wanted, "batch_size": batch_size}
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        raise UserError(
            f"{path}: the forecast there was made with another {' and '.join(differing)}. "
            "Repeat its own command with --resume, or start again with --overwrite."
        )


def _plain(guard: Guard | None) -> list[dict[str, Any]]:
    return [] if guard is None else [asdict(trip) for trip in guard.trips]
