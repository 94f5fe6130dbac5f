"""Reading times of a training store straight from its files: one system call for neighbouring times."""

import itertools
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from jaxtyping import Float32, UInt8, UInt64
from numcodecs import blosc, zstd
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec

_DECOMPRESS: dict[type, Callable[[Any, Any], Any]] = {
    BloscCodec: blosc.decompress,
    ZstdCodec: zstd.decompress,
}
"""What turns the bytes of a chunk into its values; each lets other threads run meanwhile."""

_NEVER_WRITTEN = np.uint64(2**64 - 1)
_CHECKSUM = 4
_BUFFERS_PER_CALL = 512


class Shards:
    """The files of a local array [trajectory, time, channel, y, x] whose chunks each hold one time.

    Zarr's own reader gives the same bits, and spends most of its time between system calls. Chunks that are not
    compressed go from the file to where they are wanted without a copy. The checksum of a chunk is computed the first
    time that it is read here. Any number of threads may read at once.

    Source: Zarr v3 specification, sharding codec 1.0: chunks, then (offset, length) of each as little-endian uint64,
    2⁶⁴ − 1 for those never written, then the CRC-32C of these. Chunks may end with their own CRC-32C; older stores lack
    them.
    """

    def __init__(
        self, path: Path, in_file: int, decompress: Callable[[Any, Any], Any] | None, checked: bool
    ) -> None:
        self._path, self._in_file, self._decompress = path, in_file, decompress
        self._checked = checked
        self._index: dict[str, _Index] = {}
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
        packed = len(inner) == 2
        decompress = _DECOMPRESS.get(type(inner[-1]))
        if (
            packed != (decompress is not None)
            or array.dtype != np.dtype("<f4")
            or array.chunks != (1, 1, *fields)
            or array.shards != (1, in_file, *fields)
            or len(inner) > 2
            or inner[0] != little
            or tuple(sharding.index_codecs) != (little, Crc32cCodec())
            or sharding.index_location.value != "end"
            or layout["chunk_key_encoding"]
            != {"name": "default", "configuration": {"separator": "/"}}
        ):
            return None
        return cls(path, in_file, decompress, checked)

    @property
    def is_plain(self) -> bool:
        """Whether chunks are not compressed and end with their checksum, as `write_plain_file` makes them."""
        return self._decompress is None and self._checked

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
            file = f"{self._path}/c/{trajectory}/{number}/0/0/0"
            self._read_file(file, first, out[done : done + count], start + done)
            done += count

    def _read_file(
        self, path: str, first: int, out: Float32[np.ndarray, "time channel y x"], start: int
    ) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            index = self._index_of(path, descriptor)
            if index.lost[first : first + len(out)].any():
                raise ValueError("a time has no value at all")
            read = self._read_plain if self._decompress is None else self._read_packed
            for begin, end in index.runs(first, first + len(out)):
                wrong = read(descriptor, index, slice(begin, end), out[begin - first : end - first])
                if wrong is not None:
                    time = start + wrong - first
                    raise ValueError(f"the checksum of time {time} is wrong")
        finally:
            os.close(descriptor)

    def _read_packed(
        self,
        descriptor: int,
        index: "_Index",
        times: slice,
        out: Float32[np.ndarray, "time channel y x"],
    ) -> int | None:
        """Read times that follow each other in a file; return the first of them that is not what was written."""
        assert self._decompress is not None
        offsets, lengths = index.offsets[times].tolist(), index.lengths[times].tolist()
        content = np.empty(sum(lengths), dtype=np.uint8)
        _read_into(descriptor, [content.data], offsets[0])
        for number, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
            begin = offset - offsets[0]
            chunk = content[begin : begin + length]
            if self._checked:
                chunk, checksum = chunk[:-_CHECKSUM], chunk[-_CHECKSUM:]
                if not index.is_sound(times.start + number, chunk, checksum):
                    return int(times.start + number)
            self._decompress(chunk, out[number])
        return None

    def _read_plain(
        self,
        descriptor: int,
        index: "_Index",
        times: slice,
        out: Float32[np.ndarray, "time channel y x"],
    ) -> int | None:
        """Read times that are not compressed, as `read_into` does."""
        fields = out.reshape(len(out), -1).view(np.uint8)
        checksums = np.empty((len(out), _CHECKSUM if self._checked else 0), np.uint8)
        if (index.lengths[times] != fields.shape[1] + checksums.shape[1]).any():
            raise ValueError("a time has a wrong length")
        buffers = [part.data for pair in zip(fields, checksums, strict=True) for part in pair]
        _read_into(descriptor, buffers, int(index.offsets[times.start]))
        if self._checked:
            for number, (chunk, checksum) in enumerate(zip(fields, checksums, strict=True)):
                if not index.is_sound(times.start + number, chunk, checksum):
                    return int(times.start + number)
        return None

    def _index_of(self, path: str, descriptor: int) -> "_Index":
        """Return where the times of a file are; the first time that it is asked for, it is read."""
        with self._lock:
            known = self._index.get(path)
        if known is not None:
            return known
        length = 16 * self._in_file
        content = bytearray(length + _CHECKSUM)
        size = os.fstat(descriptor).st_size
        if size < len(content):
            raise ValueError("a file is cut off")
        _read_into(descriptor, [memoryview(content)], size - len(content))
        if google_crc32c.value(bytes(content[:length])) != int.from_bytes(
            content[length:], "little"
        ):
            raise ValueError("a file's checksum is wrong")
        where = np.frombuffer(content, "<u8", 2 * self._in_file).reshape(-1, 2)
        with self._lock:
            return self._index.setdefault(path, _Index(where))


class _Index:
    """Where the times of a file are, and which of them were seen to be what was written.

    Attributes:
        offsets: Position of each time in the file.
        lengths: Bytes of each time.
        lost: Which times were never written.
    """

    def __init__(self, where: UInt64[np.ndarray, "time 2"]) -> None:
        self.lost = where[:, 0] == _NEVER_WRITTEN
        self.offsets, self.lengths = where.astype(np.int64).T
        ends = self.offsets + self.lengths
        self._breaks = (np.flatnonzero(self.offsets[1:] != ends[:-1]) + 1).tolist()
        self._sound = [False] * len(where)

    def runs(self, start: int, stop: int) -> Iterable[tuple[int, int]]:
        """Return (begin, end) of each run of times that follow each other in the file without a gap."""
        inside = [time for time in self._breaks if start < time < stop]
        return itertools.pairwise([start, *inside, stop])

    def is_sound(
        self, time: int, chunk: UInt8[np.ndarray, " byte"], checksum: UInt8[np.ndarray, "4"]
    ) -> bool:
        """Return whether a time has its checksum; of one that had it before nothing is computed."""
        if not self._sound[time]:
            chunk = chunk.view()
            chunk.flags.writeable = False  # anything else is copied first
            self._sound[time] = google_crc32c.value(chunk) == int.from_bytes(checksum, "little")
        return self._sound[time]


def _read_into(descriptor: int, buffers: list[memoryview], offset: int) -> None:
    """Fill buffers from consecutive bytes of a file.

    Raises:
        ValueError: if the file ends before.
    """
    waiting = deque(buffers)
    while waiting:
        count = os.preadv(descriptor, list(itertools.islice(waiting, _BUFFERS_PER_CALL)), offset)
        if count == 0:
            raise ValueError("a file is cut off")
        offset += count
        while waiting and count >= len(waiting[0]):
            count -= len(waiting.popleft())
        if count:
            waiting[0] = waiting[0][count:]


def missing_chunks(array: zarr.Array) -> int:
    """Return how many chunks of an array lie in files that are not there.

    The last file along an axis may be part empty.
    """
    files_of = array.shards or array.chunks
    in_file = math.prod(files_of) // math.prod(array.chunks)
    files = math.prod(
        -(-size // length) for size, length in zip(array.shape, files_of, strict=True)
    )
    return min((files - array.nchunks_initialized // in_file) * in_file, array.nchunks)
