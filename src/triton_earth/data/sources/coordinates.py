"""Coordinates of files: which ones are latitude, longitude and level, and the way they have to be turned."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.sources.config import Region

LATITUDE_NAMES = ("latitude", "lat", "nav_lat", "yt_ocean", "nlat", "rlat")
LONGITUDE_NAMES = ("longitude", "lon", "nav_lon", "xt_ocean", "nlon", "rlon")
LEVEL_NAMES = (
    "level", "pressure_level", "lev", "plev", "isobaricInhPa", "depth", "deptht", "depthu", "depthv",
    "elevation", "olevel", "st_ocean", "zt", "height",
)  # fmt: skip


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


def find_axis(dataset: xr.Dataset, kind: str) -> str | None:
    """Return the name of a dataset's latitude, longitude or level coordinate, or None.

    Args:
        dataset: The file.
        kind: ``latitude``, ``longitude`` or ``level``.
    """
    names = {"latitude": LATITUDE_NAMES, "longitude": LONGITUDE_NAMES, "level": LEVEL_NAMES}[kind]
    units = {
        "latitude": ("degrees_north", "degree_north", "degrees_N"),
        "longitude": ("degrees_east", "degree_east", "degrees_E"),
        "level": (),
    }[kind]
    for name, variable in dataset.variables.items():
        attributes = variable.attrs
        if attributes.get("standard_name") == kind or attributes.get("units") in units:
            return str(name)
    lower = {str(name).lower(): str(name) for name in dataset.variables}
    found = next((lower[name.lower()] for name in names if name.lower() in lower), None)
    if found is None and kind == "level":
        return next(
            (
                str(n)
                for n, v in dataset.variables.items()
                if v.attrs.get("axis") == "Z" and v.ndim == 1
            ),
            None,
        )
    return found


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
    """Return the index of each level in a file's level coordinate, to a thousandth; Pa are taken as hPa.

    Raises:
        UserError: naming the levels that there are, if one is missing.
    """
    values = dataset[name].values.astype(np.float64)
    if dataset[name].attrs.get("units") in ("Pa", "pascal"):
        values = values / 100
    indices = []
    for level in levels:
        distance = np.abs(np.abs(values) - abs(level))
        index = int(np.argmin(distance))
        if distance[index] > 1e-3 * max(abs(level), 1.0):
            known = ", ".join(f"{value:g}" for value in values[:40])
            raise UserError(f"{what}: level {level:g} is not there; '{name}' has {known}.")
        indices.append(index)
    return indices


def _coordinate(dataset: xr.Dataset, kind: str, source: str) -> tuple[str, np.ndarray]:
    name = find_axis(dataset, kind)
    if name is None:
        raise UserError(
            f"{source}: there is no {kind}, a coordinate of that name or with units "
            f"degrees_{'north' if kind == 'latitude' else 'east'}; found {sorted(map(str, dataset.variables))}. "
            "Rename or add it."
        )
    variable: Any = dataset.variables[name]
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
    return str(variable.dims[0]), values.astype(np.float64)


def _axis(name: str, order: np.ndarray, values: np.ndarray, source: str) -> Axis:
    if order.size < 2:
        raise UserError(
            f"{source}: fewer than two cells of '{name}' lie in data.region; make it larger."
        )
    return Axis(name, order.astype(np.int64), values.astype(np.float64))
