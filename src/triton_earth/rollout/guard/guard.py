"""The guard: watches every state of a rollout and says what left the training climate first, where and how fast."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from triton_earth.core.config import StrictConfig
from triton_earth.core.state import State
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.core.wording import told_apart
from triton_earth.rollout.guard.announcements import Announcements
from triton_earth.rollout.guard.state_statistics import (
    BULK,
    CHANGE,
    ENERGY,
    LARGEST,
    MEAN,
    NOT_FINITE,
    SMALLEST,
    VARIANCE,
    Band,
)
from triton_earth.rollout.guard.training_range import Climate, Margins

Policy = Literal["warn", "stop", "record"]

MEMORY = 4
"""Steps from which a growth rate is estimated."""

MOST_TRIPS = 1000
"""Trips that a record holds; later ones are counted only."""


class GuardConfig(StrictConfig):
    """What a guard does.

    Attributes:
        policy: ``warn`` says when a forecast leaves the climate and goes on; ``record`` goes on in silence; ``stop``
            leaves every later state of that forecast missing, and ends the rollout once all its forecasts are stopped.
        margins: How far beyond the range over the training states is still climate.
    """

    policy: Policy = "warn"
    margins: Margins = Margins()


@dataclass(frozen=True)
class Trip:
    """A statistic of one forecast that left the climate, for the first time.

    Attributes:
        init: Number of the initial condition.
        member: Number of the member; None of a single forecast.
        step: Step at which it happened; the first is 1.
        variable: Name of the variable.
        statistic: What left, as `StateStatistics` names it.
        value: Its value.
        lower: Lower bound of the climate; None where there is none.
        upper: Upper bound; None where there is none.
        y: Row of the cell where it is worst; None where it has no place.
        x: Column of that cell.
        scale: Wavenumber band that was the first to leave the climate or, where none has, came nearest to it.
        scale_step: Step at which that band left; None where it has not.
        growth_rate: Rate s of exp(s n) per step n over the last steps up to this one; None where it does not grow.
        init_time: Initial time of the forecast, where it is a date.
        lead: Time from the initial time to that step, where these are dates, in words.
    """

    init: int
    member: int | None
    step: int
    variable: str
    statistic: str
    value: float | None
    lower: float | None
    upper: float | None
    y: int | None
    x: int | None
    scale: str
    scale_step: int | None
    growth_rate: float | None
    init_time: str | None = None
    lead: str | None = None

    @property
    def forecast(self) -> str:
        """Which forecast it is: by its initial date or, where there is none, by its number."""
        which = (
            f"forecast {self.init}" if self.init_time is None else f"forecast of {self.init_time}"
        )
        return which if self.member is None else f"{which}, member {self.member}"

    def describe(self) -> str:
        """Return the trip in one sentence."""
        value, lower, upper = told_apart(self.value, self.lower, self.upper)
        what = (
            f"{self.value:g} values are not finite"
            if self.statistic == NOT_FINITE
            else f"{self.statistic} {value} is outside the training climate, {lower} to {upper}"
        )
        place = "" if self.y is None else f", worst in cell ({self.y}, {self.x})"
        left = (
            "nearest to leaving" if self.scale_step is None else f"first, at step {self.scale_step}"
        )
        lead = "" if self.lead is None else f" ({self.lead})"
        growth = "" if self.growth_rate is None else f"; growth {self.growth_rate:.3g} per step"
        return (
            f"{self.forecast}, step {self.step}{lead}, '{self.variable}': {what}{place}; "
            f"scale: {self.scale} ({left}){growth}"
        )


class Guard:
    """Watches the rollout of one batch of forecasts.

    Attributes:
        trips: What left the climate so far, in order of steps; each statistic of a variable once for each forecast.
        began_outside: What was outside at the initial state already, as trips of step 0. It does not count: a forecast
            leaves the climate where it gets farther away than it began, twice as far.
    """

    def __init__(
        self,
        climate: Climate,
        policy: Policy,
        initial: State,
        first_row: int = 0,
        members: int = 1,
        announcements: Announcements | None = None,
    ) -> None:
        """Start from the newest of the initial states.

        Args:
            climate: What states are held against.
            policy: What to do about those that leave it.
            initial: Initial states, [row, history, channel, y, x].
            first_row: Number of the first of them, counted over initial conditions and members.
            members: Members of each initial condition.
            announcements: What says what it sees, for the guards of several batches; None: for this one alone.
        """
        self._say = announcements or Announcements()
        self.trips: list[Trip] = []
        self.began_outside: list[Trip] = []
        self._climate, self._policy = climate, policy
        self._first_row, self._members = first_row, members
        self._names = climate.statistics.names
        self._previous = self._watched(initial.last(1))
        self._history: deque[Float64[np.ndarray, "batch channel statistic"]] = deque(maxlen=MEMORY)
        batch = initial.data.shape[0]
        self._left = np.full((batch, *climate.lower.shape), np.inf)
        self._stopped = np.zeros(batch, dtype=bool)
        self._step = 0
        times = initial.valid_times[:, -1]
        self._init_times = times if times.dtype.kind == "M" else None
        self._lower = np.repeat(climate.lower[None], batch, axis=0)
        self._upper = np.repeat(climate.upper[None], batch, axis=0)
        self._let_begin_outside(initial)

    def _let_begin_outside(self, initial: State) -> None:
        """Note what is outside at the initial state, and move its bound as far beyond that as it is from the bound."""
        newest = self._watched(initial.last(1))
        before = self._watched(initial.at(slice(-2, -1))) if initial.data.shape[1] > 1 else newest
        values = self._climate.statistics.measure(newest, before).cpu().double().numpy()
        if before is newest:
            values[..., self._names.index(CHANGE)] = np.nan
        self._history.append(values)
        outside = (values < self._lower) | (values > self._upper)
        outside[..., self._names.index(NOT_FINITE)] = False
        self.began_outside = [
            self._trip(newest, row, channel, statistic)
            for row, channel, statistic in np.argwhere(outside).tolist()
        ]
        self._history.clear()
        low, high = values < self._lower, values > self._upper
        self._lower[low] = 2 * values[low] - self._lower[low]
        self._upper[high] = 2 * values[high] - self._upper[high]

    def watch(self, states: Iterable[State], *, quiet: bool = False) -> Iterator[State]:
        """Yield each state after it has been checked.

        Args:
            states: What `rollout` yields.
            quiet: Warn of nothing, as of a rollout that is made again.

        Yields:
            The same states. With the policy ``stop`` a forecast that has left the climate is missing (NaN) in every
            later state, and the last state is that in which the last forecast leaves it.
        """
        if self._step == 0 and self._policy != "record" and not quiet:
            self._tell_beginning()
        for state in states:
            shown = self._without_stopped(state)
            trips = self.check(state)
            if self._policy != "record" and trips and not quiet:
                self._warn(trips)
            yield shown
            if self._stopped.all():
                return

    def check(self, state: State) -> list[Trip]:
        """Check one more state and return what leaves the climate with it; stopped forecasts are not looked at."""
        self._step += 1
        chosen = state.select(self._climate.statistics.variables.names)
        measured = self._climate.statistics.measure(chosen, self._previous)
        values = measured.cpu().double().numpy()
        self._history.append(values)
        self._previous = chosen
        new = self._outside(values) & np.isinf(self._left) & ~self._stopped[:, None, None]
        if not new.any():
            return []
        self._left[new] = self._step
        trips = [
            self._trip(chosen, row, channel, statistic)
            for row, channel, statistic in np.argwhere(new).tolist()
        ]
        self.trips += trips
        if self._policy == "stop":
            self._stopped |= new.any(axis=(1, 2))
        return trips

    def memory(self) -> dict[str, Tensor]:
        """Return the guard's memory of the states so far, for `remember`."""
        return {
            "guard.history": torch.from_numpy(np.stack(self._history)),
            "guard.left": torch.from_numpy(self._left),
            "guard.stopped": torch.from_numpy(self._stopped),
        }

    def remember(self, step: int, newest: State, memory: dict[str, Tensor]) -> None:
        """Go on after some steps of an earlier rollout.

        Args:
            step: How many.
            newest: The state after them.
            memory: What `memory` gave then.
        """
        self._step = step
        self._previous = self._watched(newest.last(1))
        self._history.extend(memory["guard.history"].numpy())
        self._left = memory["guard.left"].numpy()
        self._stopped = memory["guard.stopped"].numpy()
        # What began outside is known since the start of the earlier rollout.
        self.began_outside = []

    @property
    def finished(self) -> bool:
        """Whether every forecast has been stopped."""
        return bool(self._stopped.all())

    def _outside(
        self, values: Float64[np.ndarray, "batch channel statistic"]
    ) -> Bool[np.ndarray, "batch channel statistic"]:
        """Return which statistics are outside their bounds; for a state that is not finite only that statistic."""
        outside = (values < self._lower) | (values > self._upper)
        lost = values[..., self._names.index(NOT_FINITE)] > 0
        outside[lost] = False
        outside[lost, self._names.index(NOT_FINITE)] = True
        return outside

    def _watched(self, state: State) -> State:
        """Return the watched variables of a state; those that it lacks, as they are not fed back, are missing."""
        wanted = self._climate.statistics.variables
        data = torch.full(
            (*state.data.shape[:2], len(wanted), *state.data.shape[3:]),
            torch.nan,
            dtype=state.data.dtype,
            device=state.data.device,
        )
        for channel, name in enumerate(wanted.names):
            if name in state.variables:
                data[:, :, channel] = state.data[:, :, state.variables.names.index(name)]
        return State(data, wanted, state.grid, state.valid_times)

    def _without_stopped(self, state: State) -> State:
        if not self._stopped.any():
            return state
        stopped = torch.from_numpy(self._stopped).to(state.data.device)
        data = torch.where(stopped[:, None, None, None, None], torch.nan, state.data)
        return replace(state, data=data)

    def _warn(self, trips: list[Trip]) -> None:
        """Say the first trip of each forecast that trips for the first time."""
        seen = {
            divmod(self._first_row + int(row), self._members)
            for row in np.flatnonzero((self._left < self._step).any(axis=(1, 2)))
        }
        for trip in trips:
            if (trip.init, trip.member or 0) not in seen:
                seen.add((trip.init, trip.member or 0))
                self._say.leaves(trip)

    def _tell_beginning(self) -> None:
        """Say the first statistic of each forecast that begins outside the climate."""
        seen = set()
        for trip in self.began_outside:
            if trip.forecast not in seen:
                seen.add(trip.forecast)
                self._say.begins_outside(trip)

    def _trip(self, state: State, row: int, channel: int, statistic: int) -> Trip:
        name = self._names[statistic]
        number, left = self._first_scale(row, channel)
        band = self._climate.statistics.bands[number].name.removeprefix("variance at ")
        cell = self._cell(state.data[row, 0, channel], channel, name)
        init, member = divmod(self._first_row + row, self._members)
        return Trip(
            init=init,
            member=None if self._members == 1 else member,
            step=self._step,
            variable=self._climate.statistics.variables.names[channel],
            statistic=name,
            value=_plain(self._history[-1][row, channel, statistic]),
            lower=_plain(self._lower[row, channel, statistic]),
            upper=_plain(self._upper[row, channel, statistic]),
            y=None if cell is None else cell[0],
            x=None if cell is None else cell[1],
            scale="area mean" if name == MEAN and not left else band,
            scale_step=left or (self._step if name == MEAN else None),
            growth_rate=self._growth(row, channel, statistic),
            init_time=None if self._init_times is None else describe_time(self._init_times[row]),
            lead=self._lead(state, row),
        )

    def _lead(self, state: State, row: int) -> str | None:
        """Return how long after its initial time a state is; None at that time, and without a calendar."""
        if self._init_times is None or not self._step:
            return None
        return describe_duration(state.valid_times[row, 0] - self._init_times[row])

    def _first_scale(self, row: int, channel: int) -> tuple[int, int | None]:
        """Return the number of the band that left first (farthest, if several did) or is nearest, and its step."""
        bands = slice(len(BULK), None)
        left = self._left[row, channel, bands]
        lower, upper = self._climate.lower[channel, bands], self._climate.upper[channel, bands]
        finite = [past[row, channel, bands] for past in self._history]
        values = next((v for v in reversed(finite) if np.isfinite(v).all()), np.ones_like(upper))
        with np.errstate(divide="ignore", invalid="ignore"):
            # A band without variance is not below a bound of zero: 0/0 is no distance.
            beyond = np.fmax(np.log(values / upper), np.log(np.maximum(lower, 0) / values))
        first = (left == left.min()) & ~np.isnan(beyond)
        number = int(np.argmax(np.where(first, beyond, -np.inf)))
        step = left[number]
        return number, None if np.isinf(step) else int(step)

    def _growth(self, row: int, channel: int, statistic: int) -> float | None:
        """Return the slope of the logarithm of a statistic over the last steps, or None where it does not grow.

        Of values and means it is that of the departure from the middle of their bounds, of values that are not finite
        that of the variance before.
        """
        name = self._names[statistic]
        if name == NOT_FINITE:
            statistic = self._names.index(VARIANCE)
        series = np.array([past[row, channel, statistic] for past in self._history])
        if name in (SMALLEST, LARGEST, MEAN):
            series = np.abs(series - self._middle(channel, name))
        kept = np.flatnonzero(np.isfinite(series) & (series > 0))
        if len(kept) < 3:
            return None
        slope = float(np.polyfit(kept, np.log(series[kept]), 1)[0])
        return _plain(slope) if slope > 0 else None

    def _middle(self, channel: int, name: str) -> float:
        pair = (MEAN, MEAN) if name == MEAN else (SMALLEST, LARGEST)
        low, high = (self._names.index(end) for end in pair)
        return 0.5 * float(self._climate.lower[channel, low] + self._climate.upper[channel, high])

    def _cell(self, field: Tensor, channel: int, name: str) -> tuple[int, int] | None:
        """Return where a state is worst: not finite, farthest from the mean, or strongest in the band."""
        statistics = self._climate.statistics
        valid = torch.ones_like(field, dtype=torch.bool)
        if statistics.valid_mask is not None:
            valid = statistics.valid_mask[channel].to(field.device)
        if name in (CHANGE, MEAN):
            return None
        if name == NOT_FINITE:
            worst = ~torch.isfinite(field)
        elif name in (ENERGY, VARIANCE):
            worst = (field - field[valid].mean()).abs()
        elif name in (SMALLEST, LARGEST):
            worst = field if name == LARGEST else -field
        else:
            worst = statistics.band_field(field, self._band(name)).abs()
        worst = torch.where(valid, worst.float(), -torch.inf)
        y, x = divmod(int(worst.argmax()), field.shape[-1])
        return y, x

    def _band(self, name: str) -> Band:
        return self._climate.statistics.bands[self._names.index(name) - len(BULK)]


def guard_record(config: GuardConfig, climate: Climate, trips: Sequence[Trip]) -> dict[str, Any]:
    """Return the record of a guard as plain values for JSON: its settings, and every trip in order of steps.

    Args:
        config: What the guard does.
        climate: What it holds states against.
        trips: What left the climate; of step 0 what was outside already at the initial states, which does not count.
    """
    in_order = sorted(trips, key=lambda trip: (trip.step, trip.init, trip.member or 0))
    ordered = [trip for trip in in_order if trip.step]
    began_outside = [trip for trip in in_order if not trip.step]
    return {
        **config.model_dump(mode="json"),
        "climate_states": climate.states,
        "climate_source": climate.source,
        "count": len(ordered),
        "trips": [asdict(trip) for trip in ordered[:MOST_TRIPS]],
        "began_outside": [asdict(trip) for trip in began_outside[:MOST_TRIPS]],
    }


def _plain(value: float) -> float | None:
    """Return a number to five digits (the same on every machine), or None where it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
