"""Inspecting files: coordinates, times, units, and every value of every map in them."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.scan import Scan
from triton_earth.data.inspection.value_checks import check_values
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.coordinates import Axis, find_axis, latitude_axis, longitude_axis
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.files import open_files, require_chunks
from triton_earth.data.sources.names import known_variable
from triton_earth.data.sources.time_axis import decode_times, find_time

BLOCK_BYTES = 32e6
"""Size of what is read at a time."""


def inspect_files(path: str) -> Inspection:
    """Inspect NetCDF, HDF5 or Zarr files, each by itself.

    Args:
        path: File, pattern, Zarr folder or address, or ``shipped:NAME``.

    Returns:
        What was found.
    """
    inspection = Inspection(path)
    try:
        opened = open_files(path)
    except UserError as error:
        inspection.add("unreadable", Severity.FATAL, str(error), "")
        return inspection
    for source, dataset in opened:
        _inspect_dataset(inspection, source, dataset)
    if len(opened) > 1:
        inspection.facts["files"] = str(len(opened))
    return inspection


def _inspect_dataset(inspection: Inspection, source: str, dataset: xr.Dataset) -> None:
    times, time_dimension = _check_time(inspection, source, dataset)
    for kind, find in (("latitude", latitude_axis), ("longitude", longitude_axis)):
        try:
            _describe_axis(inspection, kind, find(dataset, source, None), dataset)
        except UserError as error:
            inspection.add(
                f"no-{kind}" if "there is no" in str(error) else kind,
                Severity.FATAL,
                str(error),
                "",
            )
    for name, array in dataset.data_vars.items():
        _inspect_variable(inspection, source, dataset, str(name), array, times, time_dimension)


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


def _check_time(
    inspection: Inspection, source: str, dataset: xr.Dataset
) -> tuple[list[str] | None, str | None]:
    name = find_time(dataset)
    if name is None or dataset.variables[name].ndim != 1:
        inspection.add(
            "no-time",
            Severity.FATAL,
            f"{source} has no time axis.",
            "A forecast needs one: give it one.",
        )
        return None, None
    dimension = str(dataset.variables[name].dims[0])
    try:
        times = decode_times(dataset, name, source)
    except UserError as error:
        kind = "calendar" if "is in the calendar" in str(error) else "time-units"
        inspection.add(kind, Severity.FATAL, str(error), "")
        return [str(number) for number in range(dataset.sizes[dimension])], dimension
    if len(times):
        inspection.facts["period"] = (
            f"{describe_time(times[0])} to {describe_time(times[-1])}, {len(times)} times"
        )
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
    return [describe_time(time) for time in times], dimension


def _check_steps(inspection: Inspection, times: np.ndarray, steps: np.ndarray) -> None:
    months = times.astype("datetime64[M]").astype(np.int64)
    if len(times) > 2 and (np.diff(months) == 1).all():
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
            "Fill the gap, or choose periods without it.",
        )


def _inspect_variable(
    inspection: Inspection,
    source: str,
    dataset: xr.Dataset,
    name: str,
    array: xr.DataArray,
    times: list[str] | None,
    time: str | None,
) -> None:
    latitude, longitude = find_axis(dataset, "latitude"), find_axis(dataset, "longitude")
    axes = {
        dimension
        for axis in (latitude, longitude)
        if axis is not None
        for dimension in dataset.variables[axis].dims
    }
    if array.ndim < 2 or not axes <= set(array.dims):
        return
    if array.dtype.kind not in "iufb":
        inspection.add(
            "no-numbers", Severity.WARNING, f"it is of type {array.dtype}.", "Leave it out.", name
        )
        return
    units = text_of(array, "units")
    if units is None:
        known = known_variable(name, text_of(array, "standard_name"))
        inspection.add(
            "units-missing",
            Severity.WARNING,
            f"it does not say its units{f'; expected {known.units}' if known else ''}.",
            "Say them in the recipe with `source_units:`.",
            name,
        )
    try:
        require_chunks(source, name)
    except UserError as error:
        inspection.add("missing-chunks", Severity.FATAL, str(error), "", name)
        return
    scan = Scan()
    changes = time is not None and time in array.dims
    try:
        for block, labels in _blocks(array, time if changes else None, times or []):
            scan.add(block, labels, follows=True)
    except READ_ERRORS as error:
        inspection.add(
            "unreadable", Severity.FATAL, f"its values cannot be read ({first_line(error)}).",
            "Fetch the file again.", name,
        )  # fmt: skip
        return
    inspection.variables.append(describe(name, units, None, None, scan))
    check_values(
        inspection,
        name,
        scan,
        (times or []) if changes else ["constant"],
        units=units,
        standard_name=text_of(array, "standard_name"),
        changes=changes,
    )


def describe(
    name: str, units: str | None, level: float | None, role: str | None, scan: Scan
) -> dict[str, object]:
    """Return the row of a variable in the table of variables."""
    cells = 0 if scan.valid is None else scan.valid.size
    missing = None if scan.valid is None or not cells else 1 - float(scan.valid.mean())
    has_values = scan.count > 0
    return {
        "variable": name,
        "units": units,
        "level": level,
        "role": role,
        "lowest": scan.lowest.value if has_values and np.isfinite(scan.lowest.value) else None,
        "mean": scan.mean if has_values else None,
        "highest": scan.highest.value if has_values and np.isfinite(scan.highest.value) else None,
        "std": scan.std if has_values else None,
        "masked": missing,
    }


def _blocks(
    array: xr.DataArray, time: str | None, times: list[str]
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield consecutive fields [time, …] and what to call their times."""
    if time is None:
        yield array.to_numpy().astype(np.float64)[None], ["constant"]
        return
    ordered = array.transpose(time, ...)
    one = 8 * max(1, int(np.prod(ordered.shape[1:])))
    length = max(1, int(BLOCK_BYTES // one))
    for first in range(0, ordered.sizes[time], length):
        part = slice(first, first + length)
        yield ordered.isel({time: part}).to_numpy().astype(np.float64), times[part]
