"""Coordinates of files: which ones are latitude, longitude and level, and the way they have to be turned."""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.sources.attributes import direction_of, text_of
from triton_earth.data.sources.config import Region
from triton_earth.data.sources.values.units import canonical_units, conversion

_NAMES = {
    "latitude": ("latitude", "lat", "nav_lat", "yt_ocean"),
    "longitude": ("longitude", "lon", "nav_lon", "xt_ocean"),
    "level": (
        "level", "pressure_level", "lev", "plev", "isobaricinhpa", "isobaric", "depth", "deptht", "depthu", "depthv",
        "depthw", "elevation", "olevel", "st_ocean", "zt", "height", "altitude", "heightaboveground", "pressure",
        "pres", "z_t", "z_l", "zl", "zc", "z", "s_rho", "nav_lev",
    ),
}  # fmt: skip
LEVEL_NAMES = _NAMES["level"]
"""Usual names of levels."""
_STANDARD_NAMES = {
    "latitude": ("latitude",),
    "longitude": ("longitude",),
    "level": (
        "air_pressure", "depth", "height", "altitude", "model_level_number", "atmosphere_sigma_coordinate",
        "atmosphere_hybrid_sigma_pressure_coordinate", "ocean_sigma_coordinate", "ocean_s_coordinate",
    ),
}  # fmt: skip
_BOUNDS = ("_bnds", "_bounds", "_bnd", "_vertices", "_corners")
_PROJECTED = ("x", "y", "xc", "yc", "easting", "northing")
"""Names of distances on a map, in units that levels have, too."""
_DIRECTIONS = {"latitude": ("north", "south"), "longitude": ("east", "west")}
"""Where angles count to, and where those that count backwards do."""
_PRESSURES = ("Pa", "hPa", "kPa", "dbar")
_RADIANS = ("radian", "radians", "rad")
_RANK = {1: 0, 0: 2}
"""One dimension, then several, then none."""
TRIPOLAR = 60.0
"""Degrees north from which on the rows of tripolar ocean grids are no circles of latitude."""
_ROUNDING = 1e-3
"""Part of a step by which angles in single precision, or made by adding up steps, may be off."""


@dataclass(frozen=True)
class Axis:
    """A spatial axis of a file and the cells of it that are taken, in canonical order.

    Attributes:
        name: Dimension in the file.
        order: Index in the file of each cell.
        values: Coordinate of each cell, degrees; on a curvilinear grid its number.
        is_angle: Whether they are degrees.
    """

    name: str
    order: Int64[np.ndarray, " cell"]
    values: Float64[np.ndarray, " cell"]
    is_angle: bool = True


def describe_place(axes: tuple[Axis, Axis], row: int, column: int) -> str:
    """Return where a cell is, in words: its latitude and longitude, or its numbers on a curvilinear grid."""
    latitude, longitude = axes
    if not latitude.is_angle:
        return f"{latitude.name} {latitude.order[row]}, {longitude.name} {longitude.order[column]}"
    return f"{latitude.values[row]:g} N {longitude.values[column]:g} E"


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
        if (
            name in bounds
            or name.endswith(_BOUNDS)
            or (variable.ndim == 2 and variable.shape[1] == 2)
        ):
            continue
        if dimensions is not None and (variable.ndim != 1 or variable.dims[0] not in dimensions):
            continue
        own = variable.dims == (name,)
        described = is_described(variable, kind) or (
            kind == "level" and own and (is_pressure(variable) or _is_height(dataset, name))
        )
        if described or name.lower() in _NAMES[kind]:
            usual = _NAMES[kind].index(name.lower()) if name.lower() in _NAMES[kind] else 99
            ranked.append((_RANK.get(variable.ndim, 1), not described, not own, usual, name))
    return min(ranked)[-1] if ranked else None


def is_described(variable: xr.Variable, kind: str) -> bool:
    """Return whether attributes say that a variable is latitude, longitude or level."""
    if text_of(variable, "standard_name") in _STANDARD_NAMES[kind]:
        return True
    if kind == "level":
        return text_of(variable, "axis") == "Z" or text_of(variable, "positive") in ("up", "down")
    return direction_of(variable) in _DIRECTIONS[kind]


def counts_backwards(variable: xr.Variable, kind: str) -> bool:
    """Return whether a latitude counts degrees south, or a longitude degrees west."""
    _, backwards = _DIRECTIONS[kind]
    return direction_of(variable) == backwards or bool(
        re.search(
            rf"\bpositive[ _-]?{backwards}", text_of(variable, "long_name") or "", re.IGNORECASE
        )
    )


def is_pressure(variable: xr.Variable) -> bool:
    """Return whether units of pressure say that a coordinate is vertical, as the conventions have it."""
    return canonical_units(text_of(variable, "units") or "") in _PRESSURES


def _is_height(dataset: xr.Dataset, name: str) -> bool:
    """Whether a dimension's coordinate is a height or depth by its units alone, and no distance on a map."""
    variable = dataset.variables[name]
    if conversion(text_of(variable, "units") or "", "m") is None or name.lower() in _PROJECTED:
        return False
    if text_of(variable, "axis") in ("X", "Y") or "projection" in str(
        text_of(variable, "standard_name")
    ):
        return False
    return not any(
        name in other.dims and str(key) != name and _is_place(str(key), other)
        for key, other in dataset.variables.items()
    )


def _is_place(name: str, variable: xr.Variable) -> bool:
    return any(
        is_described(variable, kind) or name.lower() in _NAMES[kind]
        for kind in ("latitude", "longitude")
    )


def latitude_axis(
    dataset: xr.Dataset,
    source: str,
    region: Region | None,
    dimensions: Iterable[Hashable] | None = None,
) -> Axis:
    """Return a file's latitudes from south to north.

    Args:
        dataset: The file.
        source: Its name, for messages.
        region: Part of them to take, or None for all.
        dimensions: Those of the variable whose latitudes they are, for files that have several kinds.

    Raises:
        UserError: if there are none, they do not lie on one axis, within -90..90 or in order, or none is in the region.
    """
    name, values = _coordinate(dataset, "latitude", source, dimensions)
    order = np.arange(values.size)[::-1] if values[0] > values[-1] else np.arange(values.size)
    ordered = values[order]
    if np.any(np.diff(ordered) <= 0):
        raise UserError(
            f"{source}: latitude '{name}' is not in order. Sort it (xarray: ds.sortby('{name}'))."
        )
    step = float(np.median(np.diff(ordered)))
    beyond = max(0.001, 0.1 * step)
    if ordered[0] < -90 - beyond or ordered[-1] > 90 + beyond:
        raise UserError(
            f"{source}: latitude '{name}' reaches from {ordered[0]:g} to {ordered[-1]:g}, beyond -90..90 degrees. "
            "Correct the coordinate; projected coordinates have to be regridded first."
        )
    ordered = np.clip(ordered, -90.0, 90.0)
    if region is not None:
        south, north = region.latitude
        inside = (ordered >= south - _ROUNDING * step) & (ordered <= north + _ROUNDING * step)
        order, ordered = order[inside], ordered[inside]
    return _axis(name, order, ordered, source)


def is_nominal(dataset: xr.Dataset, latitude: Axis) -> bool:
    """Return whether latitudes alone call themselves nominal, and reach to where the rows of tripolar grids bend."""
    if latitude.values[-1] <= TRIPOLAR:
        return False
    along = [one for one in dataset.variables.values() if latitude.name in one.dims]
    if any(one.ndim > 1 and is_described(one, "latitude") for one in along):
        return False  # true ones beside them, which have been compared
    return any(
        one.ndim == 1 and "nominal" in (text_of(one, "long_name") or "").lower() for one in along
    )


def longitude_axis(
    dataset: xr.Dataset,
    source: str,
    region: Region | None,
    dimensions: Iterable[Hashable] | None = None,
) -> Axis:
    """Return a file's longitudes from west to east: 0..360 for the whole circle, else from the region's west.

    A last meridian that repeats the first (0 and 360) is left out.

    Args:
        dataset: The file.
        source: Its name, for messages.
        region: Part of them to take, or None for all.
        dimensions: Those of the variable whose longitudes they are, for files that have several kinds.

    Raises:
        UserError: if there are none, they do not lie on one axis or in order, or none is in the region.
    """
    name, values = _coordinate(dataset, "longitude", source, dimensions)
    if np.abs(values).max() > 720:
        raise UserError(
            f"{source}: longitude '{name}' reaches {values[np.abs(values).argmax()]:g}, which is no angle in degrees. "
            "Correct the coordinate; projected coordinates have to be regridded first."
        )
    cells = np.arange(values.size)
    if np.median(np.diff(values)) < 0:
        cells, values = cells[::-1], values[::-1]
    steps = np.diff(values)
    unwrapped = np.concatenate(
        [values[:1], values[0] + np.cumsum(np.where(steps < 0, steps + 360, steps))]
    )
    if np.any(np.diff(unwrapped) <= 0) or unwrapped[-1] - unwrapped[0] > 360.001:
        raise UserError(
            f"{source}: longitude '{name}' is not in order from west to east. Sort it (xarray: ds.sortby('{name}'))."
        )
    rounding = _ROUNDING * float(np.median(np.diff(unwrapped)))
    if abs(unwrapped[-1] - unwrapped[0] - 360) < max(1e-3, rounding):
        cells, unwrapped = cells[:-1], unwrapped[:-1]
    if LatLonGrid((0.0, 1.0), tuple(unwrapped)).is_global_in_longitude:
        cells, unwrapped = _from_zero(cells, unwrapped, rounding)
    if region is not None and region.longitude is not None:
        west, east = region.longitude
        width = (east - west) % 360 or 360.0
        # A meridian a little west of the border by rounding lies on it.
        eastward = np.mod(unwrapped - west + rounding, 360) - rounding
        inside = np.flatnonzero(eastward <= width + rounding)
        inside = inside[np.argsort(eastward[inside], kind="stable")]
        cells, unwrapped = cells[inside], west + eastward[inside]
        if width == 360.0:
            cells, unwrapped = _from_zero(cells, unwrapped, rounding)
    return _axis(name, cells, unwrapped, source)


def _from_zero(
    cells: np.ndarray, longitude: np.ndarray, rounding: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of a whole circle in the order of longitudes 0..360; what rounding put below 0 or 360 is 0."""
    turned = np.round(np.mod(longitude + rounding, 360) - rounding, 9)
    turned = np.where(turned < 0, 0.0, turned)
    rotation = np.argsort(turned, kind="stable")
    return cells[rotation], turned[rotation]


def same_longitudes(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether longitudes are the same meridians: 280 E is 80 W."""
    if one.shape != other.shape:
        return False
    apart = np.abs(np.mod(one - other + 180, 360) - 180)
    return bool(np.all(apart <= 1e-4))


def rotated_axes(dataset: xr.Dataset) -> list[str]:
    """Return the coordinates of one dimension that are latitude and longitude of a rotated pole, in this order."""
    found = {
        text_of(variable, "standard_name"): str(name)
        for name, variable in dataset.variables.items()
        if variable.ndim == 1
    }
    names = [found.get("grid_latitude"), found.get("grid_longitude")]
    return [name for name in names if name is not None] if all(names) else []


def require_places(
    dataset: xr.Dataset, source: str, kinds: tuple[str, ...] = ("latitude", "longitude")
) -> None:
    """Refuse a file that has no latitudes or no longitudes of any kind.

    Raises:
        UserError: naming what it has.
    """
    for kind in kinds:
        if find_axis(dataset, kind) is None:
            raise UserError(
                f"{source}: there is no {kind}, a coordinate of that name or with units "
                f"degrees_{'north' if kind == 'latitude' else 'east'}; found {sorted(map(str, dataset.variables))}. "
                "Rename or add it."
            )


def require_no_points(
    dataset: xr.Dataset, source: str, dimensions: Iterable[Hashable] | None = None
) -> None:
    """Refuse a file whose latitudes and longitudes lie along one dimension.

    Raises:
        UserError: naming both.
    """
    names = [find_axis(dataset, kind, dimensions) for kind in ("latitude", "longitude")]
    found = [dataset.variables[name].dims for name in names if name is not None]
    if len(found) == 2 and len(found[0]) == 1 and found[0] == found[1]:
        raise UserError(
            f"{source}: '{names[0]}' and '{names[1]}' both lie along '{found[0][0]}': these are points of an "
            "unstructured grid. Interpolate them onto latitudes times longitudes first (cdo remapnn,r360x180 IN OUT)."
        )


def _coordinate(
    dataset: xr.Dataset, kind: str, source: str, dimensions: Iterable[Hashable] | None
) -> tuple[str, np.ndarray]:
    name = find_axis(dataset, kind, dimensions)
    if name is None:
        name = find_axis(dataset, kind)
    require_places(dataset, source, (kind,))
    assert name is not None
    variable: Any = dataset.variables[name]
    require_no_points(dataset, source, dimensions)
    if variable.size == 1:
        raise UserError(
            f"{source}: {kind} '{name}' is a single value, {variable.values.item()}; a map has at least two rows and "
            "columns. Choose another file."
        )
    if variable.ndim != 1:
        raise UserError(
            f"{source}: {kind} '{name}' has {variable.ndim} dimensions {variable.dims}; a grid of latitude times "
            "longitude has one. Say data.grid, which puts the fields onto such a grid."
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
    return str(variable.dims[0]), -values if counts_backwards(variable, kind) else values


def _axis(name: str, order: np.ndarray, values: np.ndarray, source: str) -> Axis:
    if order.size < 2:
        raise UserError(
            f"{source}: fewer than two cells of '{name}' lie in data.region; make it larger."
        )
    return Axis(name, order.astype(np.int64), values.astype(np.float64))
