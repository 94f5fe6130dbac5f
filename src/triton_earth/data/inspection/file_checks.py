"""Inspecting one file: its time axis, its latitudes and longitudes, and each of its variables."""

from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from jaxtyping import Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.data.formats.groups import group_of
from triton_earth.data.inspection.field_checks import (
    FieldSummary,
    inspect_variable,
    is_map,
    nameless_array,
)
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.sampling import chosen_times, describe_chosen
from triton_earth.data.sources.coordinates import Axis, latitude_axis, longitude_axis
from triton_earth.data.sources.time_axis import decode_times, find_time


@dataclass
class FileSummary:
    """What other files have to agree with.

    Attributes:
        source: Name of the file.
        times: Its times, datetime64[ns], or None where they cannot be told.
        axes: Its latitudes and longitudes, by kind.
        fields: Its variables.
    """

    source: str
    times: np.ndarray | None = None
    axes: dict[str, Axis] = field(default_factory=dict)
    fields: dict[str, FieldSummary] = field(default_factory=dict)


def inspect_file(
    source: str, dataset: xr.Dataset, wanted: int | None, files: int = 1
) -> tuple[Inspection, FileSummary]:
    """Inspect one file.

    Args:
        source: Its name.
        dataset: It.
        wanted: Times to look at, or None for as many as is reasonable.
        files: How many such files are looked at.

    Returns:
        What was found, and what other files have to agree with.
    """
    inspection, summary = Inspection(source), FileSummary(source)
    if group_of(source):
        inspection.facts["group"] = group_of(source)
    nameless = nameless_array(dataset)
    if nameless is not None:
        _inspect_nameless(inspection, source, dataset, nameless, wanted, files)
        return inspection, summary
    name = find_time(dataset)
    dimension = None
    labels = ["constant"]
    if name is None or dataset.variables[name].ndim != 1:
        inspection.add(
            "no-time",
            Severity.FATAL,
            "the file has no time axis.",
            "A forecast needs one: give it one (xarray: ds.expand_dims(time=[...])).",
        )
    else:
        dimension = str(dataset.variables[name].dims[0])
        summary.times, labels = _check_time(inspection, source, dataset, name)
    for kind, find in (("latitude", latitude_axis), ("longitude", longitude_axis)):
        try:
            axis = find(dataset, source, None)
        except UserError as error:
            inspection.refused(f"no-{kind}" if "there is no" in str(error) else kind, error)
        else:
            summary.axes[kind] = axis
            _describe_axis(inspection, kind, axis, dataset)
    maps = {str(name): array for name, array in dataset.data_vars.items() if is_map(dataset, array)}
    chosen = _chosen(inspection, dataset, dimension, list(maps.values()), wanted, files)
    for name, array in maps.items():
        found = inspect_variable(inspection, source, dataset, array, dimension, labels, chosen)
        if found is not None:
            summary.fields[name] = found
    return inspection, summary


def _inspect_nameless(
    inspection: Inspection,
    source: str,
    dataset: xr.Dataset,
    array: xr.DataArray,
    wanted: int | None,
    files: int,
) -> None:
    """Inspect an array [time, channel, y, x] that nothing describes, such as the original's ``fields``."""
    time, channel = (str(name) for name in array.dims[:2])
    inspection.facts["layout"] = (
        f"{array.name}[time, channel, y, x], {' x '.join(str(size) for size in array.shape)}, nothing else is said"
    )
    inspection.add(
        "nameless-channels",
        Severity.WARNING,
        f"the {array.sizes[channel]} channels have no names and no units, times, latitudes and longitudes no values.",
        f"Say what they are in the recipe: data.array with name: {array.name}, channels, latitude, longitude, start "
        "and step_hours.",
        str(array.name),
    )
    labels = [f"time {number}" for number in range(array.sizes[time])]
    chosen = _chosen(inspection, dataset, time, [array], wanted, files)
    inspect_variable(inspection, source, dataset, array, time, labels, chosen, channel)


def _chosen(
    inspection: Inspection,
    dataset: xr.Dataset,
    dimension: str | None,
    arrays: list[xr.DataArray],
    wanted: int | None,
    files: int,
) -> Int64[np.ndarray, " chosen"]:
    """Return which times are looked at, and say so where it is not all of them."""
    if dimension is None:
        return np.arange(1)
    times = dataset.sizes[dimension]
    one = sum(8 * array.size // max(times, 1) for array in arrays if dimension in array.dims)
    chosen = chosen_times(times, one, wanted, files=files, far="://" in inspection.path)
    if len(chosen) < times:
        inspection.facts["sampled"] = describe_chosen(len(chosen), times)
    return chosen


def _check_time(
    inspection: Inspection, source: str, dataset: xr.Dataset, name: str
) -> tuple[np.ndarray | None, list[str]]:
    """Return the times, and what to call each."""
    try:
        times = decode_times(dataset, name, source)
    except UserError as error:
        kind = "calendar" if "is in the calendar" in str(error) else "time-units"
        inspection.refused(kind, error)
        return None, [str(number) for number in range(dataset.variables[name].size)]
    if len(times):
        inspection.facts["period"] = describe_period(times)
    steps = np.diff(times).astype(np.int64)
    if (steps == 0).any():
        where = times[int(np.flatnonzero(steps == 0)[0])]
        inspection.add(
            "time-repeated", Severity.FATAL, f"{int((steps == 0).sum())} times occur twice, first {where}.",
            "Leave out one of the two (xarray: ds.drop_duplicates('time')).",
        )  # fmt: skip
    if (steps < 0).any():
        where = times[int(np.flatnonzero(steps < 0)[0]) + 1]
        inspection.add(
            "time-order", Severity.FATAL, f"times do not ascend: {where} comes too late.",
            "Sort them (xarray: ds.sortby('time')).",
        )  # fmt: skip
    elif steps.size and not (steps == 0).any():
        _check_steps(inspection, times, steps)
    return times, [describe_time(time) for time in times]


def _check_steps(inspection: Inspection, times: np.ndarray, steps: np.ndarray) -> None:
    if are_months(times):
        inspection.facts["step"] = "month"
        return
    usual = int(np.median(steps))
    inspection.facts["step"] = describe_duration(np.timedelta64(usual, "ns"))
    uneven = np.flatnonzero(np.abs(steps - usual) > 1e-6 * usual)
    if uneven.size:
        inspection.add(
            "time-gaps",
            Severity.FATAL,
            f"{uneven.size} steps are not the usual one, first from {times[uneven[0]]} to {times[uneven[0] + 1]}.",
            "Fill the gap, or choose periods without it, or say data.gaps=split: no window then crosses it.",
        )


def are_months(times: np.ndarray) -> bool:
    """Return whether there is one time in each of three or more consecutive months."""
    months = times.astype("datetime64[M]").astype(np.int64)
    return len(times) > 2 and bool((np.diff(months) == 1).all())


def describe_period(times: np.ndarray) -> str:
    """Return the first and last of some times and their number, in words."""
    return f"{describe_time(times[0])} to {describe_time(times[-1])}, {len(times)} times"


def _describe_axis(inspection: Inspection, kind: str, axis: Axis, dataset: xr.Dataset) -> None:
    inspection.facts[kind] = f"{len(axis.values)} cells, {axis.values[0]:g} to {axis.values[-1]:g}"
    turned = bool(np.any(np.diff(axis.order) < 0))
    left_out = dataset.sizes[axis.name] - len(axis.order)
    if kind == "longitude" and LatLonGrid((0.0, 1.0), tuple(axis.values)).is_global_in_longitude:
        inspection.facts[kind] += ", global"
    if turned:
        how = "north to south" if kind == "latitude" else "not from 0 to 360"
        inspection.add(
            "orientation", Severity.NOTE, f"{kind} runs {how} in the file.", "`prepare` turns it."
        )
    if left_out:
        inspection.add(
            "repeated-meridian",
            Severity.NOTE,
            "the last meridian is the first once more.",
            "`prepare` leaves it out.",
        )
