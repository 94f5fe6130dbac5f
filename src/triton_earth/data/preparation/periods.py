"""Splits by period: which time of a long record is for training, validation or test, and the gap between them."""

import itertools
from typing import Annotated, Any

import numpy as np
import pydantic
from jaxtyping import Bool

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_time

SPLITS = ("train", "valid", "test")


def _periods(value: Any) -> Any:
    """Take one [start, end] or several; YAML reads bare dates as dates and bare years as numbers."""
    if not isinstance(value, list | tuple) or not value:
        return value
    several = value if isinstance(value[0], list | tuple) else [value]
    return [
        [str(end) for end in period] if isinstance(period, list | tuple) else period
        for period in several
    ]


Periods = Annotated[
    tuple[tuple[str, str], ...],
    pydantic.BeforeValidator(_periods),
    pydantic.Field(min_length=1),
]


class PeriodSplits(StrictConfig):
    """The periods of each split, as [start, end] or a list of such pairs.

    Both ends belong to the period; an end may be a year, month, day or moment: ``2017`` ends with its last moment.

    Attributes:
        train: For training, and for the statistics of the normaliser.
        valid: For choosing the checkpoint.
        test: For evaluation only.
    """

    train: Periods
    valid: Periods
    test: Periods

    @pydantic.model_validator(mode="after")
    def _starts_before_ends(self) -> "PeriodSplits":
        for name in SPLITS:
            for start, end in getattr(self, name):
                if first_moment(start) > last_moment(end):
                    raise UserError(f"period {name} ends at {end} before it starts at {start}.")
        return self

    @property
    def bounds(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last moment of all periods together."""
        periods = [period for name in SPLITS for period in getattr(self, name)]
        return (
            min(first_moment(start) for start, _ in periods),
            max(last_moment(end) for _, end in periods),
        )


def first_moment(text: str) -> np.datetime64:
    """Return the first nanosecond of a year, month, day or moment.

    Raises:
        UserError: if the text is none of these, or lies outside what nanoseconds can count (1678 to 2262).
    """
    return _moment(text).astype("datetime64[ns]")


def last_moment(text: str) -> np.datetime64:
    """Return the last nanosecond of a year, month, day or moment."""
    moment = _moment(text)
    if moment.dtype in ("datetime64[Y]", "datetime64[M]", "datetime64[D]"):
        return (moment + 1).astype("datetime64[ns]") - np.timedelta64(1, "ns")
    return moment.astype("datetime64[ns]")


def split_of_times(
    times: np.ndarray,
    splits: PeriodSplits,
    gap: int,
    source: str,
    *,
    recorded: Bool[np.ndarray, " time"] | None = None,
    breaks: bool = False,
    lead_in: np.timedelta64 | None = None,
) -> np.ndarray:
    """Return the split of each time, "" for times of none and times without a state.

    Args:
        times: datetime64, ascending in equal steps.
        splits: The periods.
        gap: Fewest unused times between two splits.
        source: Where the times come from, for messages.
        recorded: Where there is a state; everywhere if not given.
        breaks: Whether a period may lack some of its times; windows do not cross them.
        lead_in: How long before the first time begins what it stands for.

    Returns:
        Array of str, [time].

    Raises:
        UserError: if two periods overlap, are closer to each other than `gap`, hold no time, lack one, or reach beyond
            the times.
    """
    there = np.ones(len(times), dtype=bool) if recorded is None else recorded
    split = np.full(len(times), "", dtype=object)
    step = times[1] - times[0]
    begins = times[0] if lead_in is None else times[0] - lead_in
    for name in SPLITS:
        for start, end in getattr(splits, name):
            first, last = first_moment(start), last_moment(end)
            inside = (times >= first) & (times <= last)
            if not (inside & there).any():
                raise UserError(
                    f"{source}: no time lies in the {name} period {start} to {end}; times are "
                    f"{describe_time(times[0])} to {describe_time(times[-1])}. Correct data.splits.{name}."
                )
            if begins - first >= step or last - times[-1] >= step + np.timedelta64(1, "D"):
                raise UserError(
                    f"{source}: the {name} period {start} to {end} reaches beyond the times there are, "
                    f"{describe_time(times[0])} to {describe_time(times[-1])}. Shorten data.splits.{name}, "
                    "or add files."
                )
            taken = sorted(set(split[inside]) - {""})
            if taken:
                raise UserError(
                    f"data.splits: the {name} period {start} to {end} overlaps {taken[0]}; a model would be judged on "
                    "what it was trained on. Take the periods apart."
                )
            if not breaks:
                _require_recorded(times[inside & ~there], f"{name} period {start} to {end}", source)
            split[inside & there] = name
    _require_gap(times, split, gap)
    return split


def _require_recorded(missing: np.ndarray, period: str, source: str) -> None:
    if not missing.size:
        return
    days = missing.astype("datetime64[D]").astype(str)
    why = " (29 February, which the calendar of the files may not have)"
    raise UserError(
        f"{source}: {missing.size} times of the {period} are missing, the first {describe_time(missing[0])}"
        f"{why if all(day.endswith('-02-29') for day in days) else ''}. Fill them, choose periods without them, or say "
        "data.gaps=split: windows then do not cross them."
    )


def gaps_between_splits(split: np.ndarray) -> list[tuple[int, int]]:
    """Return (last index of one split, first index of the next, different, one) along a trajectory.

    Args:
        split: Split of each time, "" for none.
    """
    used = np.flatnonzero(split != "")
    return [
        (int(before), int(after))
        for before, after in itertools.pairwise(used)
        if split[before] != split[after]
    ]


def _require_gap(times: np.ndarray, split: np.ndarray, gap: int) -> None:
    for before, after in gaps_between_splits(split):
        unused = after - before - 1
        if unused < gap:
            earliest = times[before] + (gap + 1) * (times[1] - times[0])
            raise UserError(
                f"data.splits: between {split[before]} (until {describe_time(times[before])}) and {split[after]} (from "
                f"{describe_time(times[after])}) are {unused} unused times; a gap of {gap}, one window of the model, "
                f"keeps {split[after]} unseen. Start it at {describe_time(earliest)} or later."
            )


def _moment(text: str) -> np.datetime64:
    try:
        moment = np.datetime64(text)
        if np.isnat(moment):
            raise ValueError("not a time")
        year = int(moment.astype("datetime64[Y]").astype(int)) + 1970
    except ValueError as error:
        raise UserError(
            f"'{text}' is no time; write a year, month or day, for example 2017, 2017-06 or 2017-06-30."
        ) from error
    if not 1678 <= year <= 2261:
        raise UserError(f"'{text}' lies outside 1678 to 2261, the years that can be counted.")
    return moment
