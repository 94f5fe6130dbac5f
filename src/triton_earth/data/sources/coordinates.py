"""Coordinates of files: which ones are latitude, longitude and level, and the way they have to be turned."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.config import Region
from triton_earth.data.sources.units import canonical_units, conversion

_NAMES = {
    "latitude": ("latitude", "lat", "nav_lat", "yt_ocean"),
    "longitude": ("longitude", "lon", "nav_lon", "xt_ocean"),
    "level": (
        "level", "pressure_level", "lev", "plev", "isobaricinhpa", "isobaric", "depth", "deptht", "depthu", "depthv",
        "elevation", "olevel", "st_ocean", "zt", "height", "altitude",
    ),
}  # fmt: skip
_STANDARD_NAMES = {
    "latitude": ("latitude",),
    "longitude": ("longitude",),
    "level": (
        "air_pressure", "depth", "height", "altitude", "model_level_number", "atmosphere_sigma_coordinate",
        "atmosphere_hybrid_sigma_pressure_coordinate", "ocean_sigma_coordinate", "ocean_s_coordinate",
    ),
}  # fmt: skip
_UNITS = {
    "latitude": ("degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"),
    "longitude": ("degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"),
    "level": (),
}
_DEPTHS = ("depth", "deptht", "depthu", "depthv", "olevel", "st_ocean", "zt")
_LEVEL_UNITS = {"hPa": ("Pa", "kPa"), "m": ("cm", "km")}
"""Units of levels, and what is converted to them."""
_RADIANS = ("radian", "radians", "rad")
_RANK = {1: 0, 0: 2}
"""One dimension, then several, then none."""


@dataclass(frozen=True)
class Axis:
    """A spatial axis of a file and the cells of it that are taken, in canonical order.

    Attributes:
        name: Dimension in the file.
        order: Index in the file of each cell.
        values: Coordinate of each cell, degrees.
    """

    name: str
    order: Int64[np.ndarray, " cell"]
    values: Float64[np.ndarray, " cell"]


def find_axis(
    dataset: xr.Dataset, kind: str, dimensions: Iterable[Hashable] | None = None
) -> str | None:
    """Return the name of a dataset's latitude, longitude or level coordinate, or None.

    What describes itself comes before what only has a usual name, one dimension before several. Bounds of cells are
    no coordinates.

    Args:
        dataset: The file.
        kind: ``latitude``, ``longitude`` or ``level``.
        dimensions: Look only for coordinates of one dimension, which is one of these.
    """
    bounds = {text_of(variable, "bounds") for variable in dataset.variables.values()}
    ranked = []
    for key, variable in dataset.variables.items():
        name = str(key)
        if name in bounds or (variable.ndim == 2 and variable.shape[1] == 2):
            continue
        if dimensions is not None and (variable.ndim != 1 or variable.dims[0] not in dimensions):
            continue
        described = _is_described(variable, kind)
        if described or name.lower() in _NAMES[kind]:
            usual = _NAMES[kind].index(name.lower()) if name.lower() in _NAMES[kind] else 99
            own = variable.dims == (name,)
            ranked.append((_RANK.get(variable.ndim, 1), not described, not own, usual, name))
    return min(ranked)[-1] if ranked else None


def _is_described(variable: xr.Variable, kind: str) -> bool:
    """Whether attributes say that a variable is latitude, longitude or level."""
    if text_of(variable, "standard_name") in _STANDARD_NAMES[kind]:
        return True
    if kind == "level":
        return text_of(variable, "axis") == "Z" or text_of(variable, "positive") in ("up", "down")
    return (text_of(variable, "units") or "").lower() in _UNITS[kind]


def latitude_axis(dataset: xr.Dataset, source: str, region: Region | None) -> Axis:
    """Return a file's latitudes from south to north.

    Raises:
        UserError: if there are none, they do not lie on one axis, within -90..90 or in order, or none is in the region.
    """
    name, values = _coordinate(dataset, "latitude", source)
    order = np.arange(values.size)[::-1] if values[0] > values[-1] else np.arange(values.size)
    ordered = values[order]
    if np.any(np.diff(ordered) <= 0):
        raise UserError(
            f"{source}: latitude '{name}' is not in order. Sort it (xarray: ds.sortby('{name}'))."
        )
    if ordered[0] < -90.001 or ordered[-1] > 90.001:
        raise UserError(
            f"{source}: latitude '{name}' reaches from {ordered[0]:g} to {ordered[-1]:g}, beyond -90..90 degrees. "
            "Correct the coordinate; projected coordinates have to be regridded first."
        )
    if region is not None:
        south, north = region.latitude
        inside = (ordered >= south) & (ordered <= north)
        order, ordered = order[inside], ordered[inside]
    return _axis(name, order, ordered, source)


def longitude_axis(dataset: xr.Dataset, source: str, region: Region | None) -> Axis:
    """Return a file's longitudes from west to east: 0..360 for the whole circle, else from the region's west.

    A last meridian that repeats the first (0 and 360) is left out.

    Raises:
        UserError: if there are none, they do not lie on one axis or in order, or none is in the region.
    """
    name, values = _coordinate(dataset, "longitude", source)
    if np.abs(values).max() > 720:
        raise UserError(
            f"{source}: longitude '{name}' reaches {values[np.abs(values).argmax()]:g}, which is no angle in degrees. "
            "Correct the coordinate; projected coordinates have to be regridded first."
        )
    steps = np.diff(values)
    unwrapped = np.concatenate(
        [values[:1], values[0] + np.cumsum(np.where(steps < 0, steps + 360, steps))]
    )
    if np.any(np.diff(unwrapped) <= 0) or unwrapped[-1] - unwrapped[0] > 360.001:
        raise UserError(
            f"{source}: longitude '{name}' is not in order from west to east. Sort it (xarray: ds.sortby('{name}'))."
        )
    cells = np.arange(values.size)
    if abs(unwrapped[-1] - unwrapped[0] - 360) < 1e-3:
        cells, unwrapped = cells[:-1], unwrapped[:-1]
    if LatLonGrid((0.0, 1.0), tuple(unwrapped)).is_global_in_longitude:
        unwrapped = np.round(np.mod(unwrapped, 360), 9)
        rotation = np.argsort(unwrapped, kind="stable")
        cells, unwrapped = cells[rotation], unwrapped[rotation]
    if region is not None and region.longitude is not None:
        west, east = region.longitude
        width = (east - west) % 360 or 360.0
        eastward = np.mod(unwrapped - west, 360)
        inside = np.flatnonzero(eastward <= width)
        inside = inside[np.argsort(eastward[inside], kind="stable")]
        cells, unwrapped = cells[inside], west + eastward[inside]
        if width == 360.0:
            unwrapped = np.mod(unwrapped, 360)
            rotation = np.argsort(unwrapped, kind="stable")
            cells, unwrapped = cells[rotation], unwrapped[rotation]
    return _axis(name, cells, unwrapped, source)


def level_indices(
    dataset: xr.Dataset, name: str, levels: tuple[float, ...], what: str
) -> list[int]:
    """Return the index of each level in a file's level coordinate, to a thousandth.

    Raises:
        UserError: naming the levels that there are, if one is missing.
    """
    values = level_values(dataset, name, what)
    indices = []
    for level in levels:
        distance = np.abs(np.abs(values) - abs(level))
        index = int(np.argmin(distance))
        if distance[index] > 1e-3 * max(abs(level), 1.0):
            known = ", ".join(f"{value:g}" for value in values[:40])
            raise UserError(f"{what}: level {level:g} is not there; '{name}' has {known}.")
        indices.append(index)
    return indices


def level_values(dataset: xr.Dataset, name: str, what: str) -> Float64[np.ndarray, " level"]:
    """Return the levels of a file, pressures in hPa and lengths in m.

    Raises:
        UserError: if they are no numbers.
    """
    variable = dataset.variables[name]
    if variable.dtype.kind not in "iuf":
        raise UserError(
            f"{what}: level '{name}' holds {variable.values[:2].tolist()} and no numbers, so nobody can tell how high "
            "they are. Give it numbers in hPa or m (xarray: ds.assign_coords)."
        )
    values = variable.values.astype(np.float64)
    units = canonical_units(text_of(variable, "units") or "")
    for wanted, others in _LEVEL_UNITS.items():
        if units in others:
            scale, _ = conversion(units, wanted) or (1.0, 0.0)
            return scale * values
    return values


def lies_under_water(dataset: xr.Dataset, dimensions: Iterable[Hashable]) -> bool:
    """Return whether the levels of a variable of these dimensions are depths."""
    name = find_axis(dataset, "level", dimensions)
    if name is None:
        return False
    variable = dataset.variables[name]
    if name.lower() in _DEPTHS or text_of(variable, "standard_name") == "depth":
        return True
    length = conversion(text_of(variable, "units") or "", "m") is not None
    return length and text_of(variable, "positive") == "down"


def _coordinate(dataset: xr.Dataset, kind: str, source: str) -> tuple[str, np.ndarray]:
    name = find_axis(dataset, kind)
    if name is None:
        raise UserError(
            f"{source}: there is no {kind}, a coordinate of that name or with units "
            f"degrees_{'north' if kind == 'latitude' else 'east'}; found {sorted(map(str, dataset.variables))}. "
            "Rename or add it."
        )
    variable: Any = dataset.variables[name]
    other = find_axis(dataset, "longitude" if kind == "latitude" else "latitude")
    if variable.ndim == 1 and other is not None and dataset.variables[other].dims == variable.dims:
        raise UserError(
            f"{source}: '{name}' and '{other}' both lie along '{variable.dims[0]}': these are points of an "
            "unstructured grid. Interpolate them onto latitudes times longitudes first (cdo remapnn,r360x180 IN OUT)."
        )
    if variable.ndim == 0:
        raise UserError(
            f"{source}: {kind} '{name}' is a single value, {variable.values}; a map has at least two rows and columns. "
            "Choose another file."
        )
    if variable.ndim != 1:
        raise UserError(
            f"{source}: {kind} '{name}' has {variable.ndim} dimensions {variable.dims}; a grid of latitude times "
            "longitude has one. Regrid first (cdo remapcon, xesmf)."
        )
    values = variable.values
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or values.size < 2:
        raise UserError(
            f"{source}: {kind} '{name}' must hold at least two finite numbers; found {values.size} of type "
            f"{values.dtype}. Repair the file."
        )
    values = values.astype(np.float64)
    units = (text_of(variable, "units") or "").strip().lower()
    if units in _RADIANS:
        # Single precision in radians is coarser than in degrees.
        values = np.round(np.rad2deg(values), 4 if variable.dtype.itemsize < 8 else 9)
    elif units and not units.startswith(("deg", "°")):
        raise UserError(
            f"{source}: {kind} '{name}' is in '{units}'; expected degrees or radians. Correct the attribute `units`; "
            "projected coordinates have to be regridded first."
        )
    return str(variable.dims[0]), values


def _axis(name: str, order: np.ndarray, values: np.ndarray, source: str) -> Axis:
    if order.size < 2:
        raise UserError(
            f"{source}: fewer than two cells of '{name}' lie in data.region; make it larger."
        )
    return Axis(name, order.astype(np.int64), values.astype(np.float64))
