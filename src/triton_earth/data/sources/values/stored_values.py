"""Values as a file has them, into the units of a store, a few maps at a time, which stay in the processor's cache."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import DTypeLike

CELLS_AT_ONCE = 1 << 16
"""Values of a few maps that are looked at together, unless one map has more."""


def few_at_once(values: Shaped[np.ndarray, "time ..."]) -> Iterator[slice]:
    """Yield the slices of the first axis that are looked at together."""
    length = max(1, CELLS_AT_ONCE * len(values) // max(values.size, 1))
    for first in range(0, len(values), length):
        yield slice(first, min(first + length, len(values)))


def converted(
    stored: Shaped[np.ndarray, "time *rest"], scale: float, offset: float, dtype: DTypeLike
) -> Float[np.ndarray, "time *rest"]:
    """Return scale · stored value + offset, computed in double precision and rounded to a type.

    Args:
        stored: Values; they are returned themselves where they are what is asked for.
        scale: Factor.
        offset: What is added.
        dtype: Single or double precision.
    """
    if (scale, offset) == (1.0, 0.0):
        return np.ascontiguousarray(stored, dtype=dtype)
    made = np.empty(stored.shape, dtype=dtype)
    for part in few_at_once(stored):
        double = np.array(stored[part], dtype=np.float64)
        if scale != 1.0:
            double *= scale
        if offset != 0.0:
            double += offset
        made[part] = double
    return made


def converted_limits(
    limits: tuple[float, float], scale: float, offset: float
) -> tuple[float, float]:
    """Return the least and largest of converted values, as exactly as these: rounding keeps the order of numbers."""
    one, other = (scale * limit + offset for limit in limits)
    return (one, other) if scale > 0 else (other, one)


def bits_of(there: Bool[np.ndarray, "..."], dtype: DTypeLike) -> Int[np.ndarray, "..."]:
    """Return integers of the size of a type, all bits of which are set where there is a value and none elsewhere."""
    return -there.astype(f"i{np.dtype(dtype).itemsize}")


def cleared(
    maps: Float[np.ndarray, "..."], kept: Int[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Return maps with 0 where they have no value.

    Bits are taken out, as a choice between two values takes seven times as long where land and sea change often.

    Args:
        maps: Values.
        kept: `bits_of` where there is one.
    """
    return np.bitwise_and(maps.view(kept.dtype), kept).view(maps.dtype)
