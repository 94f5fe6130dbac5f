"""Pieces of a training store from gridded files: verified where they are there, else read, checked and written."""

import functools
import json
import logging
import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from triton_earth.core.time import describe_time
from triton_earth.data.sources.chunks import SourceChunk
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.gridded import GriddedSource
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.store.writer import hash_digests, read_times, time_digests, write_times

_READING = threading.Lock()
"""Held while files are opened and read. The NetCDF library crashes when several threads of a Dask worker are in it."""


@dataclass(frozen=True)
class PieceWork:
    """What every piece is made from, whichever process makes it.

    Attributes:
        data: What to take from where.
        files: `fingerprints` of the files.
        climatology: What anomalies are taken from, or None.
        ever: Where channels with holes to fill have a value at some time.
        valid: Where each channel has values.
        partial: The unfinished store.
        opened: The opened files; another process opens them itself.
    """

    data: GriddedData
    files: list[dict[str, Any]]
    climatology: Climatology | None
    ever: dict[str, Bool[np.ndarray, "row column"]]
    valid: Bool[np.ndarray, "channel y x"]
    partial: Path
    opened: GriddedSource | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "opened": None}

    def source(self) -> GriddedSource:
        """Return the opened files; a process opens them once."""
        if self.opened is not None:
            return self.opened
        source = _opened(self.data.model_dump_json(), json.dumps(self.files))
        source.climatology, source.ever = self.climatology, self.ever
        return source


@dataclass(frozen=True)
class Piece:
    """Consecutive times of the store.

    Attributes:
        times: Which.
        checksum: What `hash_digests` gave when it was written, or None if it is still to be made.
    """

    times: slice
    checksum: str | None


@dataclass(frozen=True)
class Finished:
    """A piece that is there.

    Attributes:
        digests: SHA-256 of the values at each of its times.
        was_damaged: Whether it had been written before, and was not what had been written.
    """

    digests: list[bytes]
    was_damaged: bool


@functools.lru_cache(maxsize=1)
def _opened(data: str, files: str) -> GriddedSource:
    """Open the source; `files` is there so that other files of the same names are opened anew."""
    return GriddedSource(GriddedData.model_validate_json(data))


def finish_piece(work: PieceWork, piece: Piece) -> Finished:
    """Verify a piece that is there, or make it.

    Raises:
        UserError: naming variable, time and cell, if a value is wrong or a file damaged; if the disk is full.
    """
    if piece.checksum is not None:
        there = read_times(work.partial, 0, piece.times)
        digests = [] if there is None else time_digests(there)
        if hash_digests(digests) == piece.checksum:
            return Finished(digests, was_damaged=False)
    with _READING:
        source = work.source()
        fields = source.read(piece.times)
    if work.data.holes == "mask":
        fields = np.where(work.valid, fields, np.float32(np.nan))
    require_mask(source, fields, work.valid, piece.times)
    digests = write_times(work.partial, 0, piece.times, fields)
    return Finished(digests, was_damaged=piece.checksum is not None)


def require_mask(
    source: GriddedSource,
    fields: Float32[np.ndarray, "time channel y x"],
    valid: Bool[np.ndarray, "channel y x"],
    times: slice,
) -> None:
    """Refuse fields that have values elsewhere than the first ones; times without a state are none.

    Raises:
        UnsoundDataError: naming the first such cell.
    """
    recorded = source.recorded[times]
    if all(
        np.array_equal(np.isfinite(one), valid)
        for one, has in zip(fields, recorded, strict=True)
        if has
    ):
        return
    wrong = np.isfinite(fields) != valid
    wrong[~recorded] = False
    time, channel, row, column = (int(index) for index in np.argwhere(wrong)[0])
    missing = valid[channel, row, column]
    where = f"cell ({row}, {column}) at {source.grid.y[row]:g} N {source.grid.x[column]:g} E"
    holds, held = ("no value", "one") if missing else ("a value", "none")
    raise UnsoundDataError(
        f"{source.name}: variable '{source.variables.names[channel]}' has {holds} at "
        f"{describe_time(source.times[times.start + time])}, {where}, where it has {held} at "
        f"{describe_time(source.times[0])} "
        f"({int(wrong.sum())} such values in the piece read). Fill holes, or mask every cell that ever lacks a value "
        "with data.holes=mask, or, where absence means a value as for ice, say which with data.holes=fill and `fill`."
    )


logger = logging.getLogger("triton_earth")

COPIES_IN_MEMORY = 8
"""How many times a piece is in memory at the worst: as read in float64, converted, joined, compressed."""
WORTH_A_REMARK = 1e9
"""Bytes read again that a user should hear of: some seconds of reading; less is nobody's trouble."""
COPIES_OF_CHUNKS = 3
"""How many times a chunk of the files is: as it lies there, unpacked, and copied (measured with Zarr)."""


@dataclass(frozen=True)
class Plan:
    """Length of the pieces.

    Attributes:
        length: Times in each but the last.
        megabytes: Memory for fields at the most.
        readings: How many times each chunk of the files is read.
    """

    length: int
    megabytes: float
    readings: int


def plan_pieces(
    times: int, bytes_per_time: int, chunk: SourceChunk | None, memory_mb: float
) -> Plan:
    """Choose the length of the pieces.

    A chunk of the files is unpacked as a whole, however little of it is taken. Pieces are as long as several whole
    chunks, or as a whole part of one; where not even the chunks fit into the memory, half of it is for the piece.

    Args:
        times: Times of the store.
        bytes_per_time: Size of one time of a piece in float64.
        chunk: The largest chunk of the files, or None where they have none.
        memory_mb: Memory for fields that is asked for.
    """
    one_time = COPIES_IN_MEMORY * bytes_per_time
    budget = memory_mb * 1e6
    if chunk is None:
        length = int(np.clip(budget / one_time, 1, times))
        return Plan(length, length * one_time / 1e6, 1)

    def held(length: int) -> int:
        touched = (-(-(length - 1) // chunk.times) + 1) * chunk.side_by_side
        return COPIES_OF_CHUNKS * chunk.nbytes * min(touched, chunk.at_once)

    length = int(np.clip(budget / one_time, 1, times))
    while length > 1 and length * one_time > max(budget - held(length), budget / 2):
        length = max(1, int(0.9 * length))
    if length >= chunk.times:
        length -= length % chunk.times
    elif times > length:
        parts = next(
            n for n in range(-(-chunk.times // length), chunk.times + 1) if chunk.times % n == 0
        )
        if 2 * (chunk.times // parts) > length:
            length = chunk.times // parts
    readings = (
        1 if length >= min(chunk.times, times) else math.ceil(min(chunk.times, times) / length)
    )
    return Plan(length, (length * one_time + held(length)) / 1e6, readings)


def _read_again(chunk: SourceChunk, times: int, channels: int, plan: Plan) -> int:
    """Return how many bytes are read more than once, at most."""
    return math.ceil(times / chunk.times) * channels * chunk.nbytes * (plan.readings - 1)


def pieces_of(source: GriddedSource, memory_mb: float, processes: int) -> list[slice]:
    """Return the slices of time to prepare one after the other, and say how much memory they take."""
    native = max(source.native_cells, int(np.prod(source.grid.shape)))
    chunk = source.largest_chunk
    plan = plan_pieces(len(source.times), 8 * source.channels_in_memory * native, chunk, memory_mb)
    logger.info(
        "prepare: %d times of %d channels in pieces of %d; at most about %.3g MB of fields in memory%s",
        len(source.times),
        len(source.variables),
        plan.length,
        plan.megabytes,
        "" if processes == 1 else f" in each of {processes} processes",
    )
    if chunk is not None and (
        plan.megabytes > 1.01 * memory_mb
        or _read_again(chunk, len(source.times), len(source.variables), plan) > WORTH_A_REMARK
    ):
        enough = plan_pieces(
            chunk.times, 8 * source.channels_in_memory * native, chunk, float("inf")
        ).megabytes
        logger.warning(
            "prepare: the files have chunks of %.3g MB with %d times of '%s'; within data.memory_mb=%g each is read %d "
            "times. Say data.memory_mb=%d, or rewrite the files in smaller chunks (xarray: ds.chunk(...).to_zarr).",
            chunk.nbytes / 1e6,
            chunk.times,
            chunk.variable,
            memory_mb,
            plan.readings,
            math.ceil(enough),
        )
    return [
        slice(first, min(first + plan.length, len(source.times)))
        for first in range(0, len(source.times), plan.length)
    ]
