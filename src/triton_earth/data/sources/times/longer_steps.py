"""Longer steps: which fields of the files make up each step of the store, and when it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration
from triton_earth.data.sources.times.axis import DAY, Stamp
from triton_earth.data.sources.times.steps import calendar_stamps, is_calendar_step


@dataclass(frozen=True)
class LongerSteps:
    """Steps that are made of several fields.

    Attributes:
        times: Times of the store, in equal steps.
        first: Index of the first field of each step; −1 where the files lack one of them.
        stop: One past the last.
        sampled: Index of the field that stands for the moment of each step; −1 where there is none.
    """

    times: np.ndarray
    first: Int64[np.ndarray, " time"]
    stop: Int64[np.ndarray, " time"]
    sampled: Int64[np.ndarray, " time"]


def longer_steps(
    stamps: np.ndarray,
    own: np.timedelta64,
    position: Stamp | None,
    step: np.timedelta64,
    bounds: tuple[np.datetime64, np.datetime64],
    source: str,
) -> LongerSteps:
    """Find the fields whose intervals fill each longer step.

    Steps begin at midnight, or at multiples of themselves from midnight on; calendar months and years with their first
    day. A step is stamped as the fields are: at its start, in its middle, or, where it is shorter than a day, at its
    end; days and more that are stamped at their end lie at their start instead, which has their date.

    Args:
        stamps: Times of the fields, ascending in multiples of `own`.
        own: Length of the interval of each.
        position: Where in the interval its stamp lies; None where nothing says it, which counts as its start, or as its
            middle where the stamps lie half an interval off.
        step: The longer step; a numpy month or year for those of the calendar.
        bounds: First and last time of the store.
        source: For messages.

    Raises:
        UserError: if no step is complete.
    """
    if position is None:
        since_midnight = (stamps[0] - stamps[0].astype("datetime64[D]")) % own
        position = (
            "middle" if since_midnight == own // 2 and own % np.timedelta64(2) == 0 else "start"
        )
    begins = stamps - {"start": 0 * own, "middle": own // 2, "end": own}[position]
    middles = begins + own // 2
    if is_calendar_step(step):
        unit = np.datetime_data(step.dtype)[0]
        numbers = middles.astype(f"datetime64[{unit}]").astype(np.int64)
        edges = np.arange(numbers[0], numbers[-1] + 2).astype(f"datetime64[{unit}]")
        edges = edges.astype("datetime64[ns]")
        times = calendar_stamps(int(numbers[0]), len(edges) - 1, unit)
    else:
        anchor = begins[0].astype("datetime64[D]").astype("datetime64[ns]")
        numbers = ((middles - anchor) // step).astype(np.int64)
        edges = anchor + np.arange(numbers[0], numbers[-1] + 2) * step
        at_end = position == "end" and step < DAY
        shift = step if at_end else step // 2 if position == "middle" else 0 * step
        times = edges[:-1] + shift
    numbers = numbers - numbers[0]
    wanted = np.arange(len(times))
    first = np.searchsorted(numbers, wanted, side="left")
    stop = np.searchsorted(numbers, wanted, side="right")
    lengths = np.diff(edges)
    complete = np.abs((stop - first) * own - lengths) < own // 2
    at = np.searchsorted(stamps, times)
    there = stamps[np.minimum(at, len(stamps) - 1)] == times
    sampled = np.where(there, at, -1) if there.any() else np.where(complete, first, -1)
    inside = (times >= bounds[0]) & (times <= bounds[1])
    used = np.flatnonzero(inside & complete)
    if len(used) < 2:
        name = "month or year" if is_calendar_step(step) else describe_duration(step)
        raise UserError(
            f"{source}: {len(used)} steps of {name} within the periods are complete; a forecast needs two at least. "
            "Correct data.step or data.splits, or add files."
        )
    part = slice(int(used[0]), int(used[-1]) + 1)
    complete = complete[part]
    return LongerSteps(
        times[part],
        np.where(complete, first[part], -1).astype(np.int64),
        np.where(complete, stop[part], -1).astype(np.int64),
        np.where(complete, sampled[part], -1).astype(np.int64),
    )


def blocks_of_steps(
    first: Int64[np.ndarray, " time"], stop: Int64[np.ndarray, " time"]
) -> Iterator[list[int]]:
    """Yield consecutive times whose fields together are no more than there are times, or one time after the other."""
    block: list[int] = []
    for number in np.flatnonzero(first >= 0):
        if block and stop[number] - first[block[0]] > len(first):
            yield block
            block = []
        block.append(int(number))
    if block:
        yield block
