"""Zarr groups on disk: written beside our own files, opened without what is not theirs, sealed when they are complete.

An attribute that is neither a text nor a number nor a list of texts is stored as its JSON text, because NetCDF holds no
other: ``xarray.open_zarr(STORE).to_netcdf(FILE)`` works. Older groups have such attributes as JSON values.

A seal is the SHA-256 over all that says what the fields are: attributes, descriptions of arrays, coordinates. Fields
have checksums of their own in every chunk.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
import zarr.errors
from zarr.storage import LocalStore

from triton_earth.core.outputs.files import remove, write_bytes

SEAL = "seal"
_GROUP = "zarr.json"
_KEPT = ".fields"
_AS_JSON = ("grid", "variables", "time_step", "provenance", "guard", "complete", SEAL)
"""Attributes that are stored as JSON texts."""


@contextmanager
def beside_other_files() -> Iterator[None]:
    """Keep Zarr from warning of files in a group that are not its own, such as the mark of an unfinished output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        yield


def as_texts(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a group as NetCDF can hold them, for `from_texts`."""
    return {
        name: json.dumps(value) if name in _AS_JSON else value for name, value in attributes.items()
    }


def from_texts(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes of a group as they were before `as_texts`; those of older groups are not texts.

    Raises:
        ValueError: if a text is not JSON.
    """
    return {
        str(name): json.loads(value) if name in _AS_JSON and isinstance(value, str) else value
        for name, value in attributes.items()
    }


def provenance_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the provenance in attributes of a dataset; nothing where there is none, or another program's."""
    try:
        found = from_texts({"provenance": attributes.get("provenance")})["provenance"]
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def write_group(path: Path, coordinates: dict[str, Any], attributes: dict[str, Any]) -> None:
    """Write a group of Zarr format 3 with coordinates and attributes into a folder without one."""
    with beside_other_files():
        xr.Dataset(coords=coordinates, attrs=as_texts(attributes)).to_zarr(
            LocalStore(path), mode="a", zarr_format=3, consolidated=False
        )


def consolidate(path: Path) -> None:
    """Write consolidated metadata, so that `xarray.open_zarr` opens the group with one read."""
    with beside_other_files():
        # Nor has Zarr v3 specified consolidated metadata yet; readers that do not know it ignore it.
        zarr.consolidate_metadata(LocalStore(path))


def seal(path: Path, fields: Collection[str]) -> dict[str, Any]:
    """Return the seal of a group.

    Args:
        path: Folder of the group.
        fields: Arrays whose values it leaves out.

    Returns:
        What it covers, and its SHA-256; plain values.
    """
    group = json.loads((path / _GROUP).read_bytes())
    covered = {
        "attributes": sorted(set(group["attributes"]) - {SEAL}),
        "arrays": sorted(found.parent.name for found in path.glob(f"*/{_GROUP}")),
        "fields": sorted(fields),
        "consolidated": "consolidated_metadata" in group,
    }
    return {**covered, "sha256": _digest(path, group, covered)}


def is_sealed(path: Path, told: Any) -> bool:
    """Return whether a group is what it was when its seal was made."""
    try:
        group = json.loads((path / _GROUP).read_bytes())
        return bool(_digest(path, group, told) == told["sha256"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def write_seal(path: Path, fields: Collection[str]) -> None:
    """Write the seal of a complete group into its attributes."""
    made = seal(path, fields)
    group = json.loads((path / _GROUP).read_bytes())
    group["attributes"] |= as_texts({SEAL: made})
    write_bytes(path / _GROUP, json.dumps(group, indent=2).encode())


def require_sealed(path: Path, attributes: dict[str, Any]) -> None:
    """Refuse a complete group whose description is not what was written; older groups have no seal.

    Raises:
        ValueError: if it is not.
    """
    if SEAL in attributes and not is_sealed(path, attributes[SEAL]):
        raise ValueError("its description or a coordinate is not what was written")


def create_again(path: Path, fields: Collection[str], create: Callable[[Path], None]) -> None:
    """Write the description of an unfinished group anew and keep the values of its fields.

    Args:
        path: Folder of the group.
        fields: The arrays whose values are kept.
        create: Writes the empty group.
    """
    kept = path / _KEPT
    kept.mkdir(exist_ok=True)  # a process that was killed here has begun
    for name in fields:
        if (path / name / "c").is_dir() and not (kept / name).exists():
            (path / name / "c").rename(kept / name)
    for below in path.iterdir():
        if (below / _GROUP).exists() or below.name == _GROUP or below.name in fields:
            remove(below)
    create(path)
    for name in fields:
        if (kept / name).is_dir():
            (kept / name).rename(path / name / "c")
    kept.rmdir()


def _digest(path: Path, group: dict[str, Any], covered: dict[str, Any]) -> str:
    """Return the SHA-256 over names and content of all that a seal covers."""
    digest = hashlib.sha256()
    described = {
        "attributes": {name: group["attributes"][name] for name in covered["attributes"]},
        "format": [group["zarr_format"], group["node_type"]],
    }
    if covered["consolidated"]:
        members = group["consolidated_metadata"]["metadata"]
        described["members"] = {name: members[name] for name in covered["arrays"]}
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in covered["arrays"]:
        files = [path / name / _GROUP]
        if name not in covered["fields"]:
            files += sorted(file for file in (path / name / "c").rglob("*") if file.is_file())
        for file in files:
            content = file.read_bytes()
            digest.update(f"\n{file.relative_to(path)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()
