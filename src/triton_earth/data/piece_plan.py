"""How long the pieces are in which gridded files are prepared: as the memory allows, along the chunks of the files."""

import logging
import math
from dataclasses import dataclass

import numpy as np

from triton_earth.data.sources.chunks import SourceChunk
from triton_earth.data.sources.gridded import GriddedSource

logger = logging.getLogger("triton_earth")

COPIES_IN_MEMORY = 8
"""How many times a piece is in memory at the worst: as read in float64, converted, joined, compressed."""
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
    if chunk is not None and (plan.megabytes > 1.01 * memory_mb or plan.readings > 1):
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
