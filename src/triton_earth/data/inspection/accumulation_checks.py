"""Checks of accumulations: whether they hold more than the step of their file."""

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.names import known_in_file
from triton_earth.data.sources.times.accumulations import steps_until_reset
from triton_earth.data.sources.times.axis import DAY, find_time, read_times
from triton_earth.data.sources.times.cell_methods import aggregation_of

_DAYS = 10
"""Days at the start of a file that are looked at."""


def check_accumulations(
    inspection: Inspection,
    source: str,
    dataset: xr.Dataset,
    array: xr.DataArray,
    means: list[float],
    name: str,
) -> None:
    """Say of accumulations without bounds that they grow from one time to the next and then start again.

    Args:
        inspection: Where the finding is written down.
        source: Name of the file.
        dataset: It.
        array: The variable.
        means: Mean over the map at each time.
        name: What to call it.
    """
    time = find_time(dataset, array.dims)
    known = known_in_file(str(array.name), text_of(array, "standard_name"))
    if time is None or aggregation_of(array, known, (time, "time")) != "sum":
        return
    try:
        told = read_times(dataset, time, source)
    except UserError:
        return  # said with the times
    if told.starts is not None or len(told.stamps) != len(means) or len(means) < 2:
        return
    own = np.timedelta64(int(np.median(np.diff(told.stamps).astype(np.int64))), "ns")
    if not np.timedelta64(0, "ns") < own < DAY:
        return
    some = np.array(means[: int(_DAYS * DAY / own)])
    length = steps_until_reset(some[:, None], own)
    if length is not None:
        inspection.add(
            "accumulated",
            Severity.WARNING,
            f"values grow for {describe_duration(length)} and then start again, as accumulations since 00 UTC do: they "
            f"are no amounts of {describe_duration(own)} each, and their sum would count most of them several times.",
            "Take differences first (xarray: ds.diff('time')), or, for totals of whole days, say `aggregate: maximum` "
            "and data.stamps=end.",
            name,
        )
