"""Zarr on this machine: a folder, a zip archive, or an Icechunk repository, as a store that is read."""

import zipfile
from pathlib import Path
from typing import Any

from zarr.abc.store import Store
from zarr.storage import LocalStore, ZipStore

from triton_earth.core.errors import UserError
from triton_earth.data.formats.foreign import foreign

_METADATA = ("zarr.json", ".zgroup", ".zmetadata")


def is_zarr(path: str) -> bool:
    """Return whether something on this machine is read as Zarr."""
    place = Path(path)
    if place.is_dir():
        if any((place / name).exists() for name in _METADATA):
            return foreign(path) is None
        return _is_icechunk(place)
    return place.is_file() and zipfile.is_zipfile(path) and _holds_zarr(path)


def local_store(path: str) -> Store:
    """Return the store of what `is_zarr`.

    Raises:
        UserError: if it is an Icechunk repository and the package that reads it is not here.
    """
    place = Path(path)
    if not place.is_dir():
        return ZipStore(path, mode="r")
    if _is_icechunk(place):
        return _icechunk_store(path)
    return LocalStore(path)


def _holds_zarr(archive: str) -> bool:
    with zipfile.ZipFile(archive) as opened:
        return not set(_METADATA).isdisjoint(opened.namelist())


def _is_icechunk(folder: Path) -> bool:
    if (folder / "zarr.json").exists() or not (folder / "snapshots").is_dir():
        return False
    return (folder / "refs").is_dir() or (folder / "repo").exists()


def _icechunk_store(path: str) -> Any:
    """Return the latest state of the branch ``main``."""
    try:
        import icechunk
    except ImportError:
        raise UserError(
            f"{path}: an Icechunk repository; reading it needs the package icechunk. Install it "
            "(pip install 'triton-earth[icechunk]')."
        ) from None
    icechunk.set_logs_filter("error")
    try:
        repository = icechunk.Repository.open(icechunk.local_filesystem_storage(path))
        return repository.readonly_session("main").store
    except icechunk.IcechunkError as error:
        raise UserError(
            f"{path}: an Icechunk repository that cannot be read ({str(error).splitlines()[0]}). Fetch it again."
        ) from error
