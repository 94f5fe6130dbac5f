"""Reading times of a training store straight from its files: one system call for neighbouring times."""

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from jaxtyping import Float32, UInt64
from numcodecs import blosc, zstd
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec

_DECOMPRESS: dict[type, Callable[[Any, Any], Any]] = {
    BloscCodec: blosc.decompress,
    ZstdCodec: zstd.decompress,
}
"""What turns the bytes of a chunk into its values; each lets other threads run meanwhile."""

_NEVER_WRITTEN = np.uint64(2**64 - 1)
_CHECKSUM = 4


class Shards:
    """The files of a local array [trajectory, time, channel, y, x] whose chunks each hold one time.

    Zarr's own reader gives the same bits, and spends most of its time between system calls. Any number of threads may
    read at once.

    Source: Zarr v3 specification, sharding codec 1.0: chunks, then (offset, length) of each as little-endian uint64,
    2⁶⁴ − 1 for those never written, then the CRC-32C of these. Chunks may end with their own CRC-32C; older stores lack
    them.
    """

    def __init__(
        self, path: Path, in_file: int, decompress: Callable[[Any, Any], Any], checked: bool
    ) -> None:
        self._path, self._in_file, self._decompress = path, in_file, decompress
        self._checked = checked
        self._index: dict[Path, UInt64[np.ndarray, "time 2"]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Shards"], tuple[Any, ...]]:
        # Locks and what this process has read stay here.
        return Shards, (self._path, self._in_file, self._decompress, self._checked)

    @classmethod
    def of(cls, path: Path, array: zarr.Array) -> "Shards | None":
        """Return the files of an array, or None where they are laid out in another way than the stores made here.

        Args:
            path: Folder of the array.
            array: The same, opened by Zarr.
        """
        layout = array.metadata.to_dict()
        # Format 2 has none.
        codecs: tuple[Any, ...] = getattr(array.metadata, "codecs", ())
        if len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec) or array.shards is None:
            return None
        sharding, little = codecs[0], BytesCodec(endian="little")
        fields, in_file = array.shape[2:], array.shards[1]
        checked = sharding.codecs[-1] == Crc32cCodec()
        inner = sharding.codecs[:-1] if checked else sharding.codecs
        decompress = _DECOMPRESS.get(type(inner[-1]))
        if (
            decompress is None
            or array.dtype != np.dtype("<f4")
            or array.chunks != (1, 1, *fields)
            or array.shards != (1, in_file, *fields)
            or len(inner) != 2
            or inner[0] != little
            or tuple(sharding.index_codecs) != (little, Crc32cCodec())
            or sharding.index_location.value != "end"
            or layout["chunk_key_encoding"]
            != {"name": "default", "configuration": {"separator": "/"}}
        ):
            return None
        return cls(path, in_file, decompress, checked)

    def read(
        self, trajectory: int, start: int, out: Float32[np.ndarray, "time channel y x"]
    ) -> None:
        """Read consecutive times of a trajectory into `out`, from time `start` on.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if a file is damaged, or a time was never written; the message names a time whose values are not
                those that were written.
        """
        done = 0
        while done < len(out):
            number, first = divmod(start + done, self._in_file)
            count = min(len(out) - done, self._in_file - first)
            file = self._path / "c" / str(trajectory) / str(number) / "0" / "0" / "0"
            self._read_file(file, first, out[done : done + count], start + done)
            done += count

    def _read_file(
        self, path: Path, first: int, out: Float32[np.ndarray, "time channel y x"], start: int
    ) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            where = self._index_of(path, descriptor)[first : first + len(out)]
            if (where[:, 0] == _NEVER_WRITTEN).any():
                raise ValueError("a time has no value at all")
            for begin, end in _neighbours(where):
                wrong = self._read_run(descriptor, where[begin:end], out[begin:end])
                if wrong is not None:
                    raise ValueError(f"the checksum of time {start + begin + wrong} is wrong")
        finally:
            os.close(descriptor)

    def _read_run(
        self,
        descriptor: int,
        where: UInt64[np.ndarray, "time 2"],
        out: Float32[np.ndarray, "time channel y x"],
    ) -> int | None:
        """Read times that follow each other in the file; return the first of them that is not what was written."""
        offset, size = int(where[0, 0]), int(where[:, 1].sum())
        content = np.empty(size, dtype=np.uint8)
        _read_into(descriptor, content.data, offset)
        content.flags.writeable = False  # the checksum takes nothing else without a copy
        for number, (begin, length) in enumerate(where.astype(np.int64) - [offset, 0]):
            chunk = content[begin : begin + length]
            if self._checked:
                chunk, checksum = chunk[:-_CHECKSUM], chunk[-_CHECKSUM:]
                if google_crc32c.value(chunk) != int.from_bytes(checksum, "little"):
                    return number
            self._decompress(chunk, out[number])
        return None

    def _index_of(self, path: Path, descriptor: int) -> UInt64[np.ndarray, "time 2"]:
        """Return offset and length of each time in a file, read once."""
        with self._lock:
            known = self._index.get(path)
        if known is not None:
            return known
        length = 16 * self._in_file
        content = bytearray(length + _CHECKSUM)
        size = os.fstat(descriptor).st_size
        if size < len(content):
            raise ValueError("a file is cut off")
        _read_into(descriptor, memoryview(content), size - len(content))
        if google_crc32c.value(bytes(content[:length])) != int.from_bytes(
            content[length:], "little"
        ):
            raise ValueError("a file's checksum is wrong")
        index = np.frombuffer(content, "<u8", 2 * self._in_file).reshape(-1, 2)
        with self._lock:
            self._index[path] = index
        return index


def _neighbours(where: UInt64[np.ndarray, "time 2"]) -> list[tuple[int, int]]:
    """Return (begin, end) of each run of times that follow each other without a gap."""
    breaks = np.flatnonzero(where[1:, 0] != where[:-1].sum(axis=1)) + 1
    edges = [0, *breaks.tolist(), len(where)]
    return list(itertools.pairwise(edges))


def _read_into(descriptor: int, buffer: memoryview, offset: int) -> None:
    """Fill a buffer from a file.

    Raises:
        ValueError: if the file ends before.
    """
    done = 0
    while done < len(buffer):
        count = os.preadv(descriptor, [buffer[done:]], offset + done)
        if count == 0:
            raise ValueError("a file is cut off")
        done += count
