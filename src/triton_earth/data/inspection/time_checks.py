"""Inspecting the times of one file: their calendar, order, steps, and what they say of the intervals."""

import contextlib
from dataclasses import replace

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.sources.places.other_dimensions import only_other_dimension
from triton_earth.data.sources.times.axis import (
    FileTimes,
    bare_time,
    find_time,
    first_moments,
    no_times,
    read_times,
    without_coordinate,
)
from triton_earth.data.sources.times.steps import equal_steps

_A_SECOND = np.timedelta64(10**9, "ns")


def inspect_times(
    inspection: Inspection, source: str, dataset: xr.Dataset
) -> tuple[str | None, np.ndarray | None, list[str]]:
    """Inspect the times of a file.

    Args:
        inspection: Where findings and facts are written down.
        source: Name of the file.
        dataset: It.

    Returns:
        Its dimension of time, its times, and what to call each; None where there is no such thing.
    """
    name = find_time(dataset)
    if name is None:
        bare = bare_time(dataset, map(str, dataset.dims)) or _only_other(dataset)
        if bare is not None and bare not in dataset.variables:
            inspection.refused("no-time", without_coordinate(source, bare, dataset.sizes[bare]))
        elif bare is not None:
            inspection.refused("no-time", no_times(source, bare, dataset.variables[bare]))
        else:
            inspection.add(
                "no-time",
                Severity.FATAL,
                "the file has no time axis.",
                "A forecast needs one: give it one (xarray: ds.expand_dims(time=[...])).",
            )
        return None, None, ["constant"]
    variable = dataset.variables[name]
    dimension = str(variable.dims[0]) if variable.ndim else None
    told = _told(inspection, source, dataset, name)
    if told is None:
        return dimension, None, [str(number) for number in range(variable.size)]
    if dimension is None:
        inspection.facts["time"] = (
            f"{describe_time(told.within[0])}, the only one (with other such files a record)"
        )
    elif told.stamps.size:
        with contextlib.suppress(UserError):  # what follows says it
            if np.all(np.diff(told.within) > np.timedelta64(0)) and len(told.within) > 1:
                times, _ = equal_steps(told.within, "", max(told.rounding, _A_SECOND))
                told = replace(told, stamps=times) if told.lies_on_date else told
        inspection.facts["period"] = describe_period(told.within)
        _check_order(inspection, told)
    _check_meaning(inspection, told)
    return dimension, told.within, [describe_time(time) for time in told.stamps]


def _only_other(dataset: xr.Dataset) -> str | None:
    """Return the dimension of several fields that is no place and no level, where all variables have the same one."""
    fields = [array for array in dataset.data_vars.values() if array.ndim > 2]
    found = {only_other_dimension(dataset, array) for array in fields}
    return found.pop() if len(found) == 1 else None


def _told(inspection: Inspection, source: str, dataset: xr.Dataset, name: str) -> FileTimes | None:
    """Read the times; months and years of another calendar are told by year and month alone."""
    try:
        return read_times(dataset, name, source)
    except UserError as error:
        months = None
        if "which has other days than ours" in str(error):
            months = read_times(dataset, name, source, months=True)
        if months is not None and (are_months(months.within) or are_years(months.within)):
            inspection.facts["calendar"] = str(dataset.variables[name].attrs.get("calendar"))
            return months
        kind = "calendar" if "is in the calendar" in str(error) else "time-units"
        inspection.refused(kind, error)
        return None


def _check_order(inspection: Inspection, told: FileTimes) -> None:
    times = told.within
    steps = np.diff(times).astype(np.int64)
    if (steps == 0).any():
        where = times[int(np.flatnonzero(steps == 0)[0])]
        inspection.add(
            "time-repeated",
            Severity.FATAL,
            f"{int((steps == 0).sum())} times occur twice, first {describe_time(where)}.",
            "Leave out one of the two (xarray: ds.drop_duplicates('time')).",
        )
    if (steps < 0).any():
        where = times[int(np.flatnonzero(steps < 0)[0]) + 1]
        inspection.add(
            "time-order", Severity.FATAL, f"times do not ascend: {describe_time(where)} comes too late.",
            "Sort them (xarray: ds.sortby('time')).",
        )  # fmt: skip
    elif steps.size and not (steps == 0).any():
        _check_steps(inspection, told)


def _check_steps(inspection: Inspection, told: FileTimes) -> None:
    times = told.within
    for name, unit in (("month", "M"), ("year", "Y")):
        if _one_in_each(times, unit):
            inspection.facts["step"] = name
            return
    steps = np.diff(times).astype(np.int64)
    usual = int(np.median(steps))
    inspection.facts["step"] = describe_duration(np.timedelta64(usual, "ns"))
    uneven = np.flatnonzero(np.abs(steps - usual) > 1e-6 * usual)
    if uneven.size:
        inspection.add(
            "time-gaps",
            Severity.FATAL,
            f"{uneven.size} steps are not the usual one, first from {describe_time(times[uneven[0]])} to "
            f"{describe_time(times[uneven[0] + 1])}.",
            "Fill the gap, or choose periods without it, or say data.gaps=split: no window then crosses it.",
        )


def _check_meaning(inspection: Inspection, told: FileTimes) -> None:
    """Say where the meaning of a stamp is not what it looks like, or is not told."""
    if told.is_reference:
        inspection.add(
            "reference-time",
            Severity.WARNING,
            f"'{told.name}' is the time at which forecasts start, and nothing says how much later fields are valid.",
            "Add it to the times (xarray: ds.assign_coords(time=ds.time + LEAD)).",
        )
    if not told.lies_on_date:
        inspection.add(
            "stamped-at-end",
            Severity.NOTE,
            f"times lie at the end of their intervals: {describe_time(told.stamps[0])} is {_interval(told)}.",
            "`prepare` takes the middle of each interval, as the bounds say it.",
        )
    unit, name = ("Y", "year") if are_years(told.stamps) else ("M", "month")
    if told.position is None and first_moments(told.stamps, unit):
        inspection.add(
            "month-ambiguous",
            Severity.WARNING,
            f"every time is the first moment of a {name}, from {describe_time(told.stamps[0])} on, and there are no "
            f"bounds: it may be the {name} that begins there or the one that ends.",
            "`prepare` takes the one that begins; if it is the other, say data.stamps=end.",
        )


def _interval(told: FileTimes) -> str:
    assert told.starts is not None
    assert told.ends is not None
    return f"{describe_time(told.starts[0])} to {describe_time(told.ends[0])}"


def are_months(times: np.ndarray) -> bool:
    """Return whether there is one time in each of three or more consecutive months."""
    return _one_in_each(times, "M")


def are_years(times: np.ndarray) -> bool:
    """Return whether there is one time in each of three or more consecutive years."""
    return _one_in_each(times, "Y")


def _one_in_each(times: np.ndarray, unit: str) -> bool:
    numbers = times.astype(f"datetime64[{unit}]").astype(np.int64)
    return len(times) > 2 and bool((np.diff(numbers) == 1).all())


def describe_period(times: np.ndarray) -> str:
    """Return the first and last of some times and their number, in words."""
    return f"{describe_time(times[0])} to {describe_time(times[-1])}, {len(times)} times"
