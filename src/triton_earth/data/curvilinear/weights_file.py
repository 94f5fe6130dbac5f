"""Weights from a file: how other programs put a curvilinear mesh onto latitudes times longitudes.

Sources: ESMF reference manual, section on the format of weight files; SCRIP user guide, section 2.2; CDO user guide,
`genycon`, `genbil`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from triton_earth.core.errors import UserError, first_line
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.curvilinear.mesh import Mesh, unit_vectors
from triton_earth.data.curvilinear.weights import MeshRegrid
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.config import TargetGrid
from triton_earth.data.sources.errors import READ_ERRORS

_ESMF = ("col", "row", "S", "src_grid_dims", "dst_grid_dims", "yc_a", "xc_a", "yc_b", "xc_b")
_SCRIP = (
    "src_address", "dst_address", "remap_matrix", "src_grid_dims", "dst_grid_dims", "src_grid_center_lat",
    "src_grid_center_lon", "dst_grid_center_lat", "dst_grid_center_lon",
)  # fmt: skip
"""Names of the same things: mesh cell, target cell, weight, sizes of both grids (x first), places of both."""
_APART = 0.25
"""Part of the usual distance of cells by which the places of the weights may be off those of the files."""
_HIGHER = ("bicubic", "second", "2nd")
"""Methods whose further weights belong to gradients."""


def weights_from_file(path: str, mesh: Mesh, wanted: TargetGrid | None) -> MeshRegrid:
    """Read weights of ESMF (``col``, ``row``, ``S``) or of SCRIP and CDO (``remap_matrix``).

    Args:
        path: NetCDF file.
        mesh: Cells of the files, all of them.
        wanted: What the recipe says of the grid, or None for that of the weights.

    Raises:
        UserError: if there is no such file, it holds no weights, they are of another mesh or onto another grid than
            wanted, or onto no latitudes times longitudes.
    """
    try:
        import scipy.sparse as sparse
    except ImportError as error:
        raise UserError(
            "data.weights: weights need the package scipy. Install it (pip install 'triton-earth[curvilinear]')."
        ) from error
    path = os.path.expandvars(os.path.expanduser(path))
    try:
        with xr.open_dataset(path, decode_cf=False) as opened:
            file = opened.load()
    except FileNotFoundError as error:
        raise UserError(f"data.weights: there is no file {path}. Correct the path.") from error
    except READ_ERRORS as error:
        raise UserError(
            f"data.weights: {path} cannot be read as NetCDF ({first_line(error)}). Make the weights again."
        ) from error
    names = next((some for some in (_ESMF, _SCRIP) if set(some) <= set(file.variables)), None)
    if names is None:
        raise UserError(
            f"data.weights: {path} has {sorted(map(str, file.variables))[:12]}; expected weights with both grids, of "
            f"ESMF ({', '.join(_ESMF)}) or of SCRIP and CDO ({', '.join(_SCRIP[:3])}, ...). Make them with "
            "ESMF_RegridWeightGen or `cdo genycon,GRID FILE WEIGHTS`."
        )
    method = str(file.attrs.get("map_method") or file.attrs.get("normalization") or "weights")
    if any(word in method.lower() for word in _HIGHER):
        raise UserError(
            f"data.weights: {path} is for '{method}', which needs gradients of the fields. Make conservative or "
            "bilinear weights of first order."
        )
    cells, targets, values = (file[name].values for name in names[:3])
    values = values[:, 0] if values.ndim == 2 else values  # further ones belong to gradients
    _require_same_mesh(path, file, names, mesh)
    target, place = _target(path, file, names)
    if wanted is not None and target.shape != (wanted.latitudes, wanted.longitudes):
        raise UserError(
            f"data.weights: {path} leads onto {target.shape[0]} x {target.shape[1]} cells, but data.grid is "
            f"{wanted.latitudes} x {wanted.longitudes}. Leave data.grid out, or make other weights."
        )
    size = len(place)
    _require_numbers(path, cells, mesh.latitude.size, "cells of the mesh")
    _require_numbers(path, targets, size, "cells of the grid")
    if not np.isfinite(values).all():
        raise UserError(f"data.weights: {path} holds weights that are no numbers. Make them again.")
    entries = (values.astype(np.float64), (place[targets - 1], cells - 1))
    matrix = sparse.csr_matrix(entries, shape=(size, mesh.latitude.size))
    rows, columns = mesh.shape
    return MeshRegrid(
        target,
        matrix,
        f"{method}, weights of {Path(path).name}, from {rows} x {columns} curvilinear cells",
    )


def _require_numbers(path: str, numbers: np.ndarray, size: int, what: str) -> None:
    if numbers.size and not (numbers.min() >= 1 and numbers.max() <= size):
        raise UserError(
            f"data.weights: {path} speaks of {what} {numbers.min()} to {numbers.max()}, of which there are {size}. "
            "Make the weights again."
        )


def _require_same_mesh(path: str, file: xr.Dataset, names: Iterable[str], mesh: Mesh) -> None:
    """Refuse weights of another mesh: of another size, or with cells elsewhere."""
    _, _, _, dims, _, latitude, longitude, _, _ = names
    shape = tuple(int(size) for size in file[dims].values[::-1])
    rows, columns = mesh.shape
    if shape != mesh.shape and shape != (rows * columns,):
        raise UserError(
            f"data.weights: {path} is for a mesh of {' x '.join(map(str, shape))} cells, but '{mesh.name}' of the "
            f"files has {rows} x {columns}. Make weights of these files."
        )
    places = unit_vectors(_degrees(file, latitude), _degrees(file, longitude))
    apart = np.rad2deg(np.linalg.norm(places - mesh.points.reshape(-1, 3), axis=-1))
    there = np.isfinite(apart)
    if there.any() and np.median(apart[there]) > _APART * mesh.spacing:
        number = int(np.nanargmax(apart))
        row, column = divmod(number, columns)
        raise UserError(
            f"data.weights: {path} has cell {row}, {column} of the mesh at {_degrees(file, latitude)[number]:.4g} N "
            f"{_degrees(file, longitude)[number]:.4g} E, the files have it at {mesh.latitude[row, column]:.4g} N "
            f"{mesh.longitude[row, column]:.4g} E. Make weights of these files."
        )


def _target(
    path: str, file: xr.Dataset, names: Iterable[str]
) -> tuple[LatLonGrid, Int64[np.ndarray, " cell"]]:
    """Return the grid that weights lead onto, and where each of their target cells lies in it."""
    _, _, _, _, dims, _, _, latitude, longitude = names
    sizes = file[dims].values
    phi, lam = _degrees(file, latitude), _degrees(file, longitude)
    if len(sizes) != 2 or int(np.prod(sizes)) != phi.size:
        raise UserError(
            f"data.weights: {path} leads onto a grid of {sizes.tolist()} cells, {phi.size} in all; expected latitudes "
            "times longitudes. Make other weights."
        )
    columns, rows = (int(size) for size in sizes)
    phi, lam = phi.reshape(rows, columns), lam.reshape(rows, columns)
    turned = np.mod(lam - lam[:1] + 180, 360) - 180
    if np.ptp(phi, axis=1).max() > 1e-3 or np.abs(turned).max() > 1e-3:
        raise UserError(
            f"data.weights: {path} leads onto {rows} x {columns} cells that are no latitudes times longitudes. Make "
            "weights onto such a grid."
        )
    y, x = phi[:, 0], lam[0]
    steps = np.mod(np.diff(x), 360)
    unwrapped = x[0] + np.concatenate([[0.0], np.cumsum(steps)])
    if unwrapped[-1] - unwrapped[0] >= 360 or np.any(steps <= 0):
        raise UserError(
            f"data.weights: the longitudes that {path} leads onto do not run from west to east. Make other weights."
        )
    if LatLonGrid((0.0, 1.0), tuple(unwrapped)).is_global_in_longitude:
        unwrapped = np.round(np.mod(x, 360), 9) % 360
    to_row, to_column = (np.argsort(np.argsort(along)) for along in (y, unwrapped))
    place = to_row[:, None] * columns + to_column
    return LatLonGrid(tuple(np.sort(y)), tuple(np.sort(unwrapped))), place.ravel()


def _degrees(file: xr.Dataset, name: str) -> Float64[np.ndarray, " cell"]:
    """Return places in degrees."""
    variable: Any = file[name]
    values = variable.values.astype(np.float64).ravel()
    return np.rad2deg(values) if (text_of(variable, "units") or "").startswith("rad") else values
