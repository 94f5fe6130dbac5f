"""Freed memory that stays with the process, for work whose tensors come and go alike over and over."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Numbers of the parameters of `mallopt`, from malloc.h."""
LARGEST_TRIM_THRESHOLD = 64 * 2**20
MOST_MAPPINGS = 65536
"""What the GNU C library has without being told, after it has seen large pieces come and go."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next tensors while entered; in the end what is free goes back to the system.

    The GNU C library gives large pieces back at once, and the system fetches and clears each page of the next ones: on
    a CPU up to a third of a training step (docs/measurements.md, "Network"). What is kept lies in pieces, some of them
    too small for the next tensor, so that a process holds up to a third more. Other C libraries stay as they are.
    """
    library = _c_library()
    if library is None:
        yield
        return
    library.mallopt(TRIM_THRESHOLD, -1)
    library.mallopt(MMAP_MAX, 0)
    try:
        yield
    finally:
        library.mallopt(MMAP_MAX, MOST_MAPPINGS)
        library.mallopt(TRIM_THRESHOLD, LARGEST_TRIM_THRESHOLD)
        library.malloc_trim(0)


def _c_library() -> ctypes.CDLL | None:
    """Return the C library if it is GNU's."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "mallopt") else None
