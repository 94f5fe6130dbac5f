"""Time axes of files: decoded, checked against the calendar, ascending without repetition."""

import re

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.errors import first_line

TIME_NAMES = ("time", "t", "valid_time", "time_counter", "date", "Time")
CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
WITHOUT_LEAP_DAYS = ("noleap", "365_day")
"""Calendars whose days are all days of ours; on 29 February there is no state."""
MEAN_MONTH = np.timedelta64(2629746 * 10**9, "ns")
"""A twelfth of the mean Gregorian year, 30.436875 days."""

_HOUR = np.timedelta64(3600 * 10**9, "ns")
_COUNTABLE = {
    *("d", "day", "days", "h", "hr", "hrs", "hour", "hours", "min", "mins", "minute", "minutes"),
    *(
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "ms",
        "msec",
        "msecs",
        "millisecond",
        "milliseconds",
    ),
    *("us", "microsecond", "microseconds", "ns", "nanosecond", "nanoseconds"),
}
"""Units of time that are equally long always."""
_UNITS = {
    "h": _HOUR,
    "hour": _HOUR,
    "hours": _HOUR,
    "d": 24 * _HOUR,
    "day": 24 * _HOUR,
    "days": 24 * _HOUR,
}


def find_time(dataset: xr.Dataset) -> str | None:
    """Return the name of a dataset's time coordinate, or None."""
    described = [
        str(name)
        for name, variable in dataset.variables.items()
        if variable.ndim == 1
        and (
            text_of(variable, "axis") == "T"
            or " since " in (text_of(variable, "units") or "")
            or np.issubdtype(variable.dtype, np.datetime64)
        )
    ]
    named = [name for name in TIME_NAMES if name in dataset.variables]
    # The dimension's own coordinate before one that goes along with it, such as the time of the analysis.
    candidates = [name for name in [*described, *named] if name in dataset.dims] + described
    return candidates[0] if candidates else None


def decode_times(dataset: xr.Dataset, name: str, source: str) -> np.ndarray:
    """Return the times of a file.

    Args:
        dataset: The file, with raw times.
        name: Its time coordinate.
        source: The file's name, for messages.

    Returns:
        datetime64[ns], in the order of the file; days of a calendar without leap days are those of the same date.

    Raises:
        UserError: if the times have no units, are in a calendar with other days than ours, lie outside 1678 to 2262,
            or are missing in part.
    """
    variable = dataset.variables[name]
    if np.issubdtype(variable.dtype, np.datetime64):
        return _complete(variable.values.astype("datetime64[ns]"), name, source)
    units = variable.attrs.get("units")
    if not isinstance(units, str) or " since " not in units:
        raise UserError(
            f"{source}: time '{name}' has units {units!r} and not 'UNIT since DATE', so nobody can tell what day it "
            "is. Correct the attribute (NCO: ncatted)."
        )
    _require_unit(units, name, source)
    calendar = (text_of(variable, "calendar") or "standard").lower()
    if calendar not in (*CALENDARS, *WITHOUT_LEAP_DAYS):
        raise UserError(
            f"{source}: time '{name}' is in the calendar '{calendar}', which has days that ours has not. Interpolate "
            "to ours first (xarray: ds.interp_calendar(xr.date_range(START, END, freq='D'))), after opening the "
            "file with its times decoded."
        )
    values = variable.values
    if values.dtype.kind not in "iuf" or not np.isfinite(values.astype(np.float64)).all():
        raise UserError(
            f"{source}: time '{name}' holds values that are no numbers. Repair the file."
        )
    try:
        own = calendar in WITHOUT_LEAP_DAYS
        coder = xr.coders.CFDatetimeCoder(use_cftime=own, time_unit="ns")
        decoded = coder.decode(variable, name).values
        if own:
            decoded = np.array([moment.isoformat() for moment in decoded], dtype="datetime64[us]")
            _require_countable(decoded)
        times = decoded.astype("datetime64[ns]")
    except (ValueError, OverflowError, TypeError) as error:
        start = units.partition(" since ")[2].strip()
        if re.match(r"[+-]?\d", start) is None:
            raise UserError(
                f"{source}: time '{name}' has units '{units}', but '{start}' is no date such as 1900-01-01. Correct "
                "the attribute (NCO: ncatted)."
            ) from error
        raise UserError(
            f"{source}: time '{name}' with units '{units}' cannot be counted in nanoseconds, which reach from 1678 to "
            f"2262 ({first_line(error)}). Correct the attribute, or leave out the years beyond."
        ) from error
    return _complete(times, name, source)


def _require_unit(units: str, name: str, source: str) -> None:
    """Refuse units of time that are not always equally long, or that nobody knows."""
    unit = units.partition(" since ")[0].strip().lower()
    if unit in _COUNTABLE:
        return
    why = (
        "which are of different lengths"
        if unit.rstrip("s") in ("month", "mon", "year", "yr", "common_year")
        else "which is no known unit of time"
    )
    raise UserError(
        f"{source}: time '{name}' is counted in '{unit}', {why}. Count it in days (xarray: ds.assign_coords(time="
        "xr.date_range(START, periods=N, freq='MS'))); for months also say data.step=month."
    )


def _require_countable(times: np.ndarray) -> None:
    if times.size and not 1678 <= times.astype("datetime64[Y]").astype(int).min() + 1970 <= 2261:
        raise ValueError("out of bounds")


def _complete(times: np.ndarray, name: str, source: str) -> np.ndarray:
    missing = np.flatnonzero(np.isnat(times))
    if missing.size:
        raise UserError(
            f"{source}: time '{name}' has no value at {missing.size} of {times.size} places, the first at index "
            f"{missing[0]}. Repair the file, or leave those fields out."
        )
    return times


def require_ascending(times: np.ndarray, source: str) -> None:
    """Refuse times that do not ascend.

    Raises:
        UserError: naming the first time that is repeated, or comes before the one it follows.
    """
    steps = np.diff(times)
    repeated = np.flatnonzero(steps == np.timedelta64(0))
    if repeated.size:
        raise UserError(
            f"{source}: the time {times[repeated[0]]} occurs twice ({repeated.size} repetitions altogether). "
            "Leave out one of the two (xarray: ds.drop_duplicates('time'))."
        )
    backwards = np.flatnonzero(steps < np.timedelta64(0))
    if backwards.size:
        where = backwards[0]
        raise UserError(
            f"{source}: times do not ascend: {times[where + 1]} comes after {times[where]}. "
            "Sort them (xarray: ds.sortby('time'))."
        )


def parse_step(text: str) -> np.timedelta64 | None:
    """Return the step that a text such as ``6 h`` or ``1 d`` names, None for ``month``.

    Raises:
        UserError: if it names none.
    """
    if text.strip().lower() in ("month", "1 month"):
        return None
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]+)\s*", text)
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        raise UserError(f"data.step: expected for example '6 h', '1 d' or 'month', found '{text}'.")
    return int(match[1]) * _UNITS[match[2]]


def regular_times(
    times: np.ndarray, step: str | None, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Choose times in equal steps; where the source lacks one, there is a time without a state.

    Args:
        times: Ascending times of the source.
        step: Wanted step (see `parse_step`), or None for the source's own.
        source: For messages.

    Returns:
        Index into `times` of each time of the store, −1 where there is none, and the times of the store. Calendar
        months, which differ in length, are stamped in equal steps of the mean Gregorian month from the middle of the
        first on, wherever in the month the files have their stamps; each lies in its own month, within three days of
        its middle.

    Raises:
        UserError: if the times do not all lie on one axis of equal steps.
    """
    if len(times) < 2:
        raise UserError(
            f"{source}: found {len(times)} times within the periods; a forecast needs two at least."
        )
    if step is not None and parse_step(step) is None:
        months = times.astype("datetime64[M]").astype(np.int64)
        repeated = np.flatnonzero(np.diff(months) == 0)
        if repeated.size:
            raise UserError(
                f"{source}: data.step is 'month', but {times[repeated[0] + 1]} does not come one month after "
                f"{times[repeated[0]]}. Correct data.step."
            )
        first = times[0].astype("datetime64[M]").astype("datetime64[ns]") + MEAN_MONTH // 2
        indices = _placed(months - months[0])
        return indices, first + np.arange(len(indices)) * MEAN_MONTH
    own = _own_step(times, source)
    indices = _placed(np.rint((times - times[0]) / own).astype(np.int64))
    regular = times[0] + np.arange(len(indices)) * own
    regular[indices >= 0] = times
    if step is None:
        return indices, regular
    wanted = parse_step(step)
    assert wanted is not None  # months are done with
    if wanted % own:
        raise UserError(
            f"{source}: the files have steps of {own.astype('timedelta64[m]')}, of which data.step '{step}' is no "
            "multiple. Take a multiple."
        )
    every = int(wanted // own)
    return indices[::every], regular[::every]


def _placed(steps: np.ndarray) -> np.ndarray:
    """Return the index of what is at each step from 0 on, −1 where there is nothing."""
    indices = np.full(int(steps[-1]) + 1, -1)
    indices[steps] = np.arange(len(steps))
    return indices


def _own_step(times: np.ndarray, source: str) -> np.timedelta64:
    """Return the most frequent step, of which all others are multiples."""
    steps = np.diff(times).astype(np.int64)
    sizes, counts = np.unique(steps, return_counts=True)
    usual = int(sizes[counts.argmax()]) if counts.max() > 1 else int(np.median(steps))
    multiples = np.maximum(np.rint(steps / usual), 1)
    wrong = np.flatnonzero(np.abs(steps - multiples * usual) > 1e-6 * usual)
    if wrong.size:
        typical = np.median(steps) / 86400e9
        hint = "Calendar months need `data.step: month`. " if 27 <= typical <= 32 else ""
        raise UserError(
            f"{source}: {wrong.size} of {len(steps)} steps between times are no multiple of the usual one, the first "
            f"from {times[wrong[0]]} to {times[wrong[0] + 1]}. {hint}Put the fields onto equal steps first (xarray: "
            "ds.interp(time=...)), or choose periods without them."
        )
    return np.timedelta64(usual, "ns")
