"""Zarr on this machine: a folder, a zip archive, or an Icechunk repository, as a store that is read."""

import zipfile
from pathlib import Path
from typing import Any

from zarr.abc.store import Store
from zarr.storage import LocalStore, ZipStore

from triton_earth.core.errors import UserError

_METADATA = ("zarr.json", ".zgroup", ".zmetadata")


def is_zarr(path: str) -> bool:
    """Return whether something on this machine is read as Zarr."""
    place = Path(path)
    if place.is_dir():
        return any((place / name).exists() for name in _METADATA) or _is_icechunk(place)
    return place.is_file() and zipfile.is_zipfile(path) and _top_of_zip(path) is not None


def local_store(path: str) -> tuple[Store, str]:
    """Return the store of what `is_zarr`, and the group in it that is outermost.

    Raises:
        UserError: if it is an Icechunk repository and the package that reads it is not here.
    """
    place = Path(path)
    if not place.is_dir():
        return ZipStore(path, mode="r"), _top_of_zip(path) or ""
    if _is_icechunk(place):
        return _icechunk_store(path), ""
    return LocalStore(path), ""


def _top_of_zip(path: str) -> str | None:
    """Return the group of a zip archive that holds all others: '', or the only folder; None where it holds no Zarr."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    if names & set(_METADATA):
        return ""
    tops = {name.split("/", 1)[0] for name in names}
    only = next(iter(tops)) if len(tops) == 1 else None
    return only if only and any(f"{only}/{name}" in names for name in _METADATA) else None


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
