"""Opening files: patterns, NetCDF, HDF5 and Zarr, near or far, as lazy xarray datasets with raw time axes."""

import logging
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.abc.store import Store

from triton_earth.core.errors import UserError
from triton_earth.data.formats.decoding import decode
from triton_earth.data.formats.foreign import foreign
from triton_earth.data.formats.groups import (
    Opened,
    file_of,
    group_of,
    in_groups,
    netcdf_groups,
    source_of,
    zarr_groups,
)
from triton_earth.data.formats.remote_files import (
    in_place_or_fetched,
    is_file_address,
    require_protocol,
)
from triton_earth.data.formats.whole_files import is_grib, require_whole
from triton_earth.data.formats.zarr_stores import is_zarr, local_store
from triton_earth.data.simulated.speedy import JCM, run_speedy
from triton_earth.data.simulated.veros_ocean import VEROS, run_veros
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.hub import COPERNICUS, open_copernicus
from triton_earth.data.sources.paths import matching
from triton_earth.data.store.codecs import require_harmless_codecs
from triton_earth.data.store.shards import missing_chunks

_NOT_THERE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def open_files(
    path: str | Iterable[str],
    storage_options: dict[str, Any] | None = None,
    variables: list[str] | None = None,
    groups: tuple[str, ...] = (),
) -> Opened:
    """Open files without reading their fields; times are left as numbers.

    Args:
        path: NetCDF, HDF5 or GRIB file, several, a pattern, a Zarr folder, zip archive or address, or ``shipped:NAME``;
            ``~`` is the home folder, ``$NAME`` a variable of the environment.
        storage_options: Options for remote storage.
        variables: Names in the files that are wanted, for services that are asked by name; all if not given.
        groups: Groups in the files that are wanted, or `ALL_GROUPS`; if not given the outermost, or the only one that
            has fields.

    Returns:
        (name, dataset) of each file, or of each group of it, in the order of their names.

    Raises:
        UserError: if there is no such file or group, it may not be read, is damaged, or is of a format that is not
            known.
    """
    paths = [path] if isinstance(path, str) else list(path)
    if not paths or not all(one.strip() for one in paths):
        raise UserError(
            f"data.path: found {paths}; expected the names of files, a pattern, a Zarr folder or an address."
        )
    found = [name for one in paths for name in matching(one, storage_options or {})]
    return [
        opened
        for name in found
        for opened in _open(name, storage_options or {}, variables or [], groups)
    ]


def require_chunks(source: str, name: str) -> None:
    """Refuse an array of a local Zarr group whose chunks are not all there; other files have no such holes.

    Raises:
        UserError: saying how many are missing.
    """
    path = file_of(source)
    if "://" in path or path.startswith(COPERNICUS) or not is_zarr(path):
        return
    array, missing = _missing(source, name)
    if missing:
        raise UserError(
            f"{source}: {missing} of {array.nchunks} chunks of variable '{name}' are missing and would read as "
            f"{array.fill_value}. Fetch them, or, if the writer left out chunks of that value, say "
            "data.missing_chunks=fill."
        )


def _missing(source: str, name: str) -> tuple[zarr.Array, int]:
    """Return an array of a local Zarr group, or of a group around it, and how many of its chunks are not there."""
    store, group = local_store(file_of(source)), group_of(source)
    try:
        while True:
            try:
                array = zarr.open_array(store, path=f"{group}/{name}".strip("/"), mode="r")
            except FileNotFoundError:
                if not group:
                    raise
                group = group.rpartition("/")[0]
            else:
                return array, missing_chunks(array)
    except READ_ERRORS as error:
        raise UserError(
            f"{source}: the description of variable '{name}' cannot be read ({first_line(error)}); it is damaged. "
            "Fetch the data again."
        ) from error


def _open(
    path: str, storage_options: dict[str, Any], variables: list[str], groups: tuple[str, ...]
) -> Opened:
    if path.startswith(COPERNICUS):
        return [(path, open_copernicus(path, variables))]
    if path.startswith(JCM):
        return [(path, run_speedy(path))]
    if path.startswith(VEROS):
        return [(path, run_veros(path))]
    if "://" in path:
        return _open_remote(path, storage_options, groups)
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: may not be read. Change its permissions, or choose another file.")
    if is_zarr(path):
        return _open_zarr(path, local_store(path), {}, groups)
    return _open_file(path, path, groups)


def _open_file(path: str, called: str, groups: tuple[str, ...]) -> Opened:
    """Open a file on this machine, which messages call otherwise if it has been fetched from far away."""
    is_folder = Path(path).is_dir()
    if not is_folder and Path(path).stat().st_size == 0:
        raise UserError(f"{called}: the file is empty. Fetch it again.")
    known = foreign(path)
    if known is not None:
        what, remedy = known
        raise UserError(f"{called}: {what}; expected NetCDF, HDF5, GRIB or Zarr. {remedy}.")
    if is_folder:
        raise UserError(
            f"{called}: a folder that is no Zarr group. For the NetCDF files in it write {called}/*.nc."
        )
    if is_grib(path):
        _require_grib_package(called)
        require_whole(path, called)
        return [(called, _open_grib(path, called))]
    require_whole(path, called)
    return _open_netcdf(path, called, groups)


def _open_netcdf(file: Any, called: str, groups: tuple[str, ...]) -> Opened:
    """Open the groups of a NetCDF or HDF5 file: a path, or a file object for one that is read from far away."""
    engine = "netcdf4" if isinstance(file, str) else "h5netcdf"

    def open_group(name: str) -> xr.Dataset:
        return decode(
            xr.open_dataset(file, engine=engine, group=name or None, decode_cf=False, cache=False)
        )

    try:
        with warnings.catch_warnings():
            # A variable that is both packed and not is refused below, where it is asked for.
            warnings.simplefilter("ignore", xr.SerializationWarning)
            return in_groups(called, open_group, lambda: netcdf_groups(file), groups)
    except UserError:
        raise
    except READ_ERRORS as error:
        raise UserError(
            f"{called}: cannot be read as NetCDF or HDF5 ({first_line(error)}). The file is damaged or of another "
            "format; fetch it again, or convert it to NetCDF-4 (`cdo -f nc4 copy IN OUT`)."
        ) from error


def _require_grib_package(called: str) -> None:
    if "cfgrib" not in xr.backends.list_engines():
        raise UserError(
            f"{called}: reading GRIB needs the package cfgrib. Install it (pip install 'triton-earth[grib]'), or "
            "convert the file (`cdo -f nc4 copy IN OUT`)."
        )


def _open_grib(path: str, called: str) -> xr.Dataset:
    # It reports what it leaves out with a traceback; what is asked for and not there is named by us.
    logging.getLogger("cfgrib").setLevel(logging.CRITICAL)
    try:
        # Without index files, which would be written beside the data, and read by running what is in them.
        return xr.open_dataset(
            path, engine="cfgrib", decode_times=False, backend_kwargs={"indexpath": ""}
        )
    except READ_ERRORS as error:
        raise UserError(
            f"{called}: cannot be read as GRIB ({first_line(error)}). Files with several kinds of levels have to be "
            "split first (`grib_copy IN '[typeOfLevel].grib'`)."
        ) from error


def _open_zarr(
    path: str,
    store: Store | str,
    storage_options: dict[str, Any],
    groups: tuple[str, ...],
) -> Opened:
    options = storage_options or None

    def opened_group(name: str) -> zarr.Group:
        return zarr.open_group(store, path=name, mode="r", storage_options=options)

    def open_group(name: str) -> xr.Dataset:
        raw = xr.open_dataset(
            store,  # type: ignore[arg-type]  # any store of Zarr will do
            engine="zarr",
            group=name or None,
            decode_cf=False,
            cache=False,
            storage_options=options,
        )

        def zero_is_declared(variable: str) -> bool:
            array = opened_group(name)[variable]
            return array.metadata.zarr_format > 2 or bool(
                {"_FillValue", "missing_value"} & set(array.attrs)
            )

        dataset = decode(raw, zero_is_declared)
        if not isinstance(store, str):
            _require_coordinates(source_of(path, name), dataset)
        return dataset

    try:
        with warnings.catch_warnings():
            # Not every store has consolidated metadata; xarray warns that opening takes longer.
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", xr.SerializationWarning)
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            require_harmless_codecs(path, storage_options, store)
            return in_groups(path, open_group, lambda: zarr_groups(opened_group("")), groups)
    except UserError:
        raise
    except READ_ERRORS as error:
        if "://" in path and isinstance(error, OSError) and not isinstance(error, _NOT_THERE):
            raise _unreachable(path, error) from error
        raise UserError(
            f"{path}: cannot be read as Zarr ({first_line(error)}). Check the path, or make the store again."
        ) from error


def _require_coordinates(source: str, dataset: xr.Dataset) -> None:
    """Refuse coordinates whose chunks are not all there; a chunk of one value may rightly be left out."""
    for name, variable in dataset.variables.items():
        if variable.dims != (name,):
            continue
        array, missing = _missing(source, str(name))
        if missing and array.chunks[0] > 1:
            raise UserError(
                f"{source}: {missing} of {array.nchunks} chunks of the coordinate '{name}' are missing and would read "
                f"as {array.fill_value}. Fetch them."
            )


def _open_remote(path: str, storage_options: dict[str, Any], groups: tuple[str, ...]) -> Opened:
    try:
        require_protocol(path)
        if not is_file_address(path):
            return _open_zarr(path, path, storage_options, groups)
        return _open_far_file(path, storage_options, groups)
    except ImportError as error:
        raise UserError(
            f"{path}: a package for this address is missing ({first_line(error)}). Install it "
            "(pip install 'triton-earth[remote]'), or download the data and give its path."
        ) from error


def _open_far_file(path: str, storage_options: dict[str, Any], groups: tuple[str, ...]) -> Opened:
    try:
        found = in_place_or_fetched(path, storage_options)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: there is no such file, or no way to it. Check the address and the network."
        ) from error
    except READ_ERRORS as error:
        raise _unreachable(path, error) from error
    if not isinstance(found, str):
        return _open_netcdf(found, path, groups)
    if is_zarr(found):
        return [(path, dataset) for _, dataset in _open_zarr(found, local_store(found), {}, groups)]
    return [(path, dataset) for _, dataset in _open_file(found, path, groups)]


def _unreachable(path: str, error: BaseException) -> UserError:
    return UserError(
        f"{path}: cannot be reached ({first_line(error)}). Check the address and the network, and the account if it "
        "needs one."
    )
