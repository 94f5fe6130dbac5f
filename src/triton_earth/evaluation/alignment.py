"""Which times of the truth belong to which forecast, and every reason why none may."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.time import Duration, describe_duration, describe_time
from triton_earth.core.variables import Variables

MOST_LEADS = 12
"""Leads at which things are kept that cost much, evenly spread, the first and the last among them."""


@runtime_checkable
class Forecasts(Protocol):
    """What is asked of stored forecasts; `triton_earth.rollout.storage.forecast_store.ForecastStore` answers it.

    Attributes:
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Step between leads.
        lead_times: Elapsed time of each lead, [lead].
        init_times: Start of each forecast, [init].
        trajectories: Trajectory of each forecast, [init].
        chunk_inits: Number of forecasts stored together.
        provenance: How they were made; `model` is the name of the model.
    """

    variables: Variables
    grid: Grid
    time_step: Duration
    lead_times: np.ndarray
    init_times: np.ndarray
    trajectories: np.ndarray
    chunk_inits: int
    provenance: dict[str, Any]

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Read one lead (an index into `lead_times`) of several forecasts."""
        ...


@runtime_checkable
class Ensembles(Forecasts, Protocol):
    """Stored forecasts with several members of each initial condition.

    Attributes:
        members: Members of each ensemble.
    """

    members: int

    def read_members(
        self, inits: slice, lead: int
    ) -> Float32[np.ndarray, "init member channel y x"]:
        """Read one lead of all members of some initial conditions."""
        ...


@runtime_checkable
class Guarded(Forecasts, Protocol):
    """Forecasts that a guard has watched, or watches while they are read."""

    @property
    def first_trip(self) -> tuple[int, int] | None:
        """Initial condition and step of the forecast that left the training climate first so far; None: none has."""
        ...


@runtime_checkable
class PartlyIssued(Forecasts, Protocol):
    """Forecasts of which not every initial time has every lead.

    Attributes:
        issued: Whether there is a forecast of an initial time at a lead, [init, lead].
    """

    issued: Bool[np.ndarray, "init lead"]


@runtime_checkable
class Truth(Protocol):
    """What is asked of the truth; `triton_earth.data.store.TrainingStore` answers it.

    Attributes:
        variables: What is in it.
        grid: Where the cells are.
        times: Times of every trajectory, in equal steps.
        time_units: Units of times without a calendar.
        time_step: That step.
        valid_mask: True where a channel is defined, [channel, y, x], or None.
        recorded: Where there is a state, [time].
        content_hash: Hash of all values.
        provenance: Where it comes from.
    """

    variables: Variables
    grid: Grid
    times: np.ndarray
    time_units: str
    time_step: Duration
    valid_mask: np.ndarray | None
    recorded: np.ndarray
    content_hash: str
    provenance: dict[str, Any]

    @property
    def trajectories(self) -> np.ndarray:
        """Numbers of the trajectories."""
        ...

    def read(self, trajectory: int, times: slice) -> Float32[np.ndarray, "time channel y x"]:
        """Read consecutive times of one trajectory."""
        ...

    def find_time(self, time: Any) -> int | None:
        """Return the index of a time, or None."""
        ...


@dataclass(frozen=True)
class Alignment:
    """Where in the truth each forecast starts and which of its leads can be scored.

    Attributes:
        starts: Index of the initial time of each forecast in the truth's times; −1 where it is not there.
        offsets: Truth steps from the initial time to each scored lead.
        leads: Index of each scored lead in the forecast's lead times.
        channels: Channel of each forecast variable in the truth.
        numbers: Forecast steps from the initial time to each scored lead; the first step is 1.
        available: Whether the truth has a state at the lead of the forecast.
    """

    starts: Int[np.ndarray, " init"]
    offsets: Int[np.ndarray, " lead"]
    leads: Int[np.ndarray, " lead"]
    numbers: Int[np.ndarray, " lead"]
    channels: list[int]
    available: Bool[np.ndarray, "init lead"]

    def select(self, rows: Int[np.ndarray, " chosen"]) -> "Alignment":
        """Return the alignment of some of the forecasts, with the same leads."""
        return replace(self, starts=self.starts[rows], available=self.available[rows])


class TruthReader:
    """Reads the truth of forecasts and refuses values that are not finite.

    Attributes:
        valid_mask: Cells in which every value must be finite, of each variable; None: all.
    """

    def __init__(
        self,
        truth: Truth,
        alignment: Alignment,
        names: list[str],
        trajectories: np.ndarray,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
    ) -> None:
        """Say what to read: the forecasts' variables, in their order."""
        self._truth, self._alignment = truth, alignment
        self._names, self._trajectories = names, trajectories
        self.valid_mask = valid_mask

    def read_initial(self, row: int) -> Float32[np.ndarray, "1 channel y x"]:
        """Read the truth at the initial time of one forecast; NaN where it is not there."""
        if self._alignment.starts[row] >= 0:
            return self.read(row, np.zeros(1, np.int64))
        return np.full((1, len(self._names), *self._truth.grid.shape), np.nan, np.float32)

    def read_available(
        self, row: int, columns: slice
    ) -> Float32[np.ndarray, "available channel y x"]:
        """Read the truth at those of some leads at which it has a state."""
        there = self._alignment.available[row, columns]
        return self.read(row, self._alignment.offsets[columns][there])

    def read(
        self, row: int, offsets: Int[np.ndarray, " lead"]
    ) -> Float32[np.ndarray, "lead channel y x"]:
        """Read the truth of one forecast, the forecast's variables in its order.

        Args:
            row: Number of the forecast.
            offsets: Steps of the truth since the initial time.

        Raises:
            UserError: if a value in a valid cell is not finite; the message names the place.
        """
        trajectory = int(self._trajectories[row])
        times = self._alignment.starts[row] + offsets
        runs = np.split(times, np.flatnonzero(np.diff(times) != 1) + 1)
        fields = [
            self._truth.read(trajectory, slice(int(run[0]), int(run[-1]) + 1))
            for run in runs
            if run.size
        ]
        if not fields:
            return np.empty((0, len(self._names), *self._truth.grid.shape), np.float32)
        chosen = np.concatenate(fields)[:, self._alignment.channels]
        self.require_finite(chosen, row, offsets)
        return chosen

    def require_finite(
        self,
        fields: Float32[np.ndarray, "lead channel y x"],
        row: int,
        offsets: Int[np.ndarray, " lead"],
    ) -> None:
        """Refuse a truth that is not finite in a valid cell.

        Args:
            fields: The truth of one forecast.
            row: Number of the forecast.
            offsets: Steps of the truth since the initial time.

        Raises:
            UserError: if a value is not finite; the message names the place.
        """
        bad = ~np.isfinite(fields)
        if self.valid_mask is not None:
            bad &= self.valid_mask
        if not bad.any():
            return
        time, channel, y, x = (int(index) for index in np.argwhere(bad)[0])
        when = self._truth.times[self._alignment.starts[row] + offsets[time]]
        raise UserError(
            f"the truth holds {int(bad.sum())} values that are not finite, the first in '{self._names[channel]}' of "
            f"trajectory {int(self._trajectories[row])} at time {when}, cell ({y}, {x}). "
            "Repair the store, or mark those cells as undefined in its valid mask."
        )


def align(forecast: Forecasts, truth: Truth) -> Alignment:
    """Find the truth of every forecast.

    Leads for which no forecast has a truth (beyond its end, or between its times) are left out. Nothing is scored of a
    forecast whose initial time is not in the truth.

    Args:
        forecast: Stored forecasts.
        truth: The truth.

    Returns:
        Indices into both.

    Raises:
        UserError: if grids, units or kinds of time differ, a variable or trajectory is not in the truth, or no initial
            time or no lead time of any forecast is.
    """
    channels = _channels(forecast, truth)
    if not _same_grid(forecast.grid, truth.grid):
        raise UserError(
            f"the forecast is on the grid '{forecast.grid}' but the truth on '{truth.grid}'. "
            "Evaluate against a store prepared on the forecast's grid."
        )
    starts = _starts(forecast, truth)
    steps = forecast.lead_times / truth.time_step
    offsets = np.rint(steps.astype(np.float64)).astype(np.int64)
    meets = np.abs(steps - offsets) < 1e-3
    ends = starts[:, None] + offsets[None, :]
    reached = (ends < len(truth.times)) & (starts[:, None] >= 0)
    reached &= truth.recorded[np.minimum(ends, len(truth.times) - 1)]
    if isinstance(forecast, PartlyIssued):
        reached &= forecast.issued
    scored = np.flatnonzero((meets & reached).any(axis=0))
    if scored.size == 0:
        raise UserError(
            f"no lead time of the forecast has a truth: the first is {describe_duration(forecast.time_step)} after an "
            f"initial time, and the truth has steps of {describe_duration(truth.time_step)} until "
            f"{describe_time(truth.times[-1])}. "
            "Forecast from earlier initial times, or prepare a truth that goes on for longer."
        )
    numbers = lead_numbers(forecast)[scored]
    return Alignment(starts, offsets[scored], scored, numbers, channels, reached[:, scored])


def lead_numbers(forecast: Forecasts) -> Int[np.ndarray, " lead"]:
    """Return the number of time steps from the initial time to each stored lead; the first step is 1."""
    steps = np.asarray(forecast.lead_times) / forecast.time_step
    return np.rint(steps.astype(np.float64)).astype(np.int64)


def describe_numbers(numbers: Int[np.ndarray, " lead"]) -> str:
    """Return ascending numbers in words: 1 to 365, or 5 to 365 by 5, or some of them and the last."""
    steps = np.unique(np.diff(numbers))
    if len(numbers) > 2 and steps.size == 1:
        by = "" if steps[0] == 1 else f" by {steps[0]}"
        return f"{numbers[0]} to {numbers[-1]}{by}"
    shown = ", ".join(str(number) for number in numbers[:8])
    return shown if len(numbers) <= 8 else f"{shown}, … {numbers[-1]}"


def spread_leads(count: int, most: int = MOST_LEADS) -> Int[np.ndarray, " chosen"]:
    """Return at most so many of some leads, evenly spread, the last and the first among them."""
    if most == 1:
        return np.array([count - 1])
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _channels(forecast: Forecasts, truth: Truth) -> list[int]:
    missing = [name for name in forecast.variables.names if name not in truth.variables]
    if missing:
        raise UserError(
            f"the truth lacks the forecast's variables {missing}; it has {truth.variables.names}. "
            "Evaluate against a store that holds every variable of the forecast."
        )
    channels = truth.variables.indices(forecast.variables.names)
    for variable in forecast.variables:
        (true,) = truth.variables.select([variable.name])
        if true.units != variable.units:
            raise UserError(
                f"'{variable.name}' is in '{variable.units}' in the forecast but in '{true.units}' in the truth. "
                "Prepare the truth with the units of the store that the model was trained on."
            )
    return channels


def _same_grid(one: Grid, other: Grid) -> bool:
    return (
        one.axes == other.axes
        and one.shape == other.shape
        and np.allclose(one.y, other.y, rtol=1e-6, atol=1e-9)
        and np.allclose(one.x, other.x, rtol=1e-6, atol=1e-9)
    )


def _starts(forecast: Forecasts, truth: Truth) -> Int[np.ndarray, " init"]:
    if forecast.init_times.dtype.kind != truth.times.dtype.kind:
        raise UserError(
            f"the forecast's times are {_kind(forecast.init_times)} but the truth's are {_kind(truth.times)}. "
            "Evaluate against the store that the forecast started from, or its continuation."
        )
    unknown = sorted(set(forecast.trajectories.tolist()) - set(truth.trajectories.tolist()))
    if unknown:
        raise UserError(
            f"the forecast starts from trajectories {_some(unknown)}, which the truth does not have: "
            f"it has {len(truth.trajectories)}. Evaluate against the store that the forecast started from."
        )
    found = {time: truth.find_time(time) for time in np.unique(forecast.init_times)}
    if all(index is None for index in found.values()):
        raise UserError(
            f"initial times {_some([describe_time(time) for time in found])} of the forecast are not in the truth, "
            f"which has times {describe_time(truth.times[0])} to {describe_time(truth.times[-1])} in steps of "
            f"{describe_duration(truth.time_step)}. "
            "Evaluate against the store that the forecast started from."
        )
    indices = [found[time] for time in forecast.init_times]
    return np.array([-1 if index is None else index for index in indices], dtype=np.int64)


def _kind(times: np.ndarray) -> str:
    return "calendar times" if times.dtype.kind == "M" else "model times (numbers)"


def _some(values: list[Any]) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    return f"[{shown}{', …' if len(values) > 5 else ''}]"
