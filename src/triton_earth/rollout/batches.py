"""Rollouts of batches: initial states, forcings, stabilisers and guard of every batch, set up in one place."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from triton_earth.core.state import State
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.ensemble import EnsembleConfig, InitialStates
from triton_earth.rollout.forcing import Forcings
from triton_earth.rollout.guard.announcements import Announcements
from triton_earth.rollout.guard.guard import Guard, GuardConfig
from triton_earth.rollout.guard.stabilizers import Correction, Stabilizer, StabilizersConfig
from triton_earth.rollout.guard.training_range import Climate, training_climate
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.row_forecaster import RowForecaster

logger = logging.getLogger("triton_earth")


@dataclass(frozen=True)
class Batches:
    """What stays the same from the first to the last batch; row = init · members + member.

    Attributes:
        forecaster: The model.
        initial: Initial states of all rows.
        forcings: Their forcings.
        steps: Steps of each rollout.
        ensemble: Members of each initial condition.
        path_seeds: Seeds of the paths that each row drops; None where none does.
        noise_seeds: Seeds of the noise that a stochastic model gives each row.
        guard: What the guard does; None: there is none.
        climate: What it holds states against.
        stabilizers: What corrects states.
        device: Where the forecaster's weights are.
        announcements: What says what the guards of all batches see.
    """

    forecaster: Forecaster
    initial: InitialStates
    forcings: Forcings
    steps: int
    ensemble: EnsembleConfig
    path_seeds: list[list[int]] | None
    noise_seeds: list[list[int]]
    guard: GuardConfig | None
    climate: Climate | None
    stabilizers: list[Stabilizer]
    device: torch.device
    announcements: Announcements = field(default_factory=Announcements)

    @classmethod
    def of(
        cls,
        forecaster: Forecaster,
        store: TrainingStore,
        *,
        trajectories: list[int],
        starts: list[int],
        steps: int,
        ensemble: EnsembleConfig,
        forcings: TrainingStore | None,
        guard: GuardConfig | None,
        stabilizers: StabilizersConfig,
        device: torch.device | str,
        forcings_beyond: str | None = None,
    ) -> "Batches":
        """Look everything up before the first step.

        Args:
            forecaster: The model.
            store: Where the initial conditions are.
            trajectories: Trajectory of each initial condition.
            starts: Index of the first of the `history` initial times of each initial condition.
            steps: Number of steps.
            ensemble: Members of each initial condition.
            forcings: Where the forcings are; None: in `store`.
            guard: What watches the states; None: nothing does.
            stabilizers: What corrects each state before it is fed back.
            device: Where the forecaster's weights are.
            forcings_beyond: What stands in for forcings after their end, as `forecast` says.

        Raises:
            UserError: if model and store do not fit, an initial state is not finite, or the forcings do not fit or end
                before the forecast.
        """
        ensemble = ensemble.for_model(forecaster)
        ensemble.require_different_members(forecaster)
        forecaster.require_fit(store.variables, store.grid, store.time_step, str(store.path))
        init_times = store.times[np.array(starts) + forecaster.history - 1]
        source = Forcings(
            forecaster, forcings or store, trajectories, init_times, steps, forcings_beyond
        )
        if source.remark is not None:
            logger.info("%s", source.remark)
        initial = InitialStates(
            forecaster,
            store,
            trajectories,
            starts,
            ensemble,
            forcings or store,
            torch.device(device),
        )
        initial.require()
        return cls(
            forecaster,
            initial,
            source,
            steps,
            ensemble,
            ensemble.path_seeds(trajectories, starts),
            ensemble.noise_seeds(trajectories, starts),
            guard,
            None if guard is None else training_climate(store, forecaster.predicted, guard.margins),
            stabilizers.build(store, forecaster.prognostic),
            torch.device(device),
        )

    @property
    def rows(self) -> int:
        """Number of forecasts, members counted."""
        return len(self.initial.starts) * self.ensemble.members

    def start(
        self, rows: slice, step: int = 0, memory: Mapping[str, Tensor] | None = None
    ) -> "Batch":
        """Begin the rollout of some rows, or go on after some steps.

        Args:
            rows: Which forecasts.
            step: Steps that are complete, a multiple of the model's block.
            memory: What `Batch.memory` gave then.
        """
        return Batch(self, rows, step, memory or {})


@dataclass
class Batch:
    """The rollout of some rows.

    Attributes:
        batches: What all batches share.
        rows: Which forecasts.
        step: Steps that are complete.
        window: The newest states, on the CPU.
        guard: What watches them; None: nothing does.
        correction: What corrects them, with an account of each change that has not been asked for; None: nothing does.
    """

    batches: Batches
    rows: slice
    step: int
    _memory: Mapping[str, Tensor]
    window: State = field(init=False)
    guard: Guard | None = field(init=False)
    correction: Correction | None = field(init=False)

    def __post_init__(self) -> None:
        """Read the initial states."""
        batches = self.batches
        initial = batches.initial.read(self.rows)
        self.window = self._window(initial)
        self.guard = self._guard(initial)
        self.correction = None
        if batches.stabilizers:
            mask = None if initial.valid_mask is None else initial.valid_mask.numpy()
            self.correction = Correction(batches.stabilizers, initial.to(batches.device), mask)

    def states(self, *, quiet: bool = False) -> Iterator[State]:
        """Yield the remaining states; fewer where the guard has stopped all forecasts.

        Args:
            quiet: The guard warns of nothing, as of a rollout that is made again.
        """
        batches, left = self.batches, self.batches.steps - self.step
        if left == 0 or (self.guard and self.guard.finished):
            return
        forecaster = RowForecaster(
            batches.forecaster,
            one_by_one=batches.device.type == "cpu",
            path_seeds=None if batches.path_seeds is None else batches.path_seeds[self.rows],
            noise_seeds=batches.noise_seeds[self.rows],
            applications=self.step // batches.forecaster.block,
        )
        inits = np.arange(self.rows.start, self.rows.stop) // batches.ensemble.members
        forcings = batches.forcings.states(inits.tolist(), self.step, batches.device)
        states = rollout(
            forecaster, self.window.to(batches.device), forcings, left, self.correction
        )
        for state in self.guard.watch(states, quiet=quiet) if self.guard else states:
            self.step += 1
            self.window = self.window.append(state.to("cpu")).last(forecaster.history)
            yield state

    def memory(self) -> dict[str, Tensor]:
        """Return the tensors from which the rollout can go on."""
        return {"window": self.window.data, **(self.guard.memory() if self.guard else {})}

    def _window(self, initial: State) -> State:
        if self.step == 0:
            return initial
        forecaster = self.batches.forecaster
        times = np.arange(self.step - forecaster.history + 1, self.step + 1) * forecaster.time_step
        return State(
            self._memory["window"],
            initial.variables,
            initial.grid,
            initial.valid_times[:, -1:] + times,
            initial.valid_mask,
        )

    def _guard(self, initial: State) -> Guard | None:
        batches = self.batches
        if batches.guard is None or batches.climate is None:
            return None
        guard = Guard(
            batches.climate,
            batches.guard.policy,
            initial.to(batches.device),
            self.rows.start,
            batches.ensemble.members,
            batches.announcements,
        )
        if self.step:
            guard.remember(self.step, self.window.to(batches.device), dict(self._memory))
        return guard
