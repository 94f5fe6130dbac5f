"""Which times of a long record are looked at, and the blocks in which their fields are read."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr
from jaxtyping import Float, Int64

from triton_earth.data.sources.chunks import chunk_of

BLOCK_BYTES = 32e6
"""Size, in double precision, of what is read at a time."""
MOST_BYTES, MOST_BYTES_FAR = 20e9, 1e9
"""Values, in double precision, that are all read: on this machine, and from far away."""


def chosen_times(
    times: int, bytes_of_one: int, wanted: int | None, *, files: int = 1, far: bool = False
) -> Int64[np.ndarray, " chosen"]:
    """Return which times are looked at: all, unless fewer are wanted or all would take too long.

    Args:
        times: How many there are.
        bytes_of_one: Size of the fields of one.
        wanted: How many to look at, or None for as many as `MOST_BYTES` allows.
        files: How many such files are looked at.
        far: Whether they come over a network.

    Returns:
        Their indices, evenly spread, the first and the last among them.
    """
    most = (MOST_BYTES_FAR if far else MOST_BYTES) / files / max(bytes_of_one, 1)
    count = min(times, wanted if wanted is not None else max(int(most), 2))
    return np.unique(np.linspace(0, max(times - 1, 0), count).round().astype(np.int64))[:times]


def describe_chosen(chosen: int, times: int) -> str:
    """Return the sample in words."""
    return f"values of {chosen} of {times} times, evenly spread; `--times {times}` reads them all"


def blocks(
    array: xr.DataArray,
    dimension: str | None,
    chosen: Int64[np.ndarray, " chosen"],
    order: Sequence[str],
) -> Iterator[tuple[Float[np.ndarray, "time *cells"], list[int]]]:
    """Yield fields of some times, a few at a time, and the indices of the times; the next are read meanwhile.

    Args:
        array: A variable of a file.
        dimension: Its time dimension; None for a variable without, which is yielded as if it had one time.
        chosen: Ascending indices of times.
        order: Dimensions in the order wanted, without time; others come last.
    """
    ordered = array.transpose(*([dimension] if dimension else []), *order, ...)
    if dimension is None:
        yield _floats(ordered.to_numpy())[None], [0]
        return
    one = 8 * max(1, int(np.prod(ordered.shape[1:])))
    length = max(1, int(BLOCK_BYTES // one))
    chunk = chunk_of(array, dimension)
    if chunk is not None and chunk.times < length:
        length -= length % chunk.times  # no chunk is unpacked twice
    parts = [
        run[first : first + length]
        for run in np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
        for first in range(0, len(run), length)
    ]

    def read(part: Int64[np.ndarray, " some"]) -> Float[np.ndarray, "time *cells"]:
        times = slice(int(part[0]), int(part[-1]) + 1)
        return _floats(ordered.isel({dimension: times}).to_numpy())

    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        ahead = [reader.submit(read, part) for part in parts[:1]]
        for part, following in itertools.zip_longest(parts, parts[1:]):
            block = ahead.pop().result()
            if following is not None:
                ahead.append(reader.submit(read, following))
            yield block, part.tolist()


def _floats(values: np.ndarray) -> Float[np.ndarray, "..."]:
    """Return values in single precision where they are stored so, else in double; the bytes in this machine's order."""
    return values.astype(np.float32 if values.dtype == np.float32 else np.float64, copy=False)
