"""The streaming writer: consumes rollouts into a forecast store, lead by lead, and can go on after a crash."""

import functools
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import Claim, Kind
from triton_earth.core.outputs.files import sync_all, sync_tree
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.processes.progress import progress
from triton_earth.core.state import State
from triton_earth.data.store.groups import create_again, is_sealed, seal
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.batch_size import find_batch_size
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.guard import Guard, GuardConfig, Trip, guard_record
from triton_earth.rollout.guard.stabilizers import Correction, StabilizersConfig
from triton_earth.rollout.monthly_means import MonthlyMeans, whole_months
from triton_earth.rollout.storage.forecast_store import (
    CHANGE,
    FORMAT,
    STATISTICS,
    ForecastStore,
    create_forecast_store,
    field_names,
    finish_forecast_store,
    open_for_writing,
    write_guard,
    write_lead,
    write_mean_and_spread,
)
from triton_earth.rollout.storage.output import STATISTICS as NAMES
from triton_earth.rollout.storage.output import Output, OutputConfig
from triton_earth.rollout.storage.recheck import Layout, recheck
from triton_earth.rollout.storage.restart import NAME, Pace, Restart
from triton_earth.rollout.stored_rows import chunk_files

logger = logging.getLogger("triton_earth")

FORECAST = Kind("forecast", ("zarr.json",), FORMAT, working=(NAME,))
"""What `forecast` makes."""


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
    forcings_beyond: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
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
        forcings_beyond: What stands in for forcings after their end, as `forecast` says; stored with the forecast.
        resume: Go on with an unfinished forecast.
        overwrite: Replace an existing one.
        force: Go on though memory or disk do not suffice.

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
    if not force:
        _require_memory(forecaster, out, len(starts) * ensemble.members, steps, batch_size)
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
        forcings_beyond=forcings_beyond,
    )
    if batches.forcings.remark is not None:
        provenance = {**provenance, "forcings_beyond": batches.forcings.remark}
    init_times = store.times[np.array(starts) + forecaster.history - 1]
    chosen = _output(forecaster, store, asked, steps, ensemble.members, init_times)
    if not force:
        _require_disk(chosen, out, batches.rows)
    identity = {
        "model": forecaster.name,
        "model_hash": provenance.get("model_hash"),
        "store_hash": store.content_hash,
        "forcings_hash": (forcings or store).content_hash,
        **({} if forcings_beyond is None else {"forcings_beyond": forcings_beyond}),
        "trajectories": trajectories,
        "starts": starts,
        "steps": steps,
        "ensemble": ensemble.model_dump(mode="json"),
        "output": asked.identity,
        "stabilizers": stabilizers.model_dump(mode="json"),
        "stop": guard is not None and guard.policy == "stop",
    }

    def require_same(found: Any, where: Path) -> None:
        _require_same(found, identity, batch_size, where)

    if not (resume or overwrite):
        _require_no_shorter(out, identity)
    with Claim(out, FORECAST, resume=resume, overwrite=overwrite) as claim:
        if not claim.goes_on(require_same):
            if claim.is_complete:
                finished = ForecastStore.open(claim.path)
                _require_same(finished.provenance["identity"], identity, batch_size, claim.path)
                logger.info("%s is complete; nothing to resume.", claim.path)
                return finished
            size = batch_size or find_batch_size(forecaster, batches.rows, batches.device)
            claim.begin({**identity, "batch_size": size})
        fresh = Restart(claim.identity)
        names = [STATISTICS] if chosen.statistics_only else chosen.variables.names
        names = [*names, *([CHANGE] if batches.stabilizers else [])]

        def create(folder: Path) -> None:
            create_forecast_store(
                folder,
                variables=chosen.variables,
                grid=chosen.grid,
                time_step=forecaster.time_step,
                steps=chosen.leads,
                init_times=init_times,
                months=chosen.months,
                trajectories=np.array(trajectories),
                members=ensemble.members,
                statistics=NAMES if chosen.statistics_only else (),
                mean_and_spread=chosen.mean_and_spread,
                corrected=forecaster.prognostic.names,
                stabilizers=stabilizers.names,
                provenance={**provenance, "identity": fresh.identity},
            )

        _create_where_needed(claim, create, names)
        arrays = open_for_writing(claim.partial, names)
        run = _Run(batches, chosen, claim.partial, arrays)
        trips = run.complete(run.checked(_restart_of(claim.partial, fresh)))
        if chosen.mean_and_spread:
            write_mean_and_spread(claim.partial)
        if guard is not None and batches.climate is not None:
            record = guard_record(guard, batches.climate, trips)
            write_guard(claim.partial, record)
            batches.announcements.sum_up(record, batches.rows)
        finish_forecast_store(claim.partial)
        ForecastStore.open(claim.partial)
        claim.publish()
    return ForecastStore.open(out)


def _create_where_needed(claim: Claim, create: Callable[[Path], None], names: list[str]) -> None:
    """Write the empty forecast of a claim, or what is lost or damaged of its description."""
    if not claim.is_created:
        claim.clear()
        create(claim.partial)
    elif not is_sealed(claim.partial, claim.notes.get("seal")):
        logger.warning("%s: its description is damaged and is made again.", claim.partial)
        create_again(claim.partial, names, create)
    else:
        return
    sync_tree(claim.partial)
    claim.created(seal=seal(claim.partial, field_names(claim.partial)))


def _restart_of(folder: Path, fresh: Restart) -> Restart:
    """Return where an unfinished forecast is; its beginning where that is not known."""
    if not (folder / NAME).exists():
        return fresh
    try:
        return Restart.read(folder)
    except UserError as error:
        logger.warning("%s The forecast is made again from its beginning.", error)
        return fresh


def _require_memory(
    forecaster: Forecaster, out: Path, rows: int, steps: int, batch_size: int | None
) -> None:
    """Refuse a forecast of which one batch's states, or the numbers of all rows and steps, do not fit into memory."""
    state = 4.0 * len(forecaster.variables) * math.prod(forecaster.grid.shape)
    at_once = min(rows, batch_size or 1)
    require_fits(
        f"{out}: the forecast of {rows} rows and {steps} steps",
        memory=at_once * (4 * forecaster.history + 2) * state + 500.0 * rows + 100.0 * steps,
        advice="Take fewer --members or --steps, or a smaller --batch-size.",
    )


def _require_disk(chosen: Output, out: Path, rows: int) -> None:
    """Refuse a forecast that does not fit onto the disk; what compression saves is not counted on."""
    cells = 4 if chosen.statistics_only else math.prod(chosen.grid.shape)
    require_fits(
        f"{out}: the forecast of {rows} rows and {len(chosen.leads)} leads",
        disk=4.0 * rows * len(chosen.leads) * len(chosen.variables) * cells,
        path=out,
        advice="Store less with --variables, --leads, --region or --statistics-only.",
    )


@dataclass(frozen=True)
class _Run:
    """A forecast at work: everything that stays the same from its first to its last batch."""

    batches: Batches
    output: Output
    folder: Path
    arrays: list[zarr.Array]
    unsynced: set[str] = field(default_factory=set)

    def checked(self, restart: Restart) -> Restart:
        """Return from where the forecast can go on, after a look at all that has been written."""
        layout = Layout(
            self.batches.rows,
            self.batches.ensemble.members,
            restart.identity["batch_size"],
            self.output.leads,
            self.batches.guard is not None and self.batches.guard.policy == "stop",
        )
        there: np.ndarray = np.any(self.output.weights > 0, axis=(-2, -1))
        has_cells = {
            name: bool(cells)
            for name, cells in zip(self.output.variables.names, there, strict=True)
        }
        arrays = [array for array in self.arrays if has_cells.get(array.basename, True)]
        return recheck(self.folder, arrays, layout, restart)

    def save(self, restart: Restart) -> None:
        """Write a restart file once all that it speaks of is on the disk."""
        paths = [self.folder / name for name in sorted(self.unsynced)]
        sync_all([path for path in paths if path.exists()])
        self.unsynced.clear()
        restart.write(self.folder)

    def complete(self, restart: Restart) -> list[Trip]:
        """Make all batches from a restart on, and return what the guard saw in all of them."""
        rows, size = self.batches.rows, restart.identity["batch_size"]
        slices = [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
        done = restart.batch * self.batches.steps + restart.step
        began, first = time.monotonic(), self._states_done(restart)
        with progress("forecast", len(slices) * self.batches.steps, done=done) as advance:
            for number in range(restart.batch, len(slices)):
                trips = self._complete_batch(restart, slices[number], advance)
                restart = Restart(restart.identity, number + 1, trips=trips)
                self.save(restart)
        self._tell_pace(time.monotonic() - began, rows * self.batches.steps - first)
        return [Trip(**trip) for trip in restart.trips]

    def _states_done(self, restart: Restart) -> int:
        """Return how many states of all rows are complete."""
        size = restart.identity["batch_size"]
        first = min(restart.batch * size, self.batches.rows)
        at_work = min(size, self.batches.rows - first)
        return first * self.batches.steps + at_work * restart.step

    def _tell_pace(self, seconds: float, states: int) -> None:
        """Say how many simulated years a day of this machine gives, members counted."""
        step = self.batches.forecaster.time_step
        if isinstance(step, np.timedelta64) and states and seconds > 0:
            years = states * float(step / np.timedelta64(1, "D")) / 365.25
            logger.info("forecast: %.3g simulated years per day", years / (seconds / 86400))

    def _complete_batch(
        self, restart: Restart, rows: slice, advance: Callable[[], None]
    ) -> list[dict[str, Any]]:
        batch = self.batches.start(rows, restart.step, restart.tensors)
        means = MonthlyMeans(self.output.months, restart.tensors) if self.output.months else None
        steps, block = self.batches.steps, self.batches.forecaster.block
        pace = Pace()
        with torch.inference_mode():
            for state in batch.states():
                self._write(rows, batch.step, state, batch.correction, means)
                if batch.step % block == 0 and batch.step < steps and pace.due():
                    trips = restart.trips + _plain(batch.guard)
                    memory = {**batch.memory(), **({} if means is None else means.memory())}
                    now = Restart(restart.identity, restart.batch, batch.step, trips, memory)
                    pace.write(functools.partial(self.save, now))
                advance()
        return restart.trips + _plain(batch.guard)

    def _write(
        self,
        rows: slice,
        step: int,
        state: State,
        correction: Correction | None,
        means: MonthlyMeans | None,
    ) -> None:
        changes = [] if correction is None else [correction.changes.popleft()]
        if means is None and step not in self.output.leads:
            return
        fields = self.output.fields(state)
        values = [fields[:, channel] for channel in range(fields.shape[1])]
        if self.output.statistics_only:
            values = [self.output.statistics(fields).astype(np.float32)]
        stored: list[np.ndarray] | None = [*values, *changes]
        if means is not None:
            stored = means.add(step, values, changes)
        if stored is None:
            return
        lead = self.output.leads.index(step)
        members = self.batches.ensemble.members
        try:
            write_lead(self.arrays, rows, members, lead, stored)
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be written ({error.strerror or error}). Make room, then repeat the command with "
                "--resume."
            ) from error
        for array in self.arrays:
            self.unsynced.update(chunk_files(array, rows, members, lead))


def _output(
    forecaster: Forecaster,
    store: TrainingStore,
    asked: OutputConfig,
    steps: int,
    members: int,
    init_times: np.ndarray,
) -> Output:
    """Find out what is stored."""
    if asked.mean_and_spread and (members == 1 or asked.statistics_only):
        raise UserError(
            "mean and spread are those of stored members; give --members, and leave out --statistics-only."
        )
    predicted = store.variables.indices(forecaster.predicted.names)
    mask = None if store.valid_mask is None else store.valid_mask[predicted]
    output = asked.build(forecaster.predicted, forecaster.grid, steps, mask)
    if asked.every is None:
        return output
    months = whole_months(init_times, forecaster.time_step, steps)
    return replace(output, months=months, leads=tuple(month.last_step for month in months))


_LENGTH = (
    "A forecast keeps its length. To have more steps, forecast again with another --out: the steps that both have are "
    "the same to the bit. Or go on from its last states in Python (docs/everyday.md, A finished forecast for longer)."
)


def _require_no_shorter(out: Path, wanted: dict[str, Any]) -> None:
    """Refuse to write where the same forecast with fewer steps is, and say how to have more."""
    try:
        found = ForecastStore.open(out).provenance["identity"] if out.is_dir() else {}
    except (UserError, KeyError, TypeError):
        return  # what is there is no forecast, and the claim says so
    longer = int(found.get("steps", wanted["steps"])) < wanted["steps"]
    if longer and all(found.get(name) == wanted[name] for name in wanted if name != "steps"):
        raise UserError(
            f"{out} exists already: this forecast with {found['steps']} steps, you ask for {wanted['steps']}. {_LENGTH}"
        )


def _require_same(
    found: dict[str, Any], wanted: dict[str, Any], batch_size: int | None, path: Path
) -> None:
    """Refuse to go on with a forecast that another model, store or request made."""
    if batch_size is not None:
        wanted = {**wanted, "batch_size": batch_size}
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        said = [
            f"it has {found.get(name)} steps, you ask for {wanted[name]}"
            if name == "steps"
            else f"{name} is {found.get(name)}, you ask for {wanted[name]}"
            if isinstance(wanted[name], int | float | bool)
            else f"{name} differs"
            for name in differing
        ]
        remedy = "Repeat its own command with --resume, or start again with --overwrite."
        if differing == ["steps"]:
            remedy = f"{_LENGTH} An unfinished one goes on with its own command and --resume."
        raise UserError(f"{path}: the forecast there is another: {'; '.join(said)}. {remedy}")


def _plain(guard: Guard | None) -> list[dict[str, Any]]:
    return [] if guard is None else [asdict(trip) for trip in (*guard.began_outside, *guard.trips)]
