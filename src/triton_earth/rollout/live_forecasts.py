"""Forecasts that are made while they are read, so that they can be judged without being stored."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.data.store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.rollout import rollout


class LiveForecasts:
    """Forecasts with the interface of `ForecastStore` for evaluation; memory does not grow with the steps.

    The leads of some initial conditions are meant to be read in ascending order: reading an earlier one, or other
    initial conditions, starts a new rollout.

    Attributes:
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Step between leads.
        lead_times: Lead times, 1 … n time steps.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        members: One: forecasts are single.
        chunk_inits: Initial conditions that are forecast together.
        provenance: How the forecast is made.
        guard: None.
    """

    members = 1
    guard = None

    def __init__(
        self,
        forecaster: Forecaster,
        store: TrainingStore,
        *,
        trajectories: Sequence[int],
        starts: Sequence[int],
        steps: int,
        batch_size: int = 16,
        provenance: dict[str, Any] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Say what to forecast; nothing is computed yet.

        Args:
            forecaster: The model.
            store: Where the initial conditions and forcings are.
            trajectories: Trajectory of each initial condition.
            starts: Index of the first of the `history` initial times of each initial condition.
            steps: Number of leads.
            batch_size: Initial conditions that are forecast together.
            provenance: How the forecast is made; by default the name of the model.
            device: Where the forecaster's weights are.

        Raises:
            UserError: if model and store do not fit, or the forcings end before the forecast.
        """
        forecaster.require_fit(store.variables, store.grid, store.time_step, str(store.path))
        last_input = np.asarray(starts) + forecaster.history - 1
        needed = -(-steps // forecaster.block) * forecaster.block
        available = len(store.times) - 1 - int(last_input.max())
        if len(forecaster.forcing) and needed > available:
            raise UserError(
                f"{store.path}: forcings end {available} steps after the last initial time, but a forecast of {steps} "
                f"steps needs {needed}. Shorten the forecast or start it earlier."
            )
        self._forecaster, self._store, self._device = forecaster, store, device
        self._starts, self._steps = list(starts), steps
        self.variables, self.grid = forecaster.predicted, forecaster.grid
        self.time_step = forecaster.time_step
        self.lead_times: np.ndarray = np.arange(1, steps + 1) * forecaster.time_step
        self.init_times: np.ndarray = store.times[last_input]
        self.trajectories: np.ndarray = np.asarray(trajectories)
        self.chunk_inits = batch_size
        self.provenance: dict[str, Any] = provenance or {"model": forecaster.name}
        self._states: Iterator[State] | None = None
        self._rows, self._next = slice(0, 0), 0
        self._fields: np.ndarray | None = None

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Forecast up to one lead of some initial conditions and return it.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if an initial state or a forcing is not finite.
        """
        if self._states is None or inits != self._rows or lead < self._next - 1:
            self._states, self._rows, self._next = self._start(inits), inits, 0
        with torch.inference_mode():
            while self._next <= lead:
                state = next(self._states)
                self._fields = state.data[:, 0].float().cpu().numpy()
                self._next += 1
        assert self._fields is not None
        return self._fields

    def _start(self, inits: slice) -> Iterator[State]:
        trajectories, starts = self.trajectories[inits].tolist(), self._starts[inits]
        history = self._forecaster.history
        window = self._store.windows(trajectories, starts, history)
        window = window.select(self._forecaster.prognostic.names)
        window.require_finite(f"{self._store.path}: the initial state")
        forcings = None
        if len(self._forecaster.forcing):
            forcings = self._forcings(trajectories, [start + history for start in starts])
        return rollout(self._forecaster, window.to(self._device), forcings, self._steps)

    def _forcings(self, trajectories: list[int], starts: list[int]) -> Iterator[State]:
        """Yield the true forcings at the target times of each application of the model."""
        block = self._forecaster.block
        while True:
            forcing = self._store.windows(trajectories, starts, block)
            forcing = forcing.select(self._forecaster.forcing.names)
            forcing.require_finite(f"{self._store.path}: the forcing")
            yield forcing.to(self._device)
            starts = [start + block for start in starts]
