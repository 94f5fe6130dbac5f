"""Forecasts that are made while they are read, so that they can be judged without being stored."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float32

from triton_earth.core.state import State
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.batch_size import find_batch_size
from triton_earth.rollout.batches import Batch, Batches
from triton_earth.rollout.ensemble import EnsembleConfig, mean_over_members
from triton_earth.rollout.guard.guard import GuardConfig, Trip, guard_record
from triton_earth.rollout.guard.stabilizers import StabilizersConfig


class LiveForecasts:
    """Forecasts with the interface of `ForecastStore` for evaluation; memory does not grow with the steps.

    They are those that `write_forecast` would store. The leads of some initial conditions are meant to be read in
    ascending order: reading an earlier one, or other initial conditions, starts a new rollout.

    Attributes:
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Step between leads.
        lead_times: Lead times, 1 … n time steps.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        members: Members of each ensemble; 1 where forecasts are single.
        chunk_inits: Initial conditions that are forecast together.
        provenance: How the forecast is made.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        store: TrainingStore,
        *,
        trajectories: list[int],
        starts: list[int],
        steps: int,
        batch_size: int | None = None,
        provenance: dict[str, Any] | None = None,
        ensemble: EnsembleConfig | None = None,
        forcings: TrainingStore | None = None,
        guard: GuardConfig | None = None,
        stabilizers: StabilizersConfig | None = None,
        device: torch.device | str = "cpu",
        forcings_beyond: str | None = None,
    ) -> None:
        """Say what to forecast; nothing is computed yet.

        Args:
            forecaster: The model.
            store: Where the initial conditions are.
            trajectories: Trajectory of each initial condition.
            starts: Index of the first of the `history` initial times of each initial condition.
            steps: Number of leads.
            batch_size: Forecasts that are made together, each member is one; None: as many as memory allows.
            provenance: How the forecast is made; by default the name of the model.
            ensemble: Members of each initial condition; None: single forecasts.
            forcings: Where the forcings are; None: in `store`.
            guard: What watches the states; None: nothing does.
            stabilizers: What corrects each state before it is fed back; None: nothing does.
            device: Where the forecaster's weights are.
            forcings_beyond: What stands in for forcings after their end, as `forecast` says.

        Raises:
            UserError: if model and store do not fit, an initial state is not finite, or the forcings do not fit or end
                before the forecast.
        """
        self._stabilizers = stabilizers or StabilizersConfig()
        self._batches = Batches.of(
            forecaster,
            store,
            trajectories=trajectories,
            starts=starts,
            steps=steps,
            ensemble=ensemble or EnsembleConfig(),
            forcings=forcings,
            guard=guard,
            stabilizers=self._stabilizers,
            device=device,
            forcings_beyond=forcings_beyond,
        )
        self.members = self._batches.ensemble.members
        size = batch_size or find_batch_size(forecaster, self._batches.rows, self._batches.device)
        self.variables, self.grid = forecaster.predicted, forecaster.grid
        self.time_step = forecaster.time_step
        self.lead_times: np.ndarray = np.arange(1, steps + 1) * forecaster.time_step
        self.init_times: np.ndarray = store.times[np.array(starts) + forecaster.history - 1]
        self.trajectories: np.ndarray = np.asarray(trajectories)
        self.chunk_inits = max(1, size // self.members)
        self.provenance: dict[str, Any] = provenance or {"model": forecaster.name}
        self._trips: dict[tuple[Any, ...], Trip] = {}
        shape = (len(forecaster.prognostic), len(self._batches.stabilizers))
        self._changes = np.full((self._batches.rows, steps, *shape), np.nan, np.float32)
        self._watched = np.zeros(self._batches.rows, bool)
        self._batch: Batch | None = None
        self._states: Iterator[State] = iter(())
        self._inits, self._next = slice(0, 0), 0
        self._fields = np.empty(0, np.float32)

    @property
    def guard(self) -> dict[str, Any] | None:
        """What the guard saw in the forecasts that were read, as `guard_record` gives it; None where there is none."""
        if self._batches.guard is None or self._batches.climate is None:
            return None
        self._collect()
        trips = list(self._trips.values())
        return guard_record(self._batches.guard, self._batches.climate, trips)

    def sum_up(self) -> None:
        """Say how many of the forecasts that were read left the training climate, where the guard has not said it."""
        self._batches.announcements.sum_up(self.guard, int(self._watched.sum()))

    @property
    def first_trip(self) -> tuple[int, int] | None:
        """Initial condition and step of the forecast that left the training climate first, of those that were read."""
        present = self._batch.guard.trips if self._batch and self._batch.guard else []
        seen = [(trip.step, trip.init) for trip in (*self._trips.values(), *present) if trip.step]
        return min(seen)[::-1] if seen else None

    @property
    def stabilizer_change(self) -> xr.DataArray | None:
        """Root mean square that each stabiliser changed each variable, as `ForecastStore` has it; None of none."""
        if not self._batches.stabilizers:
            return None
        ensemble = ["init", "member"] if self.members > 1 else ["init"]
        sizes = [len(self.init_times), self.members][: len(ensemble)]
        return xr.DataArray(
            self._changes.reshape(*sizes, *self._changes.shape[1:]),
            dims=[*ensemble, "lead_time", "corrected", "stabilizer"],
            coords={
                "lead_time": self.lead_times,
                "corrected": self._batches.forecaster.prognostic.names,
                "stabilizer": self._stabilizers.names,
            },
        )

    def beginnings(self, count: int, steps: int) -> tuple[Forecaster, State, list[State] | None]:
        """Return what the first forecasts begin with: the model, initial states, and the forcings of some steps.

        Args:
            count: Forecasts, at most.
            steps: Steps.
        """
        batches = self._batches
        rows = slice(0, min(count, batches.rows))
        initial = batches.initial.read(rows).to(batches.device)
        inits = np.arange(rows.stop) // self.members
        forcings = batches.forcings.states(inits.tolist(), 0, batches.device)
        if forcings is None:
            return batches.forecaster, initial, None
        applications = -(-steps // batches.forecaster.block)
        return batches.forecaster, initial, list(itertools.islice(forcings, applications))

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Forecast up to one lead of some initial conditions and return it or, of ensembles, their means.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if a forcing is not finite.
        """
        return mean_over_members(self.read_members(inits, lead))

    def read_members(
        self, inits: slice, lead: int
    ) -> Float32[np.ndarray, "init member channel y x"]:
        """Forecast up to one lead of some initial conditions and return all members.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if a forcing is not finite.
        """
        inits = slice(*inits.indices(len(self.init_times)))
        if self._batch is None or inits != self._inits or lead < self._next - 1:
            self._start(inits)
        with torch.inference_mode():
            while self._next <= lead:
                self._advance()
        return self._fields.reshape(-1, self.members, *self._fields.shape[1:])

    def _start(self, inits: slice) -> None:
        self._collect()
        rows = slice(inits.start * self.members, inits.stop * self.members)
        self._batch = self._batches.start(rows)
        self._states = self._batch.states(quiet=bool(self._watched[rows].all()))
        self._inits, self._next = inits, 0

    def _advance(self) -> None:
        """Make one more lead; a batch that the guard has ended is missing from there on."""
        assert self._batch is not None
        state = next(self._states, None)
        if state is None:
            self._fields = np.full_like(self._fields, np.nan)
        else:
            self._fields = state.data[:, 0].float().cpu().numpy()
            if self._batch.correction is not None:
                changes = self._batch.correction.changes.popleft()
                self._changes[self._batch.rows, self._next] = changes
        self._next += 1

    def _collect(self) -> None:
        """Keep the trips that the guard of the present batch saw; a repeated rollout gives the same trips again."""
        if self._batch is None or self._batch.guard is None:
            return
        self._watched[self._batch.rows] = True
        guard = self._batch.guard
        for trip in (*guard.began_outside, *guard.trips):
            key = (trip.init, trip.member, trip.variable, trip.statistic, trip.step == 0)
            self._trips.setdefault(key, trip)
