"""Opening files: patterns, NetCDF, HDF5 and Zarr, near or far, as lazy xarray datasets with raw time axes."""

import glob
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.storage import LocalStore

from triton_earth.core.errors import UserError, nearest
from triton_earth.data.codecs import require_harmless_codecs
from triton_earth.data.missing_chunks import missing_chunks
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.hub import COPERNICUS, open_copernicus
from triton_earth.data.sources.shipped import SHIPPED, shipped_data
from triton_earth.data.sources.speedy import JCM, run_speedy
from triton_earth.data.sources.veros_ocean import VEROS, run_veros

_NOT_THERE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
GRIB = (".grib", ".grib2", ".grb", ".grb2")

PROTOCOLS = (
    "http",
    "https",
    "s3",
    "s3a",
    "gs",
    "gcs",
    "abfs",
    "abfss",
    "az",
    "adl",
    "ftp",
    "hf",
    "file",
    "memory",
)
"""Storage that is read; others, such as ``reference``, take their addresses from templates, which may run code."""


def open_files(
    path: str | Iterable[str],
    storage_options: dict[str, Any] | None = None,
    variables: list[str] | None = None,
) -> list[tuple[str, xr.Dataset]]:
    """Open files without reading their fields; times are left as numbers.

    Args:
        path: NetCDF or HDF5 file, several, a pattern, a Zarr folder or address, or ``shipped:NAME``.
        storage_options: Options for remote storage.
        variables: Names in the files that are wanted, for services that are asked by name; all if not given.

    Returns:
        (name, dataset) of each file, in the order of their names.

    Raises:
        UserError: if there is no such file, it may not be read, is damaged, or is of a format that is not known.
    """
    paths = [path] if isinstance(path, str) else list(path)
    if not paths or not all(one.strip() for one in paths):
        raise UserError(
            f"data.path: found {paths}; expected the names of files, a pattern, a Zarr folder or an address."
        )
    found = [name for one in paths for name in _find(one)]
    return [(name, _open(name, storage_options or {}, variables or [])) for name in found]


def require_chunks(path: str, name: str) -> None:
    """Refuse an array of a local Zarr group whose chunks are not all there; other files have no such holes.

    Raises:
        UserError: saying how many are missing.
    """
    if "://" in path or path.startswith(COPERNICUS) or not Path(path).is_dir():
        return
    array, missing = _missing(path, name)
    if missing:
        raise UserError(
            f"{path}: {missing} of {array.nchunks} chunks of variable '{name}' are missing and would read as "
            f"{array.fill_value}. Fetch them, or, if the writer left out chunks of that value, say "
            "data.missing_chunks=fill."
        )


def _missing(path: str, name: str) -> tuple[zarr.Array, int]:
    """Return an array of a local Zarr group, and how many of its chunks are not there."""
    try:
        array = zarr.open_array(LocalStore(path), path=name, mode="r")
        return array, missing_chunks(array)
    except READ_ERRORS as error:
        raise UserError(
            f"{path}: the description of variable '{name}' cannot be read ({first_line(error)}); it is damaged. "
            "Fetch the data again."
        ) from error


def _find(path: str) -> list[str]:
    if path.startswith(SHIPPED):
        name, shipped = path.removeprefix(SHIPPED), shipped_data()
        if name not in shipped:
            raise UserError(
                f"{path}: no data of that name comes with the package; {nearest(name, shipped)}"
            )
        return [str(shipped[name])]
    if "://" in path or path.startswith((COPERNICUS, JCM, VEROS)):
        return [path]
    if Path(path).exists():
        return [path]
    if glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if found:
            return found
        raise UserError(
            f"{path}: no file matches the pattern (from {Path.cwd()}). Correct data.path."
        )
    raise UserError(
        f"{path}: there is no such file or folder (from {Path.cwd()}). Correct data.path."
    )


def _open(path: str, storage_options: dict[str, Any], variables: list[str]) -> xr.Dataset:
    if path.startswith(COPERNICUS):
        return open_copernicus(path, variables)
    if path.startswith(JCM):
        return run_speedy(path)
    if path.startswith(VEROS):
        return run_veros(path)
    if "://" in path:
        return _open_remote(path, storage_options)
    if Path(path).suffix.lower() in GRIB:
        return _open_grib(path)
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: may not be read. Change its permissions, or choose another file.")
    if Path(path).is_dir():
        if not any((Path(path) / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata")):
            raise UserError(
                f"{path}: a folder that is no Zarr group. For the NetCDF files in it write {path}/*.nc."
            )
        opened = _open_zarr(path, {})
        _require_coordinates(path, opened)
        return opened
    if Path(path).stat().st_size == 0:
        raise UserError(f"{path}: the file is empty. Fetch it again.")
    try:
        with warnings.catch_warnings():
            # A variable that is both packed and not is refused below, where it is asked for.
            warnings.simplefilter("ignore", xr.SerializationWarning)
            return xr.open_dataset(path, engine="netcdf4", decode_times=False)
    except READ_ERRORS as error:
        raise UserError(
            f"{path}: cannot be read as NetCDF or HDF5 ({first_line(error)}). The file is damaged or of another "
            "format; fetch it again, or convert it (GRIB: `cdo -f nc4 copy IN OUT`)."
        ) from error


def _open_grib(path: str) -> xr.Dataset:
    if "cfgrib" not in xr.backends.list_engines():
        raise UserError(
            f"{path}: reading GRIB needs the package cfgrib. Install it (pip install cfgrib), or convert the file "
            "(`cdo -f nc4 copy IN OUT`)."
        )
    try:
        # Without index files, which would be written beside the data, and read by running what is in them.
        return xr.open_dataset(
            path, engine="cfgrib", decode_times=False, backend_kwargs={"indexpath": ""}
        )
    except READ_ERRORS as error:
        raise UserError(
            f"{path}: cannot be read as GRIB ({first_line(error)}). Files with several kinds of levels have to be "
            "split first (`grib_copy IN '[typeOfLevel].grib'`)."
        ) from error


def _open_zarr(path: str, storage_options: dict[str, Any]) -> xr.Dataset:
    try:
        with warnings.catch_warnings():
            # Not every store has consolidated metadata; xarray warns that opening takes longer.
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            require_harmless_codecs(path, storage_options)
            return xr.open_zarr(
                path if "://" in path else LocalStore(path),
                chunks=None,
                decode_times=False,
                storage_options=storage_options or None,
            )
    except UserError:
        raise
    except READ_ERRORS as error:
        if "://" in path and isinstance(error, OSError) and not isinstance(error, _NOT_THERE):
            raise UserError(
                f"{path}: cannot be reached ({first_line(error)}). Check the address and the network, and the "
                "account if it needs one."
            ) from error
        raise UserError(
            f"{path}: cannot be read as Zarr ({first_line(error)}). Check the path, or make the store again."
        ) from error


def _require_coordinates(path: str, dataset: xr.Dataset) -> None:
    """Refuse coordinates whose chunks are not all there; a chunk of one value may rightly be left out."""
    for name, variable in dataset.variables.items():
        if variable.dims != (name,):
            continue
        array, missing = _missing(path, str(name))
        if missing and array.chunks[0] > 1:
            raise UserError(
                f"{path}: {missing} of {array.nchunks} chunks of the coordinate '{name}' are missing and would read as "
                f"{array.fill_value}. Fetch them."
            )


def _open_remote(path: str, storage_options: dict[str, Any]) -> xr.Dataset:
    protocol = path.split("://", 1)[0]
    if protocol not in PROTOCOLS or "::" in path:
        raise UserError(
            f"{path}: '{protocol}://' is not read; known are {', '.join(PROTOCOLS)}, not chained. Download the data "
            "and give its path."
        )
    try:
        import fsspec

        fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"{path}: reading '{protocol}://' needs a package that is not here ({first_line(error)}). Install it "
            "(gs: gcsfs, s3: s3fs, https: aiohttp, together with fsspec), or download the data and give its path."
        ) from error
    try:
        return _open_zarr(path, storage_options)
    except ImportError as error:
        raise UserError(
            f"{path}: a package for '{protocol}://' is missing ({first_line(error)}). Install it."
        ) from error
