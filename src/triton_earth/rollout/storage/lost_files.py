"""Files of a forecast store that are lost: Zarr reads them as missing values, which a blow-up would be too."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_time


def require_files(
    path: Path,
    array: zarr.Array,
    values: Float32[np.ndarray, "init member y x"],
    inits: range,
    lead: int,
    *,
    number: int,
    init_times: np.ndarray,
    guard: dict[str, Any] | None,
) -> None:
    """Refuse values that are missing because their file is not there.

    Args:
        path: Folder of the forecast store.
        array: A variable of it, ``(init[, member], lead_time, y, x)``.
        values: What was read of it.
        inits: The initial conditions that were read.
        lead: Index into the lead times.
        number: Number of that lead; the first step is 1.
        init_times: Time of each initial condition of the store.
        guard: What the guard saw, as `triton_earth.rollout.guard.guard_record` gives it, or None.

    Raises:
        UserError: if a file is not there or empty, and the guard had not stopped all its forecasts before.
    """
    ensemble = array.ndim == 5
    together = array.chunks[1] if ensemble else 1
    each = array.chunks[0]
    for first in range(inits.start - inits.start % each, inits.stop, each):
        whole = range(first, min(first + each, len(init_times)))
        rows = slice(max(first - inits.start, 0), whole.stop - inits.start)
        for start in range(0, values.shape[1], together):
            members = range(start, min(start + together, values.shape[1]))
            if not np.isnan(values[rows, members.start : members.stop]).all():
                continue
            place = [first // each, *([start // together] if ensemble else []), lead, 0, 0]
            file = path.joinpath(array.basename, "c", *map(str, place))
            there = file.exists() and file.stat().st_size > 0
            if there or _stopped_before(number, whole, members, guard):
                continue
            of = f" of members {members.start} to {members.stop - 1}" if ensemble else ""
            raise UserError(
                f"{path}: '{array.basename}' at lead {number}{of} of the forecasts from "
                f"{describe_time(init_times[whole.start])} is "
                f"missing: the file {file.relative_to(path)} is lost. Make the forecast again."
            )


def _stopped_before(
    number: int, inits: range, members: range, guard: dict[str, Any] | None
) -> bool:
    """Return whether the guard's policy ``stop`` had ended every one of these forecasts before a lead."""
    if guard is None or guard["policy"] != "stop":
        return False
    if guard["count"] > len(guard["trips"]):
        return True  # not every trip is recorded
    stopped = {
        (trip["init"], trip["member"] or 0) for trip in guard["trips"] if trip["step"] < number
    }
    return all((init, member) in stopped for init in inits for member in members)
