"""Inspecting one file: its time axis, its latitudes and longitudes, and each of its variables."""

from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from jaxtyping import Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.curvilinear.finding import advice, find_mesh
from triton_earth.data.formats.groups import group_of
from triton_earth.data.inspection.field_checks import (
    FieldSummary,
    inspect_variable,
    is_map,
    nameless_array,
)
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.sampling import chosen_times, describe_chosen
from triton_earth.data.inspection.time_checks import inspect_times
from triton_earth.data.sources.names import fields_of
from triton_earth.data.sources.places.coordinates import (
    TRIPOLAR,
    Axis,
    is_nominal,
    latitude_axis,
    longitude_axis,
    require_no_points,
)


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
    dimension, summary.times, labels = inspect_times(inspection, source, dataset)
    is_single = dimension is None and summary.times is not None
    flat = not _are_points(inspection, source, dataset) and not _inspect_mesh(
        inspection, source, dataset
    )
    axes = (("latitude", latitude_axis), ("longitude", longitude_axis))
    for kind, find in axes if flat else ():
        try:
            axis = find(dataset, source, None)
        except UserError as error:
            inspection.refused(f"no-{kind}" if "there is no" in str(error) else kind, error)
        else:
            summary.axes[kind] = axis
            _describe_axis(inspection, kind, axis, dataset)
    maps = {name: array for name, array in fields_of(dataset).items() if is_map(dataset, array)}
    chosen = _chosen(inspection, dataset, dimension, list(maps.values()), wanted, files)
    for name, array in maps.items():
        found = inspect_variable(inspection, source, dataset, array, dimension, labels, chosen)
        if found is not None:
            summary.fields[name] = replace(found, has_time=found.has_time or is_single)
    return inspection, summary


def _are_points(inspection: Inspection, source: str, dataset: xr.Dataset) -> bool:
    """Say that the fields are points without rows and columns, where they are."""
    try:
        require_no_points(dataset, source)
    except UserError as error:
        inspection.refused("points", error)
        return True
    return False


def _inspect_mesh(inspection: Inspection, source: str, dataset: xr.Dataset) -> bool:
    """Say that the fields lie on a curvilinear grid and what to write into the recipe, where they do."""
    for array in dataset.data_vars.values():
        if array.ndim < 2:
            continue
        try:
            found = find_mesh(dataset, array, source, None)
        except UserError as error:
            inspection.refused("curvilinear", error)
            return True
        if found is None:
            continue
        mesh, nominal = found
        rows, columns = mesh.shape
        south, north, _ = mesh.area(None)
        inspection.facts["grid"] = (
            f"curvilinear, {rows} x {columns} cells about {mesh.spacing:.2g} degrees apart, {south:.4g} to "
            f"{north:.4g} N"
        )
        beside = (
            ""
            if nominal is None
            else f" Axes of one dimension beside them are nominal, up to {nominal:.3g} degrees off."
        )
        inspection.add(
            "curvilinear",
            Severity.WARNING,
            f"the places '{mesh.name}' are those of a curvilinear grid.{beside}",
            advice(mesh) + " For vectors see data.rotate.",
        )
        return True
    return False


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


def _describe_axis(inspection: Inspection, kind: str, axis: Axis, dataset: xr.Dataset) -> None:
    inspection.facts[kind] = f"{len(axis.values)} cells, {axis.values[0]:g} to {axis.values[-1]:g}"
    turned = bool(np.any(np.diff(axis.order) < 0))
    left_out = dataset.sizes[axis.name] - len(axis.order)
    if kind == "longitude" and LatLonGrid((0.0, 1.0), tuple(axis.values)).is_global_in_longitude:
        inspection.facts[kind] += ", global"
    if kind == "latitude" and is_nominal(dataset, axis):
        inspection.add(
            "nominal",
            Severity.WARNING,
            f"latitudes call themselves nominal and reach {axis.values[-1]:g} N: on a tripolar grid rows are no "
            "circles of latitude there, and the file has no true places beside them.",
            "Add these (two-dimensional latitudes and longitudes, as geolat and geolon of the model's static file), or "
            f"take a region south of {TRIPOLAR:g} N.",
        )
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
