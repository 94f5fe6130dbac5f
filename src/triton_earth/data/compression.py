"""How the fields of a training store are packed."""

from typing import Literal

from zarr.codecs import BloscCodec

Compression = Literal["none", "lz4"]
"""Not at all, which is read as fast as the disk gives it, or with LZ4 of shuffled bytes, which takes less space."""

CODECS: dict[Compression, list[BloscCodec]] = {
    "none": [],
    # Shuffled bytes of floats pack better than with plain zstd, and come back four times as fast.
    "lz4": [BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")],
}
