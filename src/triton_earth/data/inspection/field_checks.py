"""Inspecting one variable of a file: its units, and every value, level by level."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int64

from triton_earth.core.errors import UserError
from triton_earth.data.inspection.accumulation_checks import check_accumulations
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.sampling import blocks
from triton_earth.data.inspection.scan import Scan
from triton_earth.data.inspection.turned_maps import TurnedMaps
from triton_earth.data.inspection.value_checks import check_values
from triton_earth.data.sources.attributes import packing_of, text_of
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.files import require_chunks
from triton_earth.data.sources.names import known_in_file, known_variable
from triton_earth.data.sources.places.coordinates import find_axis
from triton_earth.data.sources.places.levels import (
    is_near_ground,
    lies_under_water,
    single_level,
)
from triton_earth.data.sources.places.other_dimensions import what_to_do_with
from triton_earth.data.sources.times.axis import find_time
from triton_earth.data.sources.values.possible_values import Possible, possible_values
from triton_earth.data.sources.values.units import canonical_units, conversion


@dataclass(frozen=True)
class FieldSummary:
    """A variable of a file, as far as other files have to agree with it.

    Attributes:
        units: Its units, None where it does not say them.
        levels: Its levels in the order of the file, (None,) for a variable without.
        level_units: Their units.
        has_time: Whether it changes in time.
        valid: Cells of each level that have a value at the first time, in the order of the file; none for a variable
            with other axes than these.
        directions: Which way the maps of each level lie.
    """

    units: str | None
    levels: tuple[float | None, ...]
    level_units: str | None
    has_time: bool
    valid: dict[float | None, Bool[np.ndarray, "row column"]]
    directions: dict[float | None, TurnedMaps]


def is_map(dataset: xr.Dataset, array: xr.DataArray) -> bool:
    """Return whether a variable has the horizontal axes that the file has."""
    found = (find_axis(dataset, kind) for kind in ("latitude", "longitude"))
    axes = {one for axis in found if axis is not None for one in dataset.variables[axis].dims}
    return array.ndim >= 2 and axes <= set(array.dims)


def inspect_variable(
    inspection: Inspection,
    source: str,
    dataset: xr.Dataset,
    array: xr.DataArray,
    time: str | None,
    times: list[str],
    chosen: Int64[np.ndarray, " chosen"],
    channel: str | None = None,
) -> FieldSummary | None:
    """Inspect a variable.

    Args:
        inspection: Where findings are written down.
        source: Name of the file.
        dataset: The file.
        array: The variable.
        time: The file's time dimension, or None.
        times: What to call each time.
        chosen: Times to look at.
        channel: Dimension of nameless channels, or None for a variable that describes itself.

    Returns:
        What other files have to agree with, or None where the values cannot be read.
    """
    name = str(array.name)
    if array.dtype.kind not in "iufb":
        inspection.add(
            "no-numbers", Severity.WARNING, f"it is of type {array.dtype}.", "Leave it out.", name
        )
        return None
    units = None if channel else _units(inspection, name, array)
    try:
        require_chunks(source, name)
    except UserError as error:
        inspection.refused("missing-chunks", error, name)
        return None
    dimension = time if time in array.dims else None
    level, levels, level_units = _levels(dataset, array)
    names = {one: name if level is None else f"{name}_{one:g}" for one in levels}
    if channel:
        level, levels = channel, tuple(float(one) for one in range(array.sizes[channel]))
        names = {one: f"{name}[{one:g}]" for one in levels}
    rows = list(dict.fromkeys(_dimension(dataset, kind) for kind in ("latitude", "longitude")))
    order = [one for one in (level, *rows) if one is not None]
    _check_dimensions(
        inspection, dataset, name, array, [*order, *([dimension] if dimension else [])]
    )
    possible = None if channel else _possible(dataset, array, units)
    directions = {one: TurnedMaps() for one in levels}
    scans = {
        one: Scan(
            place=_places(dataset),
            possible=possible,
            packing=packing_of(array),
            directions=directions[one],
        )
        for one in levels
    }
    successive = len(chosen) == len(times)
    labels: list[str] = []
    try:
        for block, indices in blocks(array, dimension, chosen, order):
            only = times if len(times) == 1 else ["constant"]
            when = [times[index] for index in indices] if dimension else only
            labels += when
            for number, scan in enumerate(scans.values()):
                scan.add(block if level is None else block[:, number], when, follows=successive)
    except READ_ERRORS as error:
        inspection.add(
            "unreadable", Severity.FATAL, f"its values cannot be read ({first_line(error)}).",
            "Fetch the file again.", name,
        )  # fmt: skip
        return None
    _say_what_is_declared(inspection, name, array)
    for one, scan in scans.items():
        called, height = (names[one], None) if channel else (name, one)
        inspection.variables.append(describe(called, units, height, level_units, None, scan))
        check_values(
            inspection,
            names[one],
            scan,
            labels,
            units=units,
            standard_name=text_of(array, "standard_name"),
            known_as=name,
            changes=dimension is not None,
            successive=successive,
        )
        if dimension:
            directions[one].check(inspection, names[one])
        if dimension and successive and not channel:
            check_accumulations(inspection, source, dataset, array, scan.means, names[one])
    shape = tuple(array.sizes[one] for one in rows if one is not None)
    valid = {
        one: scan.valid.reshape(shape)
        for one, scan in scans.items()
        if scan.valid is not None and len(shape) == 2 and scan.valid.size == np.prod(shape)
    }
    return FieldSummary(units, levels, level_units, dimension is not None, valid, directions)


def describe(
    name: str,
    units: str | None,
    level: float | None,
    level_units: str | None,
    role: str | None,
    scan: Scan,
) -> dict[str, object]:
    """Return the row of a variable in the table of variables."""
    cells = 0 if scan.valid is None else scan.valid.size
    missing = None if scan.valid is None or not cells else 1 - float(scan.valid.mean())
    has_values = scan.count > 0
    return {
        "variable": name,
        "units": units,
        "level": level,
        "level_units": level_units,
        "role": role,
        "lowest": scan.lowest.value if has_values and np.isfinite(scan.lowest.value) else None,
        "mean": scan.mean if has_values else None,
        "highest": scan.highest.value if has_values and np.isfinite(scan.highest.value) else None,
        "std": scan.std if has_values else None,
        "masked": missing,
    }


def _units(inspection: Inspection, name: str, array: xr.DataArray) -> str | None:
    units = text_of(array, "units")
    if units is not None:
        return units
    known = known_variable(name, text_of(array, "standard_name"))
    found = "it does not say its units"
    inspection.add(
        "units-missing",
        Severity.WARNING,
        f"{found}{f'; expected {known.units}' if known else ''}.",
        "Say them in the recipe with `source_units:`.",
        name,
    )
    return None


def _say_what_is_declared(inspection: Inspection, name: str, array: xr.DataArray) -> None:
    """Say how many values are missing because attributes say so, and which versions are put together."""
    declared = array.encoding.get("declared")
    if declared is not None and declared.missing:
        inspection.add(
            "declared-missing",
            Severity.NOTE,
            f"{declared.missing} values are missing by its attributes ({declared.declaration.text}).",
            "Correct these if they are wrong (NCO: ncatted).",
            name,
        )
    if "versions" in array.encoding:
        inspection.add(
            "versions",
            Severity.NOTE,
            f"two versions are put together: {array.encoding['versions']}.",
            "Choose one (xarray: ds.sel(expver=1)) if that is not wanted.",
            name,
        )


def _possible(dataset: xr.Dataset, array: xr.DataArray, units: str | None) -> Possible | None:
    """Return the possible values of a variable, in its own units."""
    if units is None:
        return None
    name, standard_name = str(array.name), text_of(array, "standard_name")
    known = known_in_file(name, standard_name, under_water=lies_under_water(dataset, array.dims))
    if (
        known is not None
        and canonical_units(units) == "1"
        and conversion("1", known.units) == (1, 0)
    ):
        units = known.units  # kg kg-1 is 1
    return possible_values(known, units, (name, standard_name, text_of(array, "long_name")))


def _levels(
    dataset: xr.Dataset, array: xr.DataArray
) -> tuple[str | None, tuple[float | None, ...], str | None]:
    """Return a variable's level dimension, its levels and their units."""
    name = find_axis(dataset, "level", array.dims)
    if name is None:
        only = single_level(dataset, array, str(array.name))
        # Not all models say where the air near the ground is.
        return None, (None if is_near_ground(dataset, array, str(array.name)) else only,), None
    dimension = str(dataset.variables[name].dims[0])
    values = dataset.variables[name].values
    if dimension not in array.dims or values.dtype.kind not in "iuf":
        return None, (None,), None
    levels = tuple(float(value) for value in values)
    return dimension, levels, text_of(dataset.variables[name], "units")


def nameless_array(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the array [time, channel, y, x] of a file that describes none of its axes, or None."""
    if any(find_axis(dataset, kind) for kind in ("latitude", "longitude")) or find_time(dataset):
        return None
    return next((array for array in dataset.data_vars.values() if array.ndim == 4), None)


def _dimension(dataset: xr.Dataset, kind: str) -> str | None:
    name = find_axis(dataset, kind)
    if name is None or dataset.variables[name].ndim != 1:
        return None
    return str(dataset.variables[name].dims[0])


def _check_dimensions(
    inspection: Inspection, dataset: xr.Dataset, name: str, array: xr.DataArray, known: list[str]
) -> None:
    others = [str(one) for one in array.dims if one not in known and array.sizes[one] > 1]
    if others and len(known) > 2:
        inspection.add(
            "other-dimension",
            Severity.WARNING,
            f"it also depends on {others}.",
            what_to_do_with(others, dataset),
            name,
        )


def _places(dataset: xr.Dataset) -> Callable[[int], str]:
    """Return a function that gives the latitude and longitude of a cell in words."""
    axes = [find_axis(dataset, kind) for kind in ("latitude", "longitude")]
    values = [dataset.variables[axis].values for axis in axes if axis is not None]
    if len(values) < 2 or any(one.ndim != 1 or one.dtype.kind not in "iuf" for one in values):
        return "cell {}".format
    if len({dataset.variables[axis].dims for axis in axes if axis is not None}) == 1:
        return "point {}".format
    latitude, longitude = values

    def place(cell: int) -> str:
        row, column = divmod(cell, len(longitude))
        if row >= len(latitude):
            return f"cell {cell}"
        return f"latitude {latitude[row]:g}, longitude {longitude[column]:g}"

    return place
