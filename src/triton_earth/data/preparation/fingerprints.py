"""Fingerprints of source files: what tells that a file is still the one that a store was begun with."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np


def fingerprints(files: list[str]) -> list[dict[str, Any]]:
    """Return name, size and time of change of each file.

    A local folder, such as a Zarr group, has the size of all files in it, the latest change of any, and the SHA-256 of
    the list of their names, sizes and changes, so that a single changed chunk is noticed. What is far away, or made up
    on the way, has its name only.

    Args:
        files: Names of files, folders and addresses.
    """
    return [{"name": name, **_fingerprint(Path(name))} for name in files]


def without_folders(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return fingerprints with the last part of each name only, to be shown to others."""
    return [
        {**each, "name": Path(each["name"]).name if "bytes" in each else each["name"]}
        for each in found
    ]


def _fingerprint(path: Path) -> dict[str, Any]:
    if path.is_dir():
        files = sorted(_files_below(path))
        listing = "\n".join(f"{name}\t{size}\t{changed}" for name, size, changed in files)
        return {
            "bytes": sum(size for _, size, _ in files),
            "modified": _moment(max((changed for _, _, changed in files), default=0)),
            "listing": hashlib.sha256(listing.encode()).hexdigest(),
        }
    if not path.exists():
        return {}
    status = path.stat()
    return {"bytes": status.st_size, "modified": _moment(status.st_mtime_ns)}


def _files_below(folder: Path) -> list[tuple[str, int, int]]:
    """Return relative name, size and time of change of every file in a folder."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            status = os.stat(path)
            found.append((os.path.relpath(path, folder), status.st_size, status.st_mtime_ns))
    return found


def _moment(nanoseconds: int) -> str:
    return f"{np.datetime64(nanoseconds, 'ns')}Z"
