"""Files that are not read: what they are, and what to do with them."""

import json
import re
import zipfile
from pathlib import Path

_STARTS = (
    (b"\x1f\x8b", "a file compressed by gzip", "Unpack it (gunzip)"),
    (b"BZh", "a file compressed by bzip2", "Unpack it (bunzip2)"),
    (b"\xfd7zXZ", "a file compressed by xz", "Unpack it (unxz)"),
    (b"(\xb5/\xfd", "a file compressed by zstd", "Unpack it (unzstd)"),
    (b"\x0e\x03\x13\x01", "an HDF4 file", "Convert it to NetCDF-4 (h4tonccf_nc4, or gdal_translate)"),
    (b"II*\x00", "a TIFF image", "Convert it to NetCDF with its times (gdal_translate, cdo)"),
    (b"MM\x00*", "a TIFF image", "Convert it to NetCDF with its times (gdal_translate, cdo)"),
    (b"BUFR", "a BUFR file of observations", "Put them onto a grid first"),
    (b"<!doctype", "a web page, perhaps of a login or of an error", "Fetch the data itself"),
    (b"<html", "a web page, perhaps of a login or of an error", "Fetch the data itself"),
    (b"<?xml", "an XML file, which may describe data elsewhere", "Name the data themselves"),
    (b"PAR1", "a Parquet table", "Write it as NetCDF or Zarr (xarray: ds.to_zarr)"),
    (b"7z\xbc\xaf", "an archive of 7-Zip", "Unpack it (7z x)"),
    (b"MATLAB 5.0", "a file of MATLAB", "Write it as NetCDF (scipy.io.loadmat, xarray)"),
    (b"%PDF", "a document (PDF)", "Fetch the data themselves"),
    (b"version https://git-lfs", "a pointer of Git LFS to the data", "Fetch these (git lfs pull)"),
    (b"\x93NUMPY", "an array of NumPy, which says nothing of times and places", "Write it as NetCDF (xarray)"),
)  # fmt: skip
_TAR = slice(257, 262)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
START = 512
"""Bytes that tell what a file is."""
_REFERENCES = (
    "references of kerchunk, which point into other files",
    "Name these files themselves, or copy the data (xr.open_dataset(PATH, engine='kerchunk').to_zarr(...))",
)


def foreign(path: str) -> tuple[str, str] | None:
    """Return the kind of a local file or folder and what to do with it; None where the kind is unknown."""
    place = Path(path)
    if place.is_dir():
        listing = place / ".zmetadata"
        alone = listing.is_file() and not (place / ".zgroup").exists()
        return _REFERENCES if alone and _is_references(listing) else None
    with place.open("rb") as file:
        start = file.read(START)
    known = foreign_start(start)
    if known is not None:
        return known
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        return (
            f"a zip archive of {len(names)} files ({names[0] if names else 'none'} …)",
            "Unpack it (unzip)",
        )
    if start.lstrip().startswith(b"{") and _is_references(place):
        return _REFERENCES
    if start.isascii() and not start.startswith((b"CDF", b"GRIB")) and not _CONTROL.search(start):
        text = start.decode("ascii")
        return (
            f"a text file, which begins with '{' '.join(text.split())[:40]}'",
            "Fetch the data themselves, or put numbers in it onto a grid with times (xarray)",
        )
    return None


def foreign_start(start: bytes) -> tuple[str, str] | None:
    """Return the kind of a file by its first `START` bytes and what to do with it; None where these do not tell."""
    for magic, what, remedy in _STARTS:
        if start.lstrip().lower().startswith(magic.lower()):
            return what, remedy
    if start[_TAR] == b"ustar":
        return "an archive (tar)", "Unpack it (tar xf)"
    return None


def _is_references(path: Path) -> bool:
    """Whether a JSON file holds references, under a key or by themselves, or the size of tables of them."""
    try:
        content = json.loads(path.read_text())
    except ValueError:
        return False
    return isinstance(content, dict) and bool({"refs", "record_size", ".zgroup"} & content.keys())
