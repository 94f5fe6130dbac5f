"""How much of a Zarr array was never written, or has been lost: it would read as the fill value without a word."""

import math

import zarr


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
