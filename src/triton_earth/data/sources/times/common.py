"""Common times: the times that all variables of a store share, and which of their fields make up each."""

import contextlib
import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int64

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.core.variables import Role
from triton_earth.data.sources.channels import Channels
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.file_fields import FileFields
from triton_earth.data.sources.times.accumulations import DAYS, steps_until_reset
from triton_earth.data.sources.times.axis import (
    DAY,
    FileTimes,
    Stamp,
    first_moments,
    joined,
)
from triton_earth.data.sources.times.cell_methods import (
    ends_at_stamp,
    is_momentary,
    require_told,
)
from triton_earth.data.sources.times.longer_steps import longer_steps
from triton_earth.data.sources.times.steps import (
    CALENDAR_STEPS,
    equal_steps,
    is_calendar_step,
    parse_step,
    regular_times,
    require_ascending,
)

logger = logging.getLogger("triton_earth")

_SECOND = np.timedelta64(10**9, "ns")
_CELLS = 2**22
"""Values that are looked at to tell accumulations over a step from those since a reset."""


@dataclass(frozen=True)
class TimedVariable:
    """A variable and the files that hold it, in the order of time.

    Attributes:
        channels: The variable.
        files: Its fields.
        name: What the recipe calls it.
        stamps: Where in their intervals its stamps lie, if the recipe says it.
    """

    channels: Channels
    files: list[FileFields]
    name: str
    stamps: Stamp | None = None

    @cached_property
    def told(self) -> FileTimes:
        """What its files say of its times."""
        return joined([one.told for one in self.files if one.told is not None], self.stamps)

    @property
    def array(self) -> xr.DataArray:
        """It, in the first file."""
        return self.files[0].dataset[self.channels.source_name]

    @property
    def is_momentary(self) -> bool:
        """Whether its values hold for the moment of their stamps, whatever bounds there are."""
        names = (self.told.name, self.told.dimension or "time")
        return is_momentary(self.array, names)

    @property
    def times(self) -> np.ndarray:
        """When its fields are valid."""
        return self.told.stamps if self.is_momentary else self.told.within

    @property
    def position(self) -> Stamp | None:
        """Where in their intervals `times` lie; None where nothing says it."""
        if self.told.position is None:
            return "end" if ends_at_stamp(self.array) else None
        return self.told.position if self.told.lies_on_date else "middle"


@dataclass(frozen=True)
class StoreTimes:
    """The times of a store, and the numbers of the fields of each.

    Attributes:
        times: datetime64[ns] in equal steps.
        sampled: Number of the field at each time; −1 where there is none.
        first: Number of the first field of each step; −1 where there is none.
        stop: One past the last.
        is_longer: Whether steps are longer than those of the files.
        constant: Static variables whose files have times of their own.
        lead_in: How long before the first time its step begins.
    """

    times: np.ndarray
    sampled: Int64[np.ndarray, " time"]
    first: Int64[np.ndarray, " time"]
    stop: Int64[np.ndarray, " time"]
    is_longer: bool
    constant: tuple[Channels, ...]
    lead_in: np.timedelta64

    @property
    def recorded(self) -> Bool[np.ndarray, " time"]:
        """Where the files have a state."""
        return (self.sampled >= 0) | (self.first >= 0)


def store_times(variables: list[TimedVariable], data: GriddedData, source: str) -> StoreTimes:
    """Work out the times of a store.

    Args:
        variables: All variables.
        data: What the recipe says.
        source: What messages call the files.

    Raises:
        UserError: if variables have different times, these do not ascend in equal steps, or a longer step is wanted and
            nobody says what it makes of a variable.
    """
    step = None if data.step is None else parse_step(data.step)
    timed, constant = _same_times(variables, step, source)
    leading = timed[0]
    times = leading.times
    require_ascending(times, source)
    rounding = max([_SECOND, *(one.told.rounding for one in timed)])
    start, end = data.splits.bounds
    meant = times
    if len(times) > 1 and (step is None or not is_calendar_step(step)):
        with contextlib.suppress(UserError):  # what is within the periods says it
            meant, _ = equal_steps(times, source, rounding)
    inside = np.flatnonzero((meant >= start) & (meant <= end))
    if step is not None and _is_longer(times[inside], step, source, rounding):
        return _longer(timed, constant, data, step, source, rounding)
    taken, stamped = regular_times(times[inside], data.step, source, rounding)
    indices = np.where(taken >= 0, inside[taken], -1)
    _say_what_is_meant(timed, step, data)
    _say_what_grows(timed, stamped)
    return StoreTimes(
        stamped, indices, indices, indices + 1, False, constant, np.timedelta64(0, "ns")
    )


def _is_longer(
    times: np.ndarray, step: np.timedelta64, source: str, rounding: np.timedelta64
) -> bool:
    """Whether a step is longer than the usual one of some times."""
    if len(times) < 2:
        return False
    usual = np.sort(np.diff(times))[(len(times) - 1) // 2]
    if is_calendar_step(step):
        unit = np.datetime_data(step.dtype)[0]
        shortest = np.timedelta64(27 if unit == "M" else 364, "D")
        return bool(usual < shortest)
    return bool(step > usual + max(rounding, usual // 100))


def _longer(
    timed: list[TimedVariable],
    constant: tuple[Channels, ...],
    data: GriddedData,
    step: np.timedelta64,
    source: str,
    rounding: np.timedelta64,
) -> StoreTimes:
    """Put variables onto a longer step, as their values and the recipe say."""
    snapped, own = equal_steps(timed[0].times, source, rounding)
    along_calendar = is_calendar_step(step)
    if not along_calendar and step % own:
        raise UserError(
            f"{source}: the files have steps of {describe_duration(own)}, of which data.step '{data.step}' is no "
            "multiple. Take a multiple."
        )
    for one in timed:
        file = one.files[0]
        told = one.channels.aggregation
        chosen = next(choice.aggregate for choice in data.variables if choice.name == one.name)
        if along_calendar and told == "sample" and chosen is None:
            told = None  # a moment is no month
        require_told(
            told,
            one.name,
            f"{file.source}: variable '{one.channels.source_name}'",
            str(data.step),
            describe_duration(own),
        )
    made = [one for one in timed if one.channels.aggregation != "sample"]
    _say_what_is_made(timed, str(data.step))
    if not made and not along_calendar:
        start, end = data.splits.bounds
        inside = np.flatnonzero((snapped >= start) & (snapped <= end))
        taken, stamped = regular_times(snapped[inside], data.step, source, rounding)
        indices = np.where(taken >= 0, inside[taken], -1)
        zero = np.timedelta64(0, "ns")
        return StoreTimes(stamped, indices, indices, indices + 1, True, constant, zero)
    for one in made:
        _require_intervals_of(one, own)
        _require_own_amounts(one, own, data)
    positions = {one.position for one in made}
    if len(positions) > 1:
        raise UserError(
            f"{source}: stamps lie at the {' and at the '.join(sorted(str(one) for one in positions))} of their "
            "intervals, so that the fields of different variables cannot make up the same steps. Say data.stamps, or "
            "prepare these variables apart."
        )
    position = positions.pop() if positions else None
    if position is None:
        logger.warning(
            "prepare: the files do not say whether a time is the start or the end of its %s; it is taken as the start. "
            "Say data.stamps=start or end.",
            describe_duration(own),
        )
    steps = longer_steps(snapped, own, position, step, data.splits.bounds, source)
    lead_in = steps.times[0] - snapped[max(int(steps.first[0]), 0)]
    return StoreTimes(
        steps.times, steps.sampled, steps.first, steps.stop, True, constant,
        max(lead_in, np.timedelta64(0, "ns")) if position == "end" else np.timedelta64(0, "ns"),
    )  # fmt: skip


def _require_intervals_of(one: TimedVariable, own: np.timedelta64) -> None:
    """Refuse sums over intervals that overlap, as accumulations since the start of a forecast do."""
    if (
        one.told.starts is None
        or one.told.ends is None
        or one.channels.aggregation not in ("sum", "mean")
    ):
        return
    lengths = one.told.ends - one.told.starts
    wrong = np.flatnonzero(np.abs(lengths - own) > own // 50)
    if wrong.size:
        where = wrong[0]
        raise UserError(
            f"{one.files[0].source}: the values of variable '{one.channels.source_name}' are said to hold for "
            f"{describe_duration(lengths[where])} until {describe_time(one.told.ends[where])}, but times are "
            f"{describe_duration(own)} apart, so their {one.channels.aggregation} over data.step would count times "
            "twice or leave some out. Take differences first (xarray: ds.diff('time')), or say `aggregate: sample`."
        )


def _require_own_amounts(one: TimedVariable, own: np.timedelta64, data: GriddedData) -> None:
    """Refuse to sum amounts that grow from one time to the next and then start again, unless the recipe says sum."""
    if one.channels.aggregation != "sum" or one.told.starts is not None or own >= DAY:
        return
    length = _accumulated_over(one, own)
    if length is None:
        return
    chosen = next(choice.aggregate for choice in data.variables if choice.name == one.name)
    what = (
        f"{one.files[0].source}: the values of variable '{one.channels.source_name}' grow for "
        f"{describe_duration(length)} and then start again, as accumulations since 00 UTC do"
    )
    if chosen == "sum":
        logger.warning("prepare: %s; they are summed anyway, as the recipe says.", what)
        return
    raise UserError(
        f"{what}: expected amounts of {describe_duration(own)} each; their sum over data.step would count most of them "
        "several times. Take differences first (xarray: ds.diff('time'), and the value itself after each reset); "
        f"for totals of whole days say {{name: {one.name}, aggregate: maximum}} and data.stamps=end; if they are right "
        "as they are, aggregate: sum."
    )


def _accumulated_over(one: TimedVariable, own: np.timedelta64) -> np.timedelta64 | None:
    """Return how long the fields of a variable grow before they start again; None where they do not."""
    wanted = int(DAYS * DAY / own) + 2
    for file in one.files[:: max(1, len(one.files) - 1)]:
        count = min(wanted, len(file.times))
        last = len(file.times) - count
        for start in dict.fromkeys((0, last // 2)):
            if file.mesh is not None or not np.all(
                np.diff(file.times[start : start + count]) == own
            ):
                continue
            some = file.in_few_cells(_CELLS // count)
            fields = some.read(one.channels, slice(start, start + count), _any_of(one))
            length = steps_until_reset(fields.reshape(count, -1), own)
            if length is not None:
                return length
    return None


def _any_of(one: TimedVariable) -> list[str]:
    return [variable.name for variable in one.channels.variables]


def _same_times(
    variables: list[TimedVariable], step: np.timedelta64 | None, source: str
) -> tuple[list[TimedVariable], tuple[Channels, ...]]:
    """Return the variables that change in time, whose times have to be the same, and those that are constant."""
    timed = [one for one in variables if one.channels.has_time]
    for one in timed:
        for file in one.files:
            if file.times.size == 0:
                raise UserError(
                    f"{file.source}: has no times, but variable '{one.channels.source_name}' should depend on some. "
                    "Repair the file, or leave it out."
                )
    changing = [one for one in timed if _role(one) is not Role.STATIC]
    if not changing:
        raise UserError(
            f"{source}: no variable depends on time, so there is nothing to forecast. Correct data.variables."
        )
    first = changing[0]
    constant = []
    for one in timed:
        if one is first or _agree(first, one, step):
            continue
        if _role(one) is Role.STATIC:
            _require_constant(one)
            constant.append(one)
            continue
        raise UserError(
            f"{source}: '{first.channels.source_name}' has {len(first.times)} times from "
            f"{describe_time(first.times[0])} and "
            f"'{one.channels.source_name}' {len(one.times)} from {describe_time(one.times[0])}; they have to be the "
            f"same. Give files "
            "for the same times."
        )
    together = [one for one in timed if not any(one is each for each in constant)]
    together.sort(key=lambda one: one is not first)
    return together, tuple(one.channels for one in constant)


def _role(one: TimedVariable) -> Role:
    return one.channels.variables[0].role


def _agree(one: TimedVariable, other: TimedVariable, step: np.timedelta64 | None) -> bool:
    """Whether two variables have the same times: the same stamps, the same intervals, or the same months or years."""
    times, others = one.times, other.times
    if times.shape != others.shape:
        return False
    tolerance = max(_SECOND, one.told.rounding, other.told.rounding)
    if np.all(np.abs(times - others) <= tolerance):
        return True
    pairs = ((one.told.starts, other.told.starts), (one.told.ends, other.told.ends))
    if all(
        mine is not None and its is not None and np.all(np.abs(mine - its) <= tolerance)
        for mine, its in pairs
    ):
        return True
    if step is None or not is_calendar_step(step):
        return False
    unit = np.datetime_data(step.dtype)[0]
    mine, its = (each.astype(f"datetime64[{unit}]").astype(np.int64) for each in (times, others))
    return bool(np.array_equal(mine, its) and np.all(np.diff(mine) > 0))


def _require_constant(one: TimedVariable) -> None:
    """Refuse a static variable with times of its own whose last field is not its first."""
    first, last = one.files[0], one.files[-1]
    stop = len(last.times)
    fields = first.read(one.channels, slice(0, 1), _any_of(one))
    if not np.array_equal(
        fields, last.read(one.channels, slice(stop - 1, stop), _any_of(one)), equal_nan=True
    ):
        raise UserError(
            f"{first.source}: variable '{one.channels.source_name}' is static in the recipe, but its fields at "
            f"{describe_time(one.times[0])} and {describe_time(one.times[-1])} differ, and these are other times than "
            "those of the other variables. Choose one of its times (xarray: ds.isel(time=[0])), or another role."
        )


def _say_what_is_meant(
    timed: list[TimedVariable], step: np.timedelta64 | None, data: GriddedData
) -> None:
    """Say where the stamps of months lie, and that times are starts of forecasts, where the files leave it open."""
    if any(one.told.is_reference for one in timed):
        logger.warning(
            "prepare: the times of the files are those at which forecasts start, and the files do not say how much "
            "later the fields are valid; they are taken as the times of the fields."
        )
    if data.stamps is not None or step is None or not is_calendar_step(step):
        return
    unit = np.datetime_data(step.dtype)[0]
    if any(one.told.position is None for one in timed) and first_moments(timed[0].times, unit):
        name, _ = CALENDAR_STEPS[unit]
        logger.warning(
            "prepare: every time is the first moment of a %s, and the files do not say whether it begins or ends its "
            "%s; it is taken as the start. Say data.stamps=start or end.",
            name,
            name,
        )


def _say_what_grows(timed: list[TimedVariable], times: np.ndarray) -> None:
    """Say which accumulations hold more than the step of the files."""
    own = times[1] - times[0]
    for one in timed:
        if one.channels.aggregation != "sum" or one.told.starts is not None or own >= DAY:
            continue
        length = _accumulated_over(one, own)
        if length is not None:
            logger.warning(
                "prepare: %s: the values of variable '%s' grow for %s and then start again, as accumulations since 00 "
                "UTC do; they are stored as they are, and are no amounts of %s each. Take differences first if those "
                "are meant.",
                one.files[0].source,
                one.channels.source_name,
                describe_duration(length),
                describe_duration(own),
            )


def _say_what_is_made(timed: list[TimedVariable], step: str) -> None:
    words = {
        "sum": "sums",
        "mean": "means",
        "sample": "samples",
        "maximum": "maxima",
        "minimum": "minima",
    }
    for how in dict.fromkeys(one.channels.aggregation for one in timed):
        names = [one.name for one in timed if one.channels.aggregation == how]
        logger.info(
            "prepare: %s at steps of %s: %s",
            words.get(str(how)),
            step,
            ", ".join(dict.fromkeys(names)),
        )
