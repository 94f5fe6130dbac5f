"""Codecs of Zarr stores that run what is in the data: refused from the metadata, before any chunk is decoded."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore

from triton_earth.core.errors import UserError

_METADATA = ("zarr.json", ".zarray", ".zmetadata", ".zgroup")
_LISTS = ("filters", "compressor", "codecs", "index_codecs", "compressors", "serializer")


def require_harmless_codecs(
    path: str,
    storage_options: dict[str, Any] | None = None,
    store: Store | str | None = None,
) -> None:
    """Refuse a Zarr group with an array that is decoded by unpickling: a pickle may run anything.

    Of a local folder every metadata file is read, whether another one hides it or not; of other stores those that Zarr
    itself goes by.

    Args:
        path: Folder or address.
        storage_options: Options for remote storage.
        store: What the group is read from, if not from a folder or address.

    Raises:
        UserError: naming the array.
    """
    is_folder = isinstance(store, LocalStore) or (store is None and "://" not in path)
    found = _local(Path(path)) if is_folder else _members(store or path, storage_options)
    for name, metadata in found:
        if any(_is_pickle(codec) for codec in _codecs(metadata)):
            raise UserError(
                f"{path}: '{name}' is encoded as a pickle, which can run any code when it is read. Ask for the data in "
                "a plain encoding (numbers, or text as vlen-utf8)."
            )


def require_format_3(path: Path) -> None:
    """Refuse a group that is not of Zarr format 3, as all stores made here are; its codecs know no pickles.

    Raises:
        ValueError: if it is of format 2, or of both.
    """
    if not (path / "zarr.json").is_file() or any(
        (path / name).exists() for name in (".zgroup", ".zarray", ".zmetadata")
    ):
        raise ValueError("it is not of Zarr format 3, as every store that is made here")


def _local(path: Path) -> Iterator[tuple[str, Any]]:
    for folder, below, files in os.walk(path):
        for name in set(files) & set(_METADATA):
            file = Path(folder, name)
            try:
                metadata = json.loads(file.read_bytes())
            except (OSError, ValueError, RecursionError):
                continue  # nor will Zarr read it
            if isinstance(metadata, dict) and isinstance(metadata.get("metadata"), dict):
                for key, below_it in metadata["metadata"].items():  # consolidated
                    yield key.removesuffix("/.zarray"), below_it
            yield str(file.relative_to(path).parent), metadata
            if name == "zarr.json" and isinstance(metadata, dict) and "shape" in metadata:
                below.clear()  # chunks


def _members(
    store: Store | str, storage_options: dict[str, Any] | None
) -> Iterator[tuple[str, Any]]:
    group = zarr.open_group(store, mode="r", storage_options=storage_options or None)
    for name, node in group.members(max_depth=None):
        yield name, node.metadata.to_dict()


def _codecs(metadata: Any) -> Iterator[Any]:
    """Yield whatever stands where codecs are named, at any depth."""
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            if key in _LISTS:
                yield from value if isinstance(value, list | tuple) else [value]
            yield from _codecs(value)
    elif isinstance(metadata, list | tuple):
        for value in metadata:
            yield from _codecs(value)


def _is_pickle(codec: Any) -> bool:
    names = [codec]
    if isinstance(codec, dict):
        names = [codec.get("id"), codec.get("name")]
    elif not isinstance(codec, str):
        names = [getattr(codec, "codec_id", None)]
    return any("pickle" in str(name).lower() for name in names if name is not None)
