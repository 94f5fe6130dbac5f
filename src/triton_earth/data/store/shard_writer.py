"""Writing a file of a training store whose times are not compressed: the bytes that Zarr writes, in one pass."""

import hashlib
from pathlib import Path

import google_crc32c
import numpy as np
from jaxtyping import Float32

_NEVER_WRITTEN = 2**64 - 1


def write_plain_file(
    path: Path, fields: Float32[np.ndarray, "time channel y x"], in_file: int
) -> list[bytes]:
    """Write the times of one file, each with its checksum, and the index, under another name until it is whole.

    Zarr makes the same bytes from several copies of all of them; here each time goes through checksum, SHA-256 and
    system call while it is in the processor's cache. `Shards` tells what a file holds.

    Args:
        path: The file; its folder is made.
        fields: Values at its times.
        in_file: Times that a file has room for.

    Returns:
        SHA-256 of the values at each time, as `time_digest` gives it.

    Raises:
        OSError: if the disk is full or fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    index = np.full((in_file, 2), _NEVER_WRITTEN, dtype="<u8")
    digests, position = [], 0
    unfinished = path.with_name(f"{path.name}.partial")
    with open(unfinished, "wb") as file:
        for number, field in enumerate(fields):
            values = as_stored(field)
            file.write(values.data)
            file.write(_checksum(values))
            digests.append(time_digest(values))
            index[number] = position, values.nbytes + 4
            position += values.nbytes + 4
        file.write(index.data)
        file.write(_checksum(index))
    unfinished.rename(path)
    return digests


def time_digest(field: Float32[np.ndarray, "channel y x"]) -> bytes:
    """Return the SHA-256 of the values at a time, in C order and little-endian float32."""
    return hashlib.sha256(as_stored(field).data).digest()


def as_stored(field: Float32[np.ndarray, "channel y x"]) -> Float32[np.ndarray, "channel y x"]:
    """Return values in C order and little-endian float32; no copy where they are."""
    return np.ascontiguousarray(field, dtype="<f4")


def _checksum(values: np.ndarray) -> bytes:
    values = values.view()
    values.flags.writeable = False  # anything else is copied first
    return int(google_crc32c.value(values)).to_bytes(4, "little")
