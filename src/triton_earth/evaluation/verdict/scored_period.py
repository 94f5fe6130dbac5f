"""What the scores are of: how many starts, from when to when, and in which part of the year."""

import numpy as np
import xarray as xr

from triton_earth.core.time import describe_time
from triton_earth.evaluation.verdict.comparison import cases

CLIMATOLOGY_RECORD = "climatology_record"
"""Attribute of the scores: what the climatology is fitted to."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def scored_period(scores: xr.Dataset) -> list[str]:
    """Return in sentences which starts are scored, and the record of the climatology."""
    found = []
    count = cases(scores)
    if count is not None:
        found.append(f"{count} start{'' if count == 1 else 's'}{_dates(scores)}.")
    record = scores.attrs.get(CLIMATOLOGY_RECORD)
    if record:
        found.append(f"Climatology: {record}.")
    return found


def season(times: np.ndarray) -> str:
    """Return the months of some dates: ``all months of the year``, ``December to February`` or a list."""
    months = np.unique(times.astype("datetime64[M]").astype(np.int64) % 12)
    if len(months) == 12:
        return "all months of the year"
    begins = [month for month in months if (month - 1) % 12 not in months]
    if len(begins) > 1:
        return ", ".join(_MONTHS[month] for month in months)
    first, last = begins[0], (begins[0] + len(months) - 1) % 12
    return _MONTHS[first] if first == last else f"{_MONTHS[first]} to {_MONTHS[last]}"


def _dates(scores: xr.Dataset) -> str:
    if "init_time" not in scores.coords or not scores.sizes.get("init"):
        return ""
    times = np.sort(scores["init_time"].values)
    first, last = (describe_time(times[place]) for place in (0, -1))
    if times.dtype.kind != "M":
        trajectories = len(np.unique(scores["trajectory"].values)) if "trajectory" in scores else 1
        of = f" of {trajectories} trajectories" if trajectories > 1 else ""
        return f"{of} at model times {first} to {last}" if first != last else f"{of} at {first}"
    return f" from {first} to {last}, in {season(times)}" if first != last else f" of {first}"
