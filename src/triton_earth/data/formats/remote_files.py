"""NetCDF files far away: read in place where the server gives parts of a file, else fetched for as long as we run."""

import functools
import logging
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from triton_earth.core.errors import UserError, first_line
from triton_earth.data.formats.foreign import START, foreign_start

logger = logging.getLogger("triton_earth")

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
_ENDINGS = (
    ".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5", ".grib", ".grib2", ".grb", ".grb2", ".zip", ".gz", ".bz2", ".xz",
    ".zst", ".tar", ".tgz", ".7z", ".json", ".xml", ".ncml", ".hdf", ".tif", ".tiff", ".csv", ".txt", ".mat", ".npy",
    ".npz", ".html", ".bufr",
)  # fmt: skip
_OPENDAP = "/dodsC/"
_HDF5 = b"\x89HDF"


def require_protocol(path: str) -> None:
    """Refuse an address of storage that is not read, or whose package is not here.

    Raises:
        UserError: saying which are, or what to install.
    """
    protocol = path.split("://", 1)[0]
    if _OPENDAP in path:
        raise UserError(
            f"{path}: an address of OPeNDAP, which gives arrays and no files. Name the file itself (THREDDS has it "
            "under /fileServer/ in place of /dodsC/), or copy what you need (xr.open_dataset(ADDRESS).to_netcdf(...))."
        )
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
            "(pip install 'triton-earth[remote]' for https, s3 and gs), or download the data and give its path."
        ) from error


def is_file_address(path: str) -> bool:
    """Return whether an address is that of a single file, by its ending; others are those of Zarr groups."""
    return urlsplit(path).path.lower().endswith(_ENDINGS)


def matching_files(path: str, storage_options: dict[str, Any]) -> list[str]:
    """Return the addresses that match a pattern with ``*``, in order of their names.

    Raises:
        UserError: if there is none.
    """
    require_protocol(path)
    files, _ = _filesystem(path, storage_options)
    found = sorted(files.unstrip_protocol(name) for name in files.glob(path))
    if not found:
        raise UserError(f"{path}: no file matches the pattern. Correct data.path.")
    return found


def in_place_or_fetched(path: str, storage_options: dict[str, Any]) -> Any:
    """Return a file far away as a file object to be read in parts, or the path of a copy of it.

    Only HDF5 is read in parts, and only from servers that give some.

    Args:
        path: Its address.
        storage_options: Options for its storage.

    Raises:
        UserError: if its first bytes are those of something that is not read.
    """
    files, inner = _filesystem(path, storage_options)
    opened = files.open(inner)
    try:
        start = opened.read(START)
        known = foreign_start(start)
        if known is not None:
            what, remedy = known
            raise UserError(f"{path}: {what}; expected NetCDF, HDF5, GRIB or Zarr. {remedy}.")
        if start[:4] == _HDF5:
            opened.seek(-4, 2)
            opened.read(4)
            opened.seek(0)
            return opened
    except (ValueError, OSError, NotImplementedError) as error:
        logger.debug("%s gives no parts: %s", path, error)
    opened.close()
    copy = Path(tempfile.mkdtemp(dir=_copies().name)) / Path(urlsplit(path).path).name
    logger.info("%s: fetched as a whole, since it cannot be read in parts", path)
    files.get_file(inner, str(copy))
    return str(copy)


def _filesystem(path: str, storage_options: dict[str, Any]) -> tuple[Any, str]:
    import fsspec

    return fsspec.core.url_to_fs(path, **storage_options)


@functools.cache
def _copies() -> tempfile.TemporaryDirectory:
    """Return a folder that goes away when the process ends."""
    return tempfile.TemporaryDirectory(prefix="triton-earth-")
