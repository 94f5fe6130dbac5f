"""The guard: watches every state of a rollout and says what left the training climate first, where and how fast."""

import logging
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

logger = logging.getLogger("triton_earth")

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

    def describe(self) -> str:
        """Return the trip in one sentence."""
        bounds = f"{_number(self.lower)} to {_number(self.upper)}"
        what = (
            f"{self.value:g} values are not finite"
            if self.statistic == NOT_FINITE
            else f"{self.statistic} {_number(self.value)} is outside the training climate, {bounds}"
        )
        place = "" if self.y is None else f", worst in cell ({self.y}, {self.x})"
        left = (
            "nearest to leaving" if self.scale_step is None else f"first, at step {self.scale_step}"
        )
        growth = "" if self.growth_rate is None else f"; growth {self.growth_rate:.3g} per step"
        member = "" if self.member is None else f", member {self.member}"
        return (
            f"forecast {self.init}{member}, step {self.step}, '{self.variable}': {what}{place}; "
            f"scale: {self.scale} ({left}){growth}"
        )


class Guard:
    """Watches the rollout of one batch of forecasts.

    Attributes:
        trips: What left the climate so far, in order of steps; each statistic of a variable once for each forecast.
    """

    def __init__(
        self,
        climate: Climate,
        policy: Policy,
        initial: State,
        first_row: int = 0,
        members: int = 1,
    ) -> None:
        """Start from the newest of the initial states.

        Args:
            climate: What states are held against.
            policy: What to do about those that leave it.
            initial: Initial states, [row, history, channel, y, x].
            first_row: Number of the first of them, counted over initial conditions and members.
            members: Members of each initial condition.
        """
        self.trips: list[Trip] = []
        self._climate, self._policy = climate, policy
        self._first_row, self._members = first_row, members
        self._names = climate.statistics.names
        self._previous = self._watched(initial.last(1))
        self._history: deque[Float64[np.ndarray, "batch channel statistic"]] = deque(maxlen=MEMORY)
        batch = initial.data.shape[0]
        self._left = np.full((batch, *climate.lower.shape), np.inf)
        self._stopped = np.zeros(batch, dtype=bool)
        self._step = 0

    def watch(self, states: Iterable[State], *, quiet: bool = False) -> Iterator[State]:
        """Yield each state after it has been checked.

        Args:
            states: What `rollout` yields.
            quiet: Warn of nothing, as of a rollout that is made again.

        Yields:
            The same states. With the policy ``stop`` a forecast that has left the climate is missing (NaN) in every
            later state, and the last state is that in which the last forecast leaves it.
        """
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
        """Return what the guard remembers of the states so far, for `remember`."""
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

    @property
    def finished(self) -> bool:
        """Whether every forecast has been stopped."""
        return bool(self._stopped.all())

    def _outside(
        self, values: Float64[np.ndarray, "batch channel statistic"]
    ) -> Bool[np.ndarray, "batch channel statistic"]:
        """Return what is outside its bounds; of a state that is not finite, only that it is not."""
        outside = (values < self._climate.lower) | (values > self._climate.upper)
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
        """Log the first trip of each forecast that trips for the first time."""
        seen = {
            divmod(self._first_row + int(row), self._members)
            for row in np.flatnonzero((self._left < self._step).any(axis=(1, 2)))
        }
        for trip in trips:
            if (trip.init, trip.member or 0) not in seen:
                seen.add((trip.init, trip.member or 0))
                logger.warning("guard: %s", trip.describe())

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
            lower=_plain(self._climate.lower[channel, statistic]),
            upper=_plain(self._climate.upper[channel, statistic]),
            y=None if cell is None else cell[0],
            x=None if cell is None else cell[1],
            scale="wavenumber 0" if name == MEAN and not left else band,
            scale_step=left or (self._step if name == MEAN else None),
            growth_rate=self._growth(row, channel, statistic),
        )

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
    """Return what a guard saw as plain values for JSON: its settings, and every trip in order of steps."""
    ordered = sorted(trips, key=lambda trip: (trip.step, trip.init, trip.member or 0))
    return {
        **config.model_dump(mode="json"),
        "climate_states": climate.states,
        "climate_source": climate.source,
        "count": len(ordered),
        "trips": [asdict(trip) for trip in ordered[:MOST_TRIPS]],
    }


def _plain(value: float) -> float | None:
    """Return a number to five digits (the same on every machine), or None where it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "no bound" if value is None else f"{value:.3g}"
