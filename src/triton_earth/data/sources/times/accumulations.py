"""Accumulations: fields that grow for some times and then start again hold more than their own step.

Source: ERA5-Land hourly data, documentation of accumulations: values of 01 to 24 UTC are since 00 UTC of that day.
"""

import numpy as np
from jaxtyping import Float

from triton_earth.data.sources.times.axis import DAY

DAYS = 3
"""Days whose fields tell it."""
_DROP = 0.7
"""What starts again falls below this share of what was there."""
_RISING = 0.75
"""Share of the changing cells that grow from one time to the next; fluxes of both signs also shrink."""
_STEADY = 6
"""As many steps that never fall are no day of sunshine or rain."""
_GROWTH = 0.02
"""Smallest growth of each of fewer steps, as a share of the largest mean."""


def steps_until_reset(
    fields: Float[np.ndarray, "time cell"], own: np.timedelta64
) -> np.timedelta64 | None:
    """Return how long fields grow until they start again, if they do so regularly; None where they do not.

    The mean magnitude m_t over the cells never falls but at every n-th time, where it loses a third at least, and n
    steps are a day or a part of one. Sunshine and rain also have a course of the day; they rise for hours on end only
    where a day has few steps, of which each has to grow then.

    Args:
        fields: Values at consecutive times; NaN takes no part.
        own: Time between them.
    """
    size = np.abs(fields.astype(np.float64))
    there = ~np.isnan(size)
    mean = np.where(there, size, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    falls = np.flatnonzero(mean[1:] < _DROP * mean[:-1])
    if len(falls) < DAYS:
        return None
    between = np.diff(falls)
    count = int(between.min())
    length = count * own
    if np.any(between % count) or length > DAY or DAY % length:
        return None
    if count < 3 and not (count == 2 and length < DAY):
        return None
    grows = np.ones(len(mean) - 1, dtype=bool)
    grows[falls] = False
    change = np.diff(mean)[grows]
    least = -1e-3 if count >= _STEADY else _GROWTH
    if not change.size or change.min() < least * mean.max():
        return None
    cells = np.diff(size, axis=0)[grows]
    moved = np.abs(cells) > 1e-6 * mean.max()
    rising = (cells > 0) & moved
    return length if rising.sum() >= _RISING * moved.sum() else None
