"""What an unfinished forecast says it has written, checked before it is gone on with."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from jaxtyping import Bool

from triton_earth.core.errors import DAMAGE, first_line
from triton_earth.core.outputs.files import remove
from triton_earth.rollout.storage.restart import Restart

logger = logging.getLogger("triton_earth")


@dataclass(frozen=True)
class Layout:
    """Which rows, leads and arrays a forecast has.

    Attributes:
        rows: Forecasts, counted over initial conditions and members.
        members: Members of each initial condition.
        batch_size: Rows that are made together.
        leads: Steps that are stored.
        stops: Whether forecasts that leave the climate are missing from then on.
    """

    rows: int
    members: int
    batch_size: int
    leads: Sequence[int]
    stops: bool


def recheck(
    folder: Path, arrays: Sequence[zarr.Array], layout: Layout, restart: Restart
) -> Restart:
    """Return from where a forecast can go on: before the first batch of which something is lost or damaged.

    A file of values that cannot be read is removed, with a warning, for nothing could be written into it.

    Args:
        folder: The unfinished forecast.
        arrays: Those whose values are never all missing, unless a forecast has blown up or was stopped.
        layout: What they hold.
        restart: Where the forecast says that it is.
    """
    first_trip = np.full(layout.rows, np.inf)
    for trip in restart.trips:
        if not trip["step"]:
            continue  # the initial state was outside already, which changes nothing
        row = trip["init"] * layout.members + (trip["member"] or 0)
        first_trip[row] = min(first_trip[row], trip["step"])
    steps = np.asarray(layout.leads)
    done_rows = min(restart.batch * layout.batch_size, layout.rows)
    current = np.arange(layout.rows) < min(done_rows + layout.batch_size, layout.rows)
    needed = np.arange(layout.rows)[:, None] < done_rows
    needed = needed | (current[:, None] & (steps <= restart.step))
    lost = np.zeros_like(needed)
    for array in arrays:
        missing, damaged = _missing(folder, array, layout)
        excused = missing & ~damaged & (steps > first_trip[:, None])
        if not layout.stops:  # what has blown up is written all the same
            excused |= missing & ~damaged & (steps == first_trip[:, None])
        lost |= missing & ~excused
    rows = np.flatnonzero((lost & needed).any(axis=1))
    if not rows.size:
        return restart
    batch = int(rows[0]) // layout.batch_size
    logger.warning(
        "%s: values that had been written are lost or damaged; going on from batch %d in place of %d.",
        folder,
        batch,
        restart.batch,
    )
    return restart.before(batch, batch * layout.batch_size, layout.members)


def _missing(
    folder: Path, array: zarr.Array, layout: Layout
) -> tuple[Bool[np.ndarray, "row lead"], Bool[np.ndarray, "row lead"]]:
    """Return of which rows and leads there is no value at all, and for which of them that is because of damage."""
    ensemble = layout.members > 1
    shape, chunks = array.shape[: 2 + ensemble], array.chunks[: 2 + ensemble]
    missing, damaged = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    rest = ["0"] * (array.ndim - len(shape))
    for place in itertools.product(
        *(range(-(-size // length)) for size, length in zip(shape, chunks, strict=True))
    ):
        file = folder.joinpath(array.basename, "c", *map(str, place), *rest)
        if not file.exists():
            continue
        box = tuple(
            slice(n * c, min((n + 1) * c, s)) for n, c, s in zip(place, chunks, shape, strict=True)
        )
        try:
            if file.stat().st_size == 0:
                raise ValueError("it is empty")
            values = np.asarray(array[box])
            missing[box] = np.isnan(values).all(axis=tuple(range(len(shape), values.ndim)))
        except DAMAGE as error:
            logger.warning("%s is damaged (%s) and is made again.", file, first_line(error))
            remove(file)
            damaged[box] = True
    return missing.reshape(layout.rows, -1), damaged.reshape(layout.rows, -1)
