"""Forcings of a rollout, read at its valid times, once it is known that their clock is that of the forecast."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.core.time import describe_duration, describe_time, same_duration
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.forcing_beyond import BeyondStore


class Forcings:
    """The forcings of some forecasts, all of them known to be there before the first step."""

    def __init__(
        self,
        forecaster: Forecaster,
        store: TrainingStore,
        trajectories: Sequence[int],
        init_times: np.ndarray,
        steps: int,
        beyond: str | None = None,
    ) -> None:
        """Find every target time in the store.

        Args:
            forecaster: The model.
            store: Where its forcings are; its only trajectory is that of all forecasts, if it has one only.
            trajectories: Trajectory of each forecast.
            init_times: Newest initial time of each.
            steps: Steps of the forecast.
            beyond: What stands in after the end of the store for forcings that are not computed: ``repeat`` its last
                year, or a year; None: they must reach to the end.

        Raises:
            UserError: if a variable is missing or has other units, grid, time step or calendar differ, the forcings
                begin after the first or end before the last target time, or a target time is none of theirs; or if
                they cannot be repeated.
        """
        self._store, self._block = store, forecaster.block
        self._names = forecaster.forcing.names
        self._trajectories = list(trajectories)
        self._first: list[int] = []
        self._beyond = BeyondStore(store, self._names, beyond)
        self.remark: str | None = None
        if not self._names:
            return
        self._require_fit(forecaster)
        if len(store.trajectories) == 1:
            self._trajectories = [0] * len(trajectories)
        needed = -(-steps // forecaster.block) * forecaster.block
        available = self._available(init_times.max(), needed, steps)
        if needed > available:
            self.remark = self._beyond.remark
        within = {time: min(needed, self._steps_to_end(time)) for time in np.unique(init_times)}
        first = {time: self._find(time, count) for time, count in within.items()}
        self._first = [first[time] for time in init_times]
        self._init_times, self._stop = init_times, len(store.times)
        targets = [
            time + store.time_step * np.arange(count + 1, needed + 1)
            for time, count in within.items()
            if count < needed
        ]
        if targets:
            self._beyond.indices(np.unique(np.concatenate(targets)))

    def states(
        self, rows: Sequence[int], done: int, device: torch.device | str
    ) -> Iterator[State] | None:
        """Yield the forcings of each application of the model; None for a model without forcings.

        Args:
            rows: Which forecasts.
            done: Steps that are complete.
            device: Where to put them.

        Raises:
            UserError: if a forcing is not finite where it should be.
        """
        return self._states(rows, done, device) if self._names else None

    def _states(
        self, rows: Sequence[int], done: int, device: torch.device | str
    ) -> Iterator[State]:
        trajectories = [self._trajectories[row] for row in rows]
        starts = [self._first[row] + done for row in rows]
        while True:
            if max(starts) + self._block <= self._stop:
                forcing = self._store.windows(trajectories, starts, self._block)
            else:
                forcing = self._windows_beyond(trajectories, starts)
            forcing = forcing.select(self._names)
            forcing.require_finite(f"{self._store.path}: the forcing")
            yield forcing.to(device)
            starts = [start + self._block for start in starts]

    def _require_fit(self, forecaster: Forecaster) -> None:
        store = self._store
        theirs = store.variables
        missing = [name for name in self._names if name not in theirs]
        if missing:
            raise UserError(
                f"{store.path}: the model's forcings {missing} are not there; found {theirs.names}."
            )
        pairs = zip(forecaster.forcing, theirs.select(self._names), strict=True)
        for name, ours, found in ((a.name, a.units, b.units) for a, b in pairs):
            if ours != found:
                raise UserError(
                    f"{store.path}: the forcing '{name}' is in '{found}', but the model was trained on '{ours}'."
                )
        if store.grid != forecaster.grid:
            raise UserError(
                f"{store.path}: the forcings are on the grid {store.grid}, but the model on {forecaster.grid}."
            )
        if not same_duration(store.time_step, forecaster.time_step):
            raise UserError(
                f"{store.path}: the forcings have steps of {describe_duration(store.time_step)}, but the model "
                f"advances by {describe_duration(forecaster.time_step)}."
            )

    def _windows_beyond(self, trajectories: list[int], starts: list[int]) -> State:
        """Return windows of which some times lie beyond the end of the store."""
        store = self._store
        offsets = np.add.outer(starts, np.arange(self._block))
        times = store.times[0] + store.time_step * offsets
        fields = []
        for trajectory, numbers, dates in zip(trajectories, offsets, times, strict=True):
            beyond = numbers >= self._stop
            places = np.where(beyond, 0, numbers)
            if beyond.any():
                places[beyond] = self._beyond.indices(dates[beyond])
            window = [store.read(trajectory, slice(place, place + 1))[0] for place in places]
            fields.append(
                [
                    self._beyond.fill(field, date) if outside else field
                    for field, date, outside in zip(window, dates, beyond, strict=True)
                ]
            )
        return store.as_state(np.array(fields), times)

    def _steps_to_end(self, time: Any) -> int:
        """Return how many steps after a time the store has."""
        return max(0, int(np.floor((self._store.times[-1] - time) / self._store.time_step + 1e-3)))

    def _available(self, latest: Any, needed: int, steps: int) -> int:
        """Return how many steps after the latest initial time there are, once it is known that these are enough."""
        store = self._store
        if latest.dtype.kind != store.times.dtype.kind:
            raise UserError(
                f"{store.path}: the forcings' times are like {describe_time(store.times[0])}, but the forecast starts "
                f"at {describe_time(latest)}: "
                "one has a calendar, the other has none."
            )
        available = self._steps_to_end(latest)
        if needed > available and not self._beyond.possible:
            raise UserError(
                f"{store.path}: forcings end {available} steps after the last initial time, but a forecast of {steps} "
                f"steps needs {needed}. Shorten the forecast, start it earlier, give other --forcings, or take those "
                "of the last year again with --forcings-beyond repeat."
            )
        return available

    def _find(self, time: Any, needed: int) -> int:
        """Return the index of the first target time after an initial time; all of them are there."""
        store = self._store
        if not needed:
            return len(store.times)
        targets = time + store.time_step * np.arange(1, needed + 1)
        first = int(np.argmin(np.abs(store.times - targets[0])))
        found = store.times[first : first + needed]
        apart = np.abs((found - targets[: len(found)]) / store.time_step).astype(np.float64)
        wrong = np.flatnonzero(apart > 1e-3)
        if wrong.size:
            raise UserError(
                f"{store.path}: the forecast needs forcings at {targets[wrong[0]]}, but the nearest time there is "
                f"{found[wrong[0]]}; the clocks differ (start of the forcings, hour of the day, or calendar)."
            )
        missing = np.flatnonzero(~store.recorded[first : first + needed])
        if missing.size:
            raise UserError(
                f"{store.path}: the forecast needs forcings at {found[missing[0]]}, a time without a state. Start it "
                "after that, shorten it, or give other --forcings."
            )
        return first
