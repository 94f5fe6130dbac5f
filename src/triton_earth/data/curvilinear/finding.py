"""Finding meshes in files: two-dimensional coordinates, true ones beside nominal axes, and rotated poles."""

import re

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.data.curvilinear.mesh import Mesh, unit_vectors
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.config import Region
from triton_earth.data.sources.places.coordinates import (
    Axis,
    counts_backwards,
    find_axis,
    is_described,
    latitude_axis,
    longitude_axis,
    rotated_axes,
)
from triton_earth.data.sources.times.axis import find_time

_NAMES = {
    "latitude": re.compile(r"^(nav_|geo|x|t|u|v|f|q|grid_)?lat|^gphi", re.IGNORECASE),
    "longitude": re.compile(r"^(nav_|geo|x|t|u|v|f|q|grid_)?lon|^glam", re.IGNORECASE),
}
_CORNERS = re.compile(r"(_bnds|_bounds|_bnd|_vertices|_corners|_crn|_b|_c)$", re.IGNORECASE)
_NOMINAL = 0.05
"""Part of a cell by which nominal axes may be off the true places."""


def find_mesh(
    dataset: xr.Dataset, array: xr.DataArray, source: str, region: Region | None
) -> tuple[Mesh, float | None] | None:
    """Return the mesh of a variable, and by how many degrees axes of one dimension beside it are off.

    None where latitudes and longitudes have one dimension; the second is None where there are no such axes.

    Axes of one dimension beside coordinates of two are taken for what they are where both agree, in the region if there
    is one; else they are nominal, and the others are the true ones.

    Args:
        dataset: The file.
        array: The variable.
        source: The file's name, for messages.
        region: What the recipe asks for.

    Raises:
        UserError: if the coordinates move in time, or are no angles.
    """
    names = [_two_dimensional(dataset, array, kind) for kind in ("latitude", "longitude")]
    if names[0] is None or names[1] is None:
        turned = _rotated_pole(dataset, array)
        return None if turned is None else (turned, None)
    if dataset.variables[names[0]].dims[-2:] != dataset.variables[names[1]].dims[-2:]:
        return None
    mesh = _mesh(dataset, (names[0], names[1]), source)
    if all(find_axis(dataset, kind, array.dims) for kind in ("latitude", "longitude")):
        rows = latitude_axis(dataset, source, region, array.dims)
        columns = longitude_axis(dataset, source, region, array.dims)
        if {rows.name, columns.name} == set(mesh_dimensions(dataset, mesh)):
            apart, allowed = _apart(dataset, mesh, rows, columns)
            return None if apart <= allowed else (mesh, apart)
    return mesh, None


def mesh_dimensions(dataset: xr.Dataset, mesh: Mesh) -> tuple[str, str]:
    """Return the dimensions of a mesh in its file, (y, x)."""
    first, second = mesh.name.split(", ")
    variable = dataset.variables[first]
    if variable.ndim == 1:
        return first, second
    rows, columns = variable.dims[-2:]
    return str(rows), str(columns)


def window(mesh: Mesh, region: Region | None) -> tuple[slice, slice]:
    """Return the rows and columns of a mesh that hold a region, two cells more on every side."""
    whole = (slice(0, mesh.shape[0]), slice(0, mesh.shape[1]))
    if region is None:
        return whole
    inside: np.ndarray = np.asarray(
        (mesh.latitude >= region.latitude[0]) & (mesh.latitude <= region.latitude[1])
    )
    if region.longitude is not None:
        west, east = region.longitude
        width = (east - west) % 360 or 360.0
        inside = inside & np.asarray(np.mod(mesh.longitude - west, 360) <= width)
    if not inside.any():
        raise UserError(
            f"no cell of the curvilinear grid '{mesh.name}' lies in data.region; it reaches from "
            f"{np.nanmin(mesh.latitude):g} to {np.nanmax(mesh.latitude):g} N. Make it larger."
        )
    if mesh.is_periodic or mesh.is_folded:
        # What goes on across a seam is kept whole along it.
        inside = np.broadcast_to(np.any(inside, axis=1, keepdims=True), mesh.shape)
    ends = [np.flatnonzero(np.any(inside, axis=axis))[[0, -1]] for axis in (1, 0)]
    rows, columns = (
        slice(max(int(first) - 2, 0), min(int(last) + 3, size))
        for (first, last), size in zip(ends, mesh.shape, strict=True)
    )
    return rows, columns


def part_of(mesh: Mesh, rows: slice, columns: slice) -> Mesh:
    """Return some rows and columns of a mesh."""
    if (rows.start, rows.stop, columns.start, columns.stop) == (0, mesh.shape[0], 0, mesh.shape[1]):
        return mesh
    corners = None if mesh.corners is None else mesh.corners[rows, columns]
    return Mesh(mesh.name, mesh.latitude[rows, columns], mesh.longitude[rows, columns], corners)


def advice(mesh: Mesh) -> str:
    """Return the keys that a recipe needs for fields on a mesh."""
    south, north, sides = mesh.area(None)
    width = 360.0 if sides is None else sides[1] - sides[0]
    rows = max(2, round((north - south) / mesh.spacing))
    columns = max(4, round(width / mesh.spacing))
    return (
        f"Say data.grid={{latitudes: {rows}, longitudes: {columns}}}, conservative averages, or method: bilinear "
        "(pip install 'triton-earth[curvilinear]')."
    )


def _two_dimensional(dataset: xr.Dataset, array: xr.DataArray, kind: str) -> str | None:
    """Return the coordinate of two dimensions of a variable: one that it names, then one that describes itself."""
    named = (text_of(array, "coordinates") or str(array.encoding.get("coordinates", ""))).split()
    time = find_time(dataset, array.dims)
    times = set() if time is None else set(dataset.variables[time].dims)
    bounds = {text_of(variable, "bounds") for variable in dataset.variables.values()}
    ranked = []
    for key, variable in dataset.variables.items():
        name = str(key)
        if name in bounds or variable.ndim not in (2, 3) or name == array.name:
            continue
        if not set(variable.dims[-2:]) <= set(array.dims) or set(variable.dims[-2:]) & times:
            continue
        if variable.ndim == 3 and variable.dims[0] not in times:
            continue
        described = is_described(variable, kind)
        is_named = _NAMES[kind].match(name) is not None
        if variable.dtype.kind != "f" or not (
            described or (is_named and name in (*named, *map(str, array.coords)))
        ):
            continue
        ranked.append(
            (
                name not in named,
                _CORNERS.search(name) is not None,
                not described,
                not is_named,
                name,
            )
        )
    return min(ranked)[-1] if ranked else None


def _mesh(dataset: xr.Dataset, names: tuple[str, str], source: str) -> Mesh:
    values = []
    for name, kind in zip(names, ("latitude", "longitude"), strict=True):
        variable = dataset.variables[name]
        found = variable.values.astype(np.float64)
        if found.ndim == 3:
            if not np.allclose(found[0], found[-1], atol=1e-4, equal_nan=True):
                raise UserError(
                    f"{source}: {kind} '{name}' changes in time: its grid moves. Put the fields onto one grid first."
                )
            found = found[0]
        units = (text_of(variable, "units") or "").strip().lower()
        if units in ("radian", "radians", "rad"):
            found = np.rad2deg(found)
        values.append(-found if counts_backwards(variable, kind) else found)
    latitude, longitude = values
    sound = np.isfinite(latitude) & np.isfinite(longitude)
    with np.errstate(invalid="ignore"):
        sound &= (np.abs(latitude) <= 90.001) & (np.abs(longitude) <= 720)
    # Where a model left out pieces of land there are no places; some writers leave zeros.
    nought = (latitude == 0) & (longitude == 0)
    if nought.sum() > 1:
        sound &= ~nought
    if not sound.any():
        raise UserError(
            f"{source}: '{names[0]}' and '{names[1]}' hold no angles in degrees. Correct the coordinates."
        )
    latitude = np.where(sound, np.clip(latitude, -90, 90), np.nan)
    longitude = np.where(sound, longitude, np.nan)
    corners = _corners(dataset, names, unit_vectors(latitude, longitude), sound)
    return Mesh(", ".join(names), latitude, longitude, corners)


def _corners(
    dataset: xr.Dataset,
    names: tuple[str, str],
    middle: Float64[np.ndarray, "y x 3"],
    sound: np.ndarray,
) -> Float64[np.ndarray, "y x 4 3"] | None:
    """Return the corners of cells that coordinates name as their bounds, in the units and the sense of these."""
    found = []
    for name, kind in zip(names, ("latitude", "longitude"), strict=True):
        bounds = text_of(dataset.variables[name], "bounds")
        if bounds not in dataset.variables or dataset.variables[bounds].shape != (*sound.shape, 4):
            return None
        values = dataset.variables[bounds].values.astype(np.float64)
        units = (text_of(dataset.variables[name], "units") or "").strip().lower()
        values = np.rad2deg(values) if units.startswith("rad") else values
        found.append(-values if counts_backwards(dataset.variables[name], kind) else values)
    if not np.isfinite(found[0][sound]).all() or np.abs(found[0][sound]).max() > 90.001:
        return None
    corners = unit_vectors(found[0], found[1])
    # Corners that lie at one point, or far from the cell, are no outline.
    far = np.linalg.norm(corners.mean(axis=2) - middle, axis=-1)[sound]
    size = np.linalg.norm(corners[:, :, 0] - corners[:, :, 2], axis=-1)[sound]
    return (
        corners if np.median(size) > 0 and np.median(far / np.maximum(size, 1e-9)) < 0.3 else None
    )


def _apart(dataset: xr.Dataset, mesh: Mesh, rows: Axis, columns: Axis) -> tuple[float, float]:
    """Return how far axes of one dimension are off the places that coordinates of two say, and how far they may be."""
    points = mesh.points
    if mesh_dimensions(dataset, mesh) == (columns.name, rows.name):
        points = points.transpose(1, 0, 2)
    points = points[rows.order][:, columns.order]
    latitude, longitude = np.meshgrid(rows.values, columns.values, indexing="ij")
    apart = np.rad2deg(np.linalg.norm(points - unit_vectors(latitude, longitude), axis=-1))
    step = min(float(np.median(np.diff(rows.values))), float(np.median(np.diff(columns.values))))
    there = np.isfinite(apart)
    return float(apart[there].max()) if there.any() else 0.0, _NOMINAL * step


def _rotated_pole(dataset: xr.Dataset, array: xr.DataArray) -> Mesh | None:
    """Return the mesh of a variable on latitudes and longitudes of a rotated pole.

    With φ', λ' those of the grid and φ_p, λ_p the place of its pole, a point (x', y', z') of the turned sphere is
    z' (its pole's direction) + x' (towards the south of it) + y'; see the CF conventions, appendix F.
    """
    mapping = dataset.variables.get(
        text_of(array, "grid_mapping") or str(array.encoding.get("grid_mapping", ""))
    )
    names = rotated_axes(dataset)
    if mapping is None or not names or not set(names) <= set(map(str, array.dims)):
        return None
    pole = [mapping.attrs.get(f"grid_north_pole_{kind}") for kind in ("latitude", "longitude")]
    if pole[0] is None or pole[1] is None:
        return None
    turn = np.deg2rad(float(mapping.attrs.get("north_pole_grid_longitude", 0.0)))
    phi, lam = np.meshgrid(*(dataset.variables[name].values for name in names), indexing="ij")
    turned = unit_vectors(phi.astype(np.float64), lam + np.rad2deg(turn))
    tilt, around = np.deg2rad(float(pole[0])), np.deg2rad(float(pole[1]))
    south = np.array([np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), -np.cos(tilt)])
    upwards = np.array([np.cos(tilt) * np.cos(around), np.cos(tilt) * np.sin(around), np.sin(tilt)])
    # The zero meridian of the grid runs from its pole over the true one.
    east = np.cross(upwards, -south)
    points = turned @ np.stack([-south, east, upwards])
    latitude = np.rad2deg(np.arcsin(np.clip(points[..., 2], -1, 1)))
    return Mesh(", ".join(names), latitude, np.rad2deg(np.arctan2(points[..., 1], points[..., 0])))
