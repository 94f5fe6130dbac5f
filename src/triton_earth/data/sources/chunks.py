"""Chunks of files: what is read and unpacked as a whole, however little of it is taken."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
import zarr


@dataclass(frozen=True)
class SourceChunk:
    """Chunks of one variable in a file.

    Attributes:
        variable: Its name in the file.
        nbytes: Size of one chunk, unpacked.
        times: Times in it.
        side_by_side: Chunks that make up the map of one time, at all levels.
        at_once: Chunks that are unpacked at the same time.
    """

    variable: str
    nbytes: int
    times: int
    side_by_side: int
    at_once: int


def chunk_of(array: xr.DataArray, time: str | None) -> SourceChunk | None:
    """Return the chunks of a variable as its file has them, or None where it has none.

    Args:
        array: The variable.
        time: Its time dimension.
    """
    in_zarr = array.encoding.get("chunks")
    lengths = in_zarr or array.encoding.get("chunksizes")
    if lengths is None or len(lengths) != array.ndim:
        return None
    stored = np.dtype(array.encoding.get("dtype") or array.dtype)
    across = [
        -(-size // length)
        for name, size, length in zip(array.dims, array.shape, lengths, strict=True)
        if name != time
    ]
    along = dict(zip(array.dims, lengths, strict=True)).get(time, 1)
    return SourceChunk(
        str(array.name),
        math.prod(lengths) * stored.itemsize,
        int(along),
        math.prod(across),
        int(zarr.config.get("async.concurrency")) if in_zarr else 1,
    )
