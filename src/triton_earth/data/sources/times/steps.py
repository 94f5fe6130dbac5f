"""Steps of time: ascending times put onto an axis of equal steps, with times without a state where they lack some."""

import re

import numpy as np
from jaxtyping import Int64

from triton_earth.core.errors import UserError
from triton_earth.core.time import MEAN_MONTH, MEAN_YEAR, describe_duration, describe_time

CALENDAR_STEPS = {"M": ("month", MEAN_MONTH), "Y": ("year", MEAN_YEAR)}
"""Steps along the calendar: their names, and the equal steps in which they are stamped."""

_SECOND = np.timedelta64(10**9, "ns")
_HOUR = 3600 * _SECOND
_DAY = 24 * _HOUR
_UNITS = {
    "min": 60 * _SECOND,
    **dict.fromkeys(("h", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), 24 * _HOUR),
}
_ROUND = (24 * _HOUR, _HOUR, 60 * _SECOND, _SECOND)
"""What steps and times usually are multiples of."""


def require_ascending(times: np.ndarray, source: str) -> None:
    """Refuse times that do not ascend.

    Raises:
        UserError: naming the first time that is repeated, or comes before the one it follows.
    """
    steps = np.diff(times)
    repeated = np.flatnonzero(steps == np.timedelta64(0))
    if repeated.size:
        raise UserError(
            f"{source}: the time {describe_time(times[repeated[0]])} occurs twice ({repeated.size} repetitions "
            f"altogether). "
            "Leave out one of the two (xarray: ds.drop_duplicates('time'))."
        )
    backwards = np.flatnonzero(steps < np.timedelta64(0))
    if backwards.size:
        where = backwards[0]
        raise UserError(
            f"{source}: times do not ascend: {describe_time(times[where + 1])} comes after "
            f"{describe_time(times[where])}. "
            "Sort them (xarray: ds.sortby('time'))."
        )


def is_calendar_step(step: np.timedelta64) -> bool:
    """Return whether a step is a calendar month or year, which are of different lengths."""
    return np.datetime_data(step.dtype)[0] in CALENDAR_STEPS


def parse_step(text: str) -> np.timedelta64:
    """Return the step that a text such as ``6 h``, ``1 d``, ``month`` or ``year`` names.

    Raises:
        UserError: if it names none.
    """
    plain = text.strip().lower()
    if plain in ("month", "1 month"):
        return np.timedelta64(1, "M")
    if plain in ("year", "1 year"):
        return np.timedelta64(1, "Y")
    match = re.fullmatch(r"(\d+)\s*([a-z]+)", plain)
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        raise UserError(
            f"data.step: expected for example '6 h', '1 d', 'month' or 'year', found '{text}'."
        )
    return int(match[1]) * _UNITS[match[2]]


def regular_times(
    times: np.ndarray,
    step: str | None,
    source: str,
    rounding: np.timedelta64 = _SECOND,
) -> tuple[Int64[np.ndarray, " time"], np.ndarray]:
    """Choose times in equal steps; where the source lacks one, there is a time without a state.

    Args:
        times: Ascending times of the source.
        step: Wanted step (see `parse_step`), or None for the source's own.
        source: For messages.
        rounding: How far the times may be off, as they are written.

    Returns:
        Index into `times` of each time of the store, −1 where there is none, and the times of the store. Calendar
        months and years, which differ in length, are stamped in equal steps of the mean Gregorian one from the middle
        of the first on, wherever the files have their stamps; each month lies within three days of its middle.

    Raises:
        UserError: if the times do not all lie on one axis of equal steps.
    """
    if len(times) < 2:
        raise UserError(
            f"{source}: found {len(times)} times within the periods; a forecast needs two at least."
        )
    wanted = None if step is None else parse_step(step)
    if wanted is not None and is_calendar_step(wanted):
        unit = np.datetime_data(wanted.dtype)[0]
        name, _ = CALENDAR_STEPS[unit]
        numbers = times.astype(f"datetime64[{unit}]").astype(np.int64)
        repeated = np.flatnonzero(np.diff(numbers) == 0)
        if repeated.size:
            raise UserError(
                f"{source}: data.step is '{name}', but {describe_time(times[repeated[0] + 1])} does not come one "
                f"{name} after "
                f"{describe_time(times[repeated[0]])}. Correct data.step."
            )
        indices = _placed(numbers - numbers[0])
        return indices, calendar_stamps(int(numbers[0]), len(indices), unit)
    snapped, own = equal_steps(times, source, rounding)
    indices = _placed(np.rint((snapped - snapped[0]) / own).astype(np.int64))
    regular = snapped[0] + np.arange(len(indices)) * own
    if wanted is None:
        return indices, regular
    if wanted % own:
        raise UserError(
            f"{source}: the files have steps of {describe_duration(own)}, of which data.step '{step}' is no "
            "multiple. Take a multiple."
        )
    every = int(wanted // own)
    return indices[::every], regular[::every]


def calendar_stamps(first: int, count: int, unit: str) -> np.ndarray:
    """Return the times of consecutive calendar months (``M``) or years (``Y``), in equal steps.

    Args:
        first: Number of the first since 1970.
        count: How many.
        unit: ``M`` or ``Y``.
    """
    _, mean = CALENDAR_STEPS[unit]
    start = np.array(first).astype(f"datetime64[{unit}]").astype("datetime64[ns]")
    return start + mean // 2 + np.arange(count) * mean


def equal_steps(
    times: np.ndarray, source: str, rounding: np.timedelta64 = _SECOND
) -> tuple[np.ndarray, np.timedelta64]:
    """Return times as multiples of one step, and that step, which is the usual one.

    Times within a second of such multiples, a hundredth of the step, or what they are rounded to, are meant to be
    these: stamps of full hours that are written in days with five decimals become full hours. Days that are all stamped
    in their last second stay as they are.

    Raises:
        UserError: naming the first step that is no multiple of the usual one.
    """
    steps = np.diff(times).astype(np.int64)
    sizes, counts = np.unique(steps, return_counts=True)
    usual = int(sizes[counts.argmax()]) if counts.max() > 1 else int(np.median(steps))
    tolerance = max(rounding, _SECOND)
    # The last second of a day lies on its date, and is no rounded midnight of the next one.
    as_written = not _is_rounded(times[0]) or (
        usual >= int(_DAY.astype(int)) and tolerance == _SECOND and _is_last_second(times[0])
    )
    if not np.any(steps % usual) and as_written and not usual % int(_SECOND.astype(int)):
        return times, np.timedelta64(usual, "ns")
    for candidate in _candidates(usual, int(np.median(steps)), tolerance):
        # A rounding that is a large part of a step could make anything of anything.
        allowed = max(min(tolerance, candidate // 5), candidate // 100)
        numbers = np.concatenate(
            [[0], np.cumsum(np.maximum(np.rint(steps / candidate.astype(int)), 1))]
        )
        offsets = times - numbers.astype(np.int64) * candidate
        anchor = _full(np.sort(offsets)[len(offsets) // 2], min(tolerance, candidate // 5))
        apart: np.ndarray = offsets - np.array(anchor)
        if np.all(np.abs(apart) <= allowed):
            return anchor + numbers.astype(np.int64) * candidate, candidate
    multiples = np.maximum(np.rint(steps / usual), 1)
    off = np.abs(steps - multiples * usual)
    wrong = np.flatnonzero(off > max(0.01 * usual, float(tolerance.astype(int))))
    if not wrong.size:
        wrong = np.array([int(off.argmax())])
    typical = np.median(steps) / 86400e9
    hint = ""
    if 27 <= typical <= 32:
        hint = "Calendar months need `data.step: month`. "
    elif 359 <= typical <= 367:
        hint = "Calendar years need `data.step: year`. "
    raise UserError(
        f"{source}: {wrong.size} of {len(steps)} steps between times are no multiple of the usual one, the first "
        f"from {describe_time(times[wrong[0]])} to {describe_time(times[wrong[0] + 1])}. {hint}Put the fields onto "
        f"equal steps first (xarray: "
        "ds.interp(time=...)), or choose periods without them."
    )


def _is_rounded(time: np.datetime64) -> bool:
    """Whether a time is no whole minute."""
    return bool(time.astype("datetime64[ns]").astype(np.int64) % (60 * 10**9))


def _is_last_second(time: np.datetime64) -> bool:
    """Whether a time lies in the last second of a day."""
    left = int(_DAY.astype(int)) - int(time.astype("datetime64[ns]").astype(np.int64)) % int(
        _DAY.astype(int)
    )
    return left <= int(_SECOND.astype(int))


def _candidates(usual: int, median: int, tolerance: np.timedelta64) -> list[np.timedelta64]:
    """Return steps that the usual one may stand for, full days first."""
    found = []
    for size in dict.fromkeys((usual, median)):
        for unit in _ROUND:
            step = max(round(size / unit.astype(int)), 1) * unit
            if abs(step.astype(int) - size) <= max(2 * int(tolerance.astype(int)), 0.01 * size):
                found.append(step)
        found.append(np.timedelta64(size, "ns"))
    return list(dict.fromkeys(found))


def _full(time: np.datetime64, tolerance: np.timedelta64) -> np.datetime64:
    """Return the full day, hour, minute or second that is within a tolerance of a time, or the time."""
    number = int(time.astype("datetime64[ns]").astype(np.int64))
    for unit in _ROUND:
        size = int(unit.astype(int))
        nearest = round(number / size) * size
        if abs(nearest - number) <= int(tolerance.astype(int)):
            return np.datetime64(nearest, "ns")
    return time


def _placed(steps: np.ndarray) -> Int64[np.ndarray, " time"]:
    """Return the index of what is at each step from 0 on, −1 where there is nothing."""
    indices = np.full(int(steps[-1]) + 1, -1)
    indices[steps] = np.arange(len(steps))
    return indices


def runs_of_equal_steps(indices: np.ndarray) -> list[slice]:
    """Return stretches of ascending indices that have equal steps."""
    runs = []
    first = 0
    while first < len(indices):
        last = first + 1
        while last + 1 < len(indices) and (
            indices[last + 1] - indices[last] == indices[first + 1] - indices[first]
        ):
            last += 1
        runs.append(slice(first, last + 1))
        first = last + 1
    return runs
