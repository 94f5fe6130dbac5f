"""Time axes of files: which coordinate says when the fields are valid, and what it says of their intervals."""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.times.calendars import decode, rounding, since

TIME_NAMES = (
    "time", "t", "valid_time", "time_counter", "date", "Time", "Times", "ocean_time", "XTIME", "xtime",
)  # fmt: skip
REFERENCE = "forecast_reference_time"
DAY = np.timedelta64(86400 * 10**9, "ns")
NOMINAL_DAY = np.timedelta64(23 * 3600 * 10**9, "ns")
"""Intervals that are longer than this are days, months or years, which have a name: a date."""

Stamp = Literal["start", "middle", "end"]

_REFERENCE_NAMES = (
    "reftime", "reference_time", REFERENCE, "init_time", "init", "initial_time", "initialization_time",
    "analysis_time", "basetime", "base_time",
)  # fmt: skip
_REFERENCE_WORDS = re.compile(
    r"\b(initial|reference|initiali[sz]ation|base) time|\bforecast reference|\btime of (the )?analysis",
    re.IGNORECASE,
)
_LEADS = ("step", "leadtime", "lead_time", "forecast_period", "lead", "forecast_hour", "fhour")
_ZERO = np.timedelta64(0, "ns")


@dataclass(frozen=True)
class FileTimes:
    """The times of fields, as their files say them.

    Attributes:
        name: Coordinate that says them.
        dimension: Their dimension; None where the file has a single time that is none.
        stamps: datetime64[ns] of each field, as the file says it.
        starts: Where the interval begins that each field stands for; None where nothing says it.
        ends: Where it ends.
        rounding: How far the numbers may be off, as they are written.
        is_reference: Whether they are the starts of forecasts, because there is nothing else.
    """

    name: str
    dimension: str | None
    stamps: np.ndarray
    starts: np.ndarray | None = None
    ends: np.ndarray | None = None
    rounding: np.timedelta64 = _ZERO
    is_reference: bool = False

    @property
    def position(self) -> Stamp | None:
        """Where in their intervals the stamps lie; None where nothing says it."""
        if self.starts is None or self.ends is None or not self.stamps.size:
            return None
        tolerance = max(self.rounding, np.timedelta64(10**9, "ns"))
        if np.all(np.abs(self.stamps - self.ends) <= tolerance):
            return "end"
        if np.all(np.abs(self.stamps - self.starts) <= tolerance):
            return "start"
        return "middle"

    @property
    def spans_days(self) -> bool:
        """Whether the intervals are days, months or years."""
        if self.starts is None or self.ends is None or not self.stamps.size:
            return False
        return bool(np.median((self.ends - self.starts).astype(np.int64)) > NOMINAL_DAY.astype(int))

    @property
    def lies_on_date(self) -> bool:
        """Whether stamps lie on the date that they stand for; at the end of a day, month or year they do not."""
        return not (self.spans_days and self.position == "end")

    @property
    def within(self) -> np.ndarray:
        """A time for each field that lies on the date it stands for.

        The stamp, or the middle of its interval where that is a day, month or year and the stamp lies at its end, as
        1 February for January does.
        """
        if self.lies_on_date:
            return self.stamps
        assert self.starts is not None
        assert self.ends is not None
        lengths = self.ends - self.starts
        usual = np.sort(lengths)[len(lengths) // 2]
        # The day before one that another calendar has not is as long as the others.
        return self.starts + (np.minimum(lengths, usual) if usual <= DAY else lengths) // 2


def find_time(dataset: xr.Dataset, dimensions: Iterable[Hashable] | None = None) -> str | None:
    """Return the name of the coordinate that says when fields are valid, or None.

    A coordinate along a dimension comes before a single time; the start of a forecast comes last; the dimension's own
    coordinate comes before one that goes along with it, unless that says that it is the valid time.

    Args:
        dataset: The file.
        dimensions: Look only for coordinates along one of these, or single ones if no coordinate of the file lies along
            a dimension.
    """
    ranked = []
    bounds = {text_of(variable, "bounds") for variable in dataset.variables.values()}
    for key, variable in dataset.variables.items():
        name = str(key)
        if variable.ndim > 1 or name in bounds:
            continue
        described = _is_described(variable)
        if not described and name not in TIME_NAMES:
            continue
        own = variable.dims == (name,)
        if not described and not own and variable.dtype.kind not in "SUO":
            continue
        valid = name == "valid_time" or text_of(variable, "standard_name") == "time"
        sure = own and (valid or text_of(variable, "axis") == "T")
        ranked.append(
            (
                variable.ndim == 0,
                is_reference(name, variable),
                not sure,
                not (valid and described),
                not own,
                not described,
                TIME_NAMES.index(name) if name in TIME_NAMES else 99,
                name,
                variable.dims,
            )
        )
    if dimensions is not None:
        wanted = set(dimensions)
        along = any(dims for *_, dims in ranked)
        ranked = [one for one in ranked if (wanted & set(one[-1]) if one[-1] else not along)]
    return min(ranked)[-2] if ranked else None


def is_reference(name: str, variable: xr.Variable) -> bool:
    """Return whether a coordinate is the time at which forecasts start, not the time at which fields are valid."""
    standard_name = text_of(variable, "standard_name")
    if standard_name in ("time", REFERENCE):
        return standard_name == REFERENCE
    if name.lower() in _REFERENCE_NAMES:
        return True
    return _REFERENCE_WORDS.search(text_of(variable, "long_name") or "") is not None


def is_lead(name: str, variable: xr.Variable) -> bool:
    """Return whether a coordinate counts from the start of a forecast."""
    return name.lower() in _LEADS or text_of(variable, "standard_name") == "forecast_period"


def bare_time(dataset: xr.Dataset, dimensions: Iterable[Hashable]) -> str | None:
    """Return the dimension that has the name of a time but no coordinate, or None."""
    names = {name.lower() for name in TIME_NAMES if len(name) > 1}
    for dimension in map(str, dimensions):
        if dimension.lower() in names and dimension not in dataset.variables:
            return dimension
    return None


def without_coordinate(what: str, dimension: str, size: int) -> UserError:
    """Return the refusal of fields whose dimension of time has no coordinate."""
    return UserError(
        f"{what} has the dimension '{dimension}' of {size} fields, but the file has no coordinate of that name, so "
        f"nobody can tell when they are. Give it one (xarray: ds.assign_coords({dimension}=xr.date_range(START, "
        f"periods={size}, freq='D')))."
    )


def no_times(what: str, dimension: str, coordinate: xr.Variable) -> UserError:
    """Return the refusal of fields along a dimension whose coordinate says no times."""
    values = np.ravel(coordinate.values[:: max(1, coordinate.size - 1)])
    units = text_of(coordinate, "units")
    count = coordinate.size
    return UserError(
        f"{what} has the dimension '{dimension}' of {count} fields, whose coordinate reaches from {values[0]} to "
        f"{values[-1]} with units {units!r}: expected times, 'UNIT since DATE'. Give it some (xarray: ds.assign_coords("
        f"{dimension}=xr.date_range(START, periods={count}, freq='MS'))); of fields without time, choose one "
        f"(ds.isel({dimension}=0)) and say `role: static`."
    )


def read_times(
    dataset: xr.Dataset,
    name: str,
    source: str,
    *,
    months: bool = False,
) -> FileTimes:
    """Read when the fields of a file are valid.

    Args:
        dataset: The file, with raw times.
        name: Its coordinate, see `find_time`.
        source: The file's name, for messages.
        months: Whether only year and month count.

    Raises:
        UserError: if the times cannot be told, see `decode`.
    """
    variable = dataset.variables[name]
    times = np.atleast_1d(decode(variable, name, source, months=months))
    reference = is_reference(name, variable)
    if reference:
        lead = _lead(dataset, variable)
        if lead is not None:
            times, reference = times + lead, False
    dimension = str(variable.dims[0]) if variable.dims else None
    starts, ends = _bounds(dataset, name, times, source, months=months) or (None, None)
    return FileTimes(name, dimension, times, starts, ends, rounding(variable), reference)


def joined(several: list[FileTimes], stamps: Stamp | None) -> FileTimes:
    """Return the times of several files as those of one.

    Args:
        several: Times of files in the order of time.
        stamps: Where in their intervals the stamps lie, whatever bounds there are; what the bounds say if None.
    """
    first = several[0]
    times = np.concatenate([one.stamps for one in several])
    starts = [one.starts for one in several if one.starts is not None]
    ends = [one.ends for one in several if one.ends is not None]
    if stamps is not None:
        begins, finishes = _assumed(times, stamps)
    elif len(starts) < len(several) or len(ends) < len(several):
        begins, finishes = None, None
    else:
        begins, finishes = np.concatenate(starts), np.concatenate(ends)
    off = max(one.rounding for one in several)
    reference = any(one.is_reference for one in several)
    return FileTimes(first.name, first.dimension, times, begins, finishes, off, reference)


def _assumed(times: np.ndarray, stamps: Stamp) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the intervals of stamps that lie at their start, middle or end, each from one to the next."""
    if first_moments(times, "M") and stamps != "middle":
        month = times.astype("datetime64[M]")
        before, after = (each.astype("datetime64[ns]") for each in (month - 1, month + 1))
        return (times, after) if stamps == "start" else (before, times)
    if len(times) < 2:
        return None, None
    step = np.sort(np.diff(times))[(len(times) - 1) // 2]
    shift = {"start": 0 * step, "middle": step // 2, "end": step}[stamps]
    return times - shift, times - shift + step


def first_moments(times: np.ndarray, unit: str) -> bool:
    """Return whether times are the first moments of three or more months (``M``) or years (``Y``), each another one."""
    numbers = times.astype(f"datetime64[{unit}]")
    return (
        len(times) > 2
        and bool((numbers.astype(times.dtype) == times).all())
        and bool((np.diff(numbers.astype(np.int64)) > 0).all())
    )


def _is_described(variable: xr.Variable) -> bool:
    """Whether attributes or type say that a coordinate is a time."""
    units = text_of(variable, "units") or ""
    return (
        text_of(variable, "axis") == "T"
        or since(units) is not None
        or "as %Y" in units
        or np.issubdtype(variable.dtype, np.datetime64)
    )


def _lead(dataset: xr.Dataset, reference: xr.Variable) -> np.ndarray | np.timedelta64 | None:
    """Return how long after the start of a forecast fields are valid, if the file says it for all or for each."""
    for key, variable in dataset.variables.items():
        along = variable.dims == reference.dims
        if not is_lead(str(key), variable) or not (along or variable.size == 1):
            continue
        values = variable.values if along else np.ravel(variable.values)[0]
        if np.issubdtype(values.dtype, np.timedelta64):
            return values.astype("timedelta64[ns]")
        unit = (text_of(variable, "units") or "").strip().lower().rstrip("s")
        seconds = {
            "hour": 3600.0,
            "h": 3600.0,
            "day": 86400.0,
            "d": 86400.0,
            "minute": 60.0,
            "second": 1.0,
        }
        if unit in seconds and values.dtype.kind in "iuf":
            return (
                np.rint(values * seconds[unit]).astype("timedelta64[s]").astype("timedelta64[ns]")
            )
    return None


def _bounds(
    dataset: xr.Dataset, name: str, times: np.ndarray, source: str, *, months: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where the intervals begin and end, if the file says it and the stamps lie in them."""
    variable = dataset.variables[name]
    called = text_of(variable, "bounds") or next(
        (
            f"{name}_{end}"
            for end in ("bnds", "bounds", "bound")
            if f"{name}_{end}" in dataset.variables
        ),
        None,
    )
    try:
        if called in dataset.variables:
            pairs = dataset.variables[called]
            if pairs.shape != (*variable.shape, 2):
                return None
            attributes = pairs if text_of(pairs, "units") else variable
            calendar = text_of(pairs, "calendar") or text_of(variable, "calendar")
            described = xr.Variable(
                (), 0, {"units": attributes.attrs.get("units"), "calendar": calendar}
            )
            both = decode(pairs, called or "", source, attributes=described, months=months)
            starts, ends = both.reshape(-1, 2).T
        elif {"average_T1", "average_T2"} <= set(dataset.variables):
            starts, ends = (
                np.atleast_1d(decode(dataset.variables[one], one, source, months=months))
                for one in ("average_T1", "average_T2")
            )
        else:
            return None
    except UserError:
        return None  # bounds that cannot be read say nothing
    tolerance = np.timedelta64(10**9, "ns") + rounding(variable)
    if starts.shape != times.shape or np.any(ends < starts) or not np.any(ends > starts):
        return None
    if np.any(times < starts - tolerance) or np.any(times > ends + tolerance):
        return None
    return starts, ends
