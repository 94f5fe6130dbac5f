"""Writing a training store: the empty store, its trajectories piece by piece, and the finish; see `store.py`."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from jaxtyping import Bool, Float32
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import LocalStore

from triton_earth.core.errors import DAMAGE, UserError
from triton_earth.core.grid import Grid
from triton_earth.core.outputs.files import remove, sync, sync_tree
from triton_earth.core.variables import Variables
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.store.content_hash import content_hash
from triton_earth.data.store.groups import consolidate, write_group, write_seal
from triton_earth.data.store.shard_writer import time_digest, write_plain_file
from triton_earth.data.store.shards import Shards

FORMAT = "triton-earth training store 1"
FIELDS = ("state",)
"""Arrays whose values have checksums of their own."""


Compression = Literal["none", "lz4"]
"""Not at all, which is read as fast as the disk gives it, or with LZ4 of shuffled bytes, which takes less space."""

CODECS: dict[Compression, list[BloscCodec]] = {
    "none": [],
    # Shuffled bytes of floats pack better than with plain zstd, and come back four times as fast.
    "lz4": [BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")],
}


def create_store(
    path: Path,
    *,
    variables: Variables,
    grid: Grid,
    times: np.ndarray,
    splits: list[str] | np.ndarray,
    provenance: dict[str, Any],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
    times_per_file: int | None = None,
    recorded: Bool[np.ndarray, " time"] | None = None,
    compression: Compression = "none",
    time_units: str = "1",
) -> None:
    """Write an empty store: coordinates, attributes and the array that trajectories are then written into.

    Args:
        path: Folder without a group.
        variables: Channels of the state.
        grid: Cells of the state.
        times: Times of every trajectory, datetime64 or float64.
        splits: Split of each trajectory (``train``, ``valid`` or ``test``), or of each time of each trajectory,
            [trajectory, time] with "" for none; its length is the number of trajectories.
        provenance: Where the data comes from; plain values.
        valid_mask: True where a channel is defined; None where every channel is defined everywhere.
        times_per_file: Times of a trajectory in one file; all of them if not given.
        recorded: Where there is a state; None where there is one at all times.
        compression: How the fields are packed.
        time_units: Units of times without a calendar.

    Raises:
        UserError: if the disk is full or fails.
    """
    variables.require_storable()
    y_name, x_name = grid.axes
    coordinates: dict[str, Any] = {
        "trajectory": np.arange(len(splits)),
        "time": ("time", times, {} if times.dtype.kind == "M" else {"units": time_units}),
        "channel": np.array(variables.names, dtype=object),
        y_name: grid.y,
        x_name: grid.x,
        "units": ("channel", np.array([variable.units for variable in variables], dtype=object)),
        "long_name": (
            "channel",
            np.array([variable.long_name for variable in variables], dtype=object),
        ),
        "role": ("channel", np.array([str(variable.role) for variable in variables], dtype=object)),
        "level": (
            "channel",
            np.array(
                [np.nan if variable.level is None else variable.level for variable in variables]
            ),
        ),
        "split": (("trajectory", "time")[: np.ndim(splits)], np.array(splits, dtype=object)),
    }
    if valid_mask is not None:
        coordinates["valid_mask"] = (("channel", y_name, x_name), valid_mask)
    if recorded is not None:
        coordinates["recorded"] = ("time", recorded)
    attributes = {
        "format": FORMAT,
        "grid": grid.to_dict(),
        "variables": variables.to_list(),
        "provenance": provenance,
    }
    one_time = (1, 1, len(variables), *grid.shape)
    try:
        write_group(path, coordinates, attributes)
        zarr.open_group(LocalStore(path), mode="r+").create_array(
            "state",
            shape=(len(splits), len(times), len(variables), *grid.shape),
            chunks=one_time,
            shards=(1, times_per_file or len(times), *one_time[2:]),
            compressors=[*CODECS[compression], Crc32cCodec()],
            dtype="float32",
            fill_value=float("nan"),
            dimension_names=["trajectory", "time", "channel", y_name, x_name],
        )
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Make room, then repeat the command."
        ) from error


def write_climatology(
    path: Path, names: list[str], climatology: Climatology, axes: tuple[str, str]
) -> None:
    """Write the climatology of channels that are anomalies, as ``climatology(basis, anomaly, y, x)``.

    Args:
        path: A store made by `create_store`.
        names: The channels that are anomalies.
        climatology: Their climatology; `Climatology.at` gives it at any time.
        axes: Names of the grid's axes.

    Raises:
        UserError: if the disk is full or fails.
    """
    try:
        zarr.open_group(LocalStore(path), mode="r+").create_array(
            "climatology",
            data=climatology.coefficients,
            dimension_names=["basis", "anomaly", *axes],
            attributes={
                "anomalies": names,
                "definition": climatology.definition,
                "daily_harmonics": climatology.daily_harmonics,
            },
        )
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Make room, then repeat the command."
        ) from error


def write_trajectory(
    path: Path, trajectory: int, fields: Float32[np.ndarray, "time channel y x"]
) -> str:
    """Write one trajectory into a store made by `create_store` and return the SHA-256 of its values."""
    return hash_digests(write_times(path, trajectory, slice(None), fields))


def write_times(
    path: Path, trajectory: int, times: slice, fields: Float32[np.ndarray, "time channel y x"]
) -> list[bytes]:
    """Write whole files of one trajectory and return the SHA-256 of the values at each time.

    Args:
        path: The store.
        trajectory: Which trajectory.
        times: Which times; all those of one or several files.
        fields: Their values.

    Returns:
        SHA-256 of each time, see `time_digests`.

    Raises:
        UserError: if the disk is full or fails.
    """
    try:
        # A time without a state is written too, so that one that was lost can be told from it.
        opened: Any = zarr.open_array(LocalStore(path), path="state", mode="r+")
        array: zarr.Array[Any] = zarr.Array(
            zarr.AsyncArray(opened.metadata, opened.store_path, {"write_empty_chunks": True})
        )
        in_file = (array.shards or array.chunks)[1]
        start, stop, _ = times.indices(array.shape[1])
        folder = path / "state" / "c" / str(trajectory)
        numbers = range(start // in_file, -(-stop // in_file))
        for number in numbers:
            # Zarr reads a file before it writes into it, and fails if that file is damaged.
            remove(folder / str(number))
        shards = Shards.of(path / "state", array)
        whole = start % in_file == 0 and fields.shape == (stop - start, *array.shape[2:])
        if shards is not None and shards.is_plain and whole:
            digests = []
            for number, first in zip(numbers, range(0, stop - start, in_file), strict=True):
                file = folder / str(number) / "0" / "0" / "0"
                digests += write_plain_file(file, fields[first : first + in_file], in_file)
        else:
            array[trajectory, times] = fields
            digests = time_digests(fields)
        for number in numbers:  # on the disk before anything says that it is there
            sync_tree(folder / str(number))
        sync(folder)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Make room, then repeat the command with --resume."
        ) from error
    return digests


def read_trajectory(path: Path, trajectory: int) -> Float32[np.ndarray, "time channel y x"] | None:
    """Return one trajectory of an unfinished store, or None where it cannot be read."""
    return read_times(path, trajectory, slice(None))


def read_times(
    path: Path, trajectory: int, times: slice
) -> Float32[np.ndarray, "time channel y x"] | None:
    """Return some times of one trajectory of an unfinished store, or None where they cannot be read."""
    try:
        return np.asarray(
            zarr.open_array(LocalStore(path), path="state", mode="r")[trajectory, times]
        )
    except DAMAGE:
        return None


def time_digests(fields: Float32[np.ndarray, "time channel y x"]) -> list[bytes]:
    """Return the SHA-256 of the values at each time, in C order and little-endian float32."""
    return [time_digest(field) for field in fields]


def hash_digests(digests: list[bytes]) -> str:
    """Return the SHA-256 over the digests of consecutive times: it does not depend on who computed which of them."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def hash_fields(fields: Float32[np.ndarray, "time channel y x"]) -> str:
    """Return the SHA-256 of the values of one trajectory, over the digests of its times."""
    return hash_digests(time_digests(fields))


def finish_store(path: Path, hashes: list[str]) -> str:
    """Declare a store complete: store its content hash and consolidate its metadata.

    Args:
        path: The store.
        hashes: SHA-256 of each trajectory, in order.

    Returns:
        The content hash, see `content_hash`.
    """
    found = content_hash(path, hashes)
    group = zarr.open_group(LocalStore(path), mode="r+")
    group.attrs["trajectory_hashes"] = hashes
    group.attrs["content_hash"] = found
    consolidate(path)
    write_seal(path, FIELDS)
    return found
