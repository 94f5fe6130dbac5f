"""Calendars: the numbers, dates and words of time coordinates as moments of our calendar."""

import re
import warnings

import cftime
import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.errors import first_line

OURS = ("standard", "gregorian", "proleptic_gregorian", "utc", "tai")
OTHERS = {
    "noleap": "noleap",
    "365_day": "noleap",
    "365_days": "noleap",
    "no_leap": "noleap",
    "all_leap": "all_leap",
    "366_day": "all_leap",
    "366_days": "all_leap",
    "360_day": "360_day",
    "360_days": "360_day",
    "thirty_day_months": "360_day",
    "julian": "julian",
}
"""Other calendars by their spellings; a date of theirs is the date of ours of the same name, where ours has it."""
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Years that nanoseconds can count."""

_SECONDS = {
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
}
"""Units of time that are equally long always, in seconds."""
_MONTHS = {
    **dict.fromkeys(("mon", "mons", "month", "months"), 1),
    **dict.fromkeys(("yr", "yrs", "year", "years"), 12),
}
"""Units of time that are counted along the calendar, in months."""
_NUMBERED = re.compile(
    r"as %Y(?P<month>%m)?(?P<day>%d)?(?P<hour>%H)?|^\s*YYYY(?P<mm>MM)?(?P<dd>DD)?(?P<hh>HH)?(?![A-Z])",
    re.IGNORECASE,
)
"""Dates as numbers: the words of CDO, ``day as %Y%m%d.%f``, or what others write, ``YYYYMMDD``."""


def decode(
    variable: xr.Variable,
    name: str,
    source: str,
    *,
    attributes: xr.Variable | None = None,
    months: bool = False,
) -> np.ndarray:
    """Return the moments that a coordinate of time holds.

    Args:
        variable: The coordinate, with raw values.
        name: What messages call it.
        source: The file's name, for messages.
        attributes: What has its units and calendar, where that is another variable, as for bounds.
        months: Whether year and month are all that counts, so that 30 February may be 28 February.

    Returns:
        datetime64[ns], in the shape of the coordinate. Dates of another calendar are the dates of the same name.

    Raises:
        UserError: if the times have no units, hold dates that our calendar has not, lie outside 1678 to 2261, or are
            missing in part.
    """
    described = variable if attributes is None else attributes
    if np.issubdtype(variable.dtype, np.datetime64):
        return _complete(np.asarray(variable.values).astype("datetime64[ns]"), name, source)
    if variable.dtype.kind in "SUO":
        return _complete(_words(variable.values, name, source), name, source)
    values = variable.values
    if values.dtype.kind not in "iuf" or not np.isfinite(values.astype(np.float64)).all():
        raise UserError(
            f"{source}: time '{name}' holds values that are no numbers. Repair the file."
        )
    units = text_of(described, "units")
    if units is not None and (numbered := _NUMBERED.search(units)):
        return _numbered(values, numbered, name, source)
    counted = None if units is None else since(units)
    if counted is None:
        raise UserError(
            f"{source}: time '{name}' has units {units!r} and not 'UNIT since DATE', so nobody can tell what day it "
            "is. Say them (NCO: ncatted -a units,"
            f"{name},o,c,'days since 1900-01-01' FILE; for dates such as 20000131 'day as %Y%m%d.%f', for years "
            "'year as %Y.%f')."
        )
    calendar = _calendar(described, name, source)
    unit, start = counted
    try:
        if unit.lower() in _MONTHS:
            times = _calendar_months(values, unit, start, calendar, name, source)
        elif unit.lower() not in _SECONDS:
            raise UserError(
                f"{source}: time '{name}' is counted in '{unit}', which is no known unit of time. Count it in days "
                "(xarray: ds.assign_coords(time=xr.date_range(START, periods=N, freq='D')))."
            )
        elif (
            calendar in ("standard", "proleptic_gregorian")
            and _year(start) >= FIRST_YEAR
            and not unit.lower().startswith("w")
        ):
            coder = xr.coders.CFDatetimeCoder(use_cftime=False, time_unit="ns")
            coded = variable.copy(deep=False)
            coded.attrs = {
                **variable.attrs,
                "units": f"{unit.lower()} since {start}",
                "calendar": calendar,
            }
            times = np.asarray(coder.decode(coded, name).values).astype("datetime64[ns]")
        else:
            times = _labels(values, unit, start, calendar, name, source, months=months)
    except UserError:
        raise
    except (ValueError, OverflowError, TypeError) as error:
        raise _uncounted(values, units or "", start, calendar, name, source, error) from error
    return _complete(times, name, source)


def since(units: str) -> tuple[str, str] | None:
    """Return the unit and the date of ``UNIT since DATE``, in any case; None of other texts."""
    found = re.fullmatch(r"\s*(\S+)\s+since\s+(.*\S)\s*", units, re.IGNORECASE)
    return None if found is None else (found[1], found[2])


def _uncounted(
    values: np.ndarray,
    units: str,
    start: str,
    calendar: str,
    name: str,
    source: str,
    error: Exception,
) -> UserError:
    """Return the refusal of times that cannot be counted: their date, or they themselves, are none."""
    what = f"{source}: time '{name}' has units '{units}'"
    if re.match(r"[+-]?\d+(-\d|$|\s|T)", start) is None or re.match(r"\d\d?-\d\d?-\d{4}", start):
        return UserError(
            f"{what}, but '{start}' is no date such as 1900-01-01. Correct the attribute (NCO: ncatted)."
        )
    try:
        cftime.num2date(0, f"days since {start}", calendar, only_use_cftime_datetimes=True)
    except ValueError as wrong:
        return UserError(
            f"{what}, but the calendar '{calendar}' has no date '{start}' ({first_line(wrong)}), and programs count "
            "differently from there. Correct the attribute to a date that it has (NCO: ncatted; `cdo "
            "setreftime,1900-01-01,00:00:00 IN OUT`, if the times that `cdo showdate IN` says are the right ones)."
        )
    if np.all(np.char.isdigit(dates := np.char.mod("%.0f", values))) and not np.any(
        np.isnat(_dates_in(dates))
    ):
        return UserError(
            f"{what}, but its numbers look like dates: {dates.flat[0]}. Say so: 'day as %Y%m%d.%f' (NCO: ncatted -a "
            f"units,{name},o,c,'day as %Y%m%d.%f' FILE)."
        )
    return UserError(
        f"{source}: time '{name}' with units '{units}' holds times that cannot be counted in nanoseconds, which "
        f"reach from {FIRST_YEAR} to {LAST_YEAR + 1} ({first_line(error)}). Correct the attribute, or leave out "
        "the years beyond."
    )


def _dates_in(texts: np.ndarray) -> np.ndarray:
    """Return the dates that texts such as ``20000131`` write out, NaT where they write none."""
    if not np.all(np.char.str_len(texts) == 8):
        return np.array([np.datetime64("NaT", "ns")])
    whole = texts.astype(np.int64)
    return _date(whole // 10000, whole // 100 % 100, whole % 100, np.zeros_like(whole))


def rounding(variable: xr.Variable) -> np.timedelta64:
    """Return how far a coordinate of time may be off: half the last place that its numbers have.

    Times that are counted in days with five decimals are off by up to 0.43 s, those in single precision by half the
    distance of two such numbers.
    """
    values = variable.values
    unit, _ = since(text_of(variable, "units") or "") or ("", "")
    unit = unit.lower()
    if values.dtype.kind != "f" or unit not in _SECONDS or not values.size:
        return np.timedelta64(0, "ns")
    if not np.isfinite(values).all():
        return np.timedelta64(0, "ns")
    spacing = 0.0
    if values.dtype.itemsize < 8 and np.any(values != np.rint(values)):
        spacing = float(np.spacing(np.abs(values).max()))
    exact = values.astype(np.float64)
    for decimals in range(1, 7):
        scaled = exact * 10**decimals
        if np.abs(scaled - np.rint(scaled)).max() <= 1e-9 * np.abs(scaled).max() + 1e-6:
            if np.any(exact != np.rint(exact)):
                spacing = max(spacing, 10.0**-decimals)
            break
    return np.timedelta64(int(0.5 * spacing * _SECONDS[unit] * 1e9), "ns")


def _calendar(variable: xr.Variable, name: str, source: str) -> str:
    """Return ``standard`` or cftime's name of another calendar."""
    stated = text_of(variable, "calendar") or "standard"
    spelled = re.sub(r"[\s-]+", "_", stated.strip().lower())
    if spelled in OURS:
        return "proleptic_gregorian" if spelled == "proleptic_gregorian" else "standard"
    if spelled not in OTHERS:
        known = ", ".join([*OURS[:3], *dict.fromkeys(OTHERS.values())])
        raise UserError(
            f"{source}: time '{name}' is in the calendar '{stated}'; known are {known}. Correct the attribute (NCO: "
            "ncatted)."
        )
    return OTHERS[spelled]


def _year(start: str) -> int:
    """Return the year of a date such as ``1-1-1 00:00`` or ``1900-01-01``; 0 where nobody can tell."""
    found = re.match(r"\+?(\d+)-", start)
    return int(found[1]) if found else 0


def _labels(
    values: np.ndarray,
    unit: str,
    start: str,
    calendar: str,
    name: str,
    source: str,
    *,
    months: bool,
) -> np.ndarray:
    """Return the moments of ours that have the same date and hour as those of another calendar, or of another era."""
    exact = values.astype(np.float64) if values.dtype.kind == "f" else values
    if unit.lower().startswith("w"):
        exact, unit = 7 * exact, "days"
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", cftime.CFWarning
        )  # of years before 0, where only dates count from
        moments = np.ravel(
            cftime.num2date(
                exact, f"{unit} since {start}", calendar, only_use_cftime_datetimes=True
            )
        )
    if moments.size and not (
        min(moment.year for moment in moments) >= FIRST_YEAR
        and max(moment.year for moment in moments) <= LAST_YEAR
    ):
        raise ValueError("out of bounds")
    first = np.array(
        [f"{moment.year:04d}-{moment.month:02d}" for moment in moments], dtype="datetime64[M]"
    )
    days = np.array([moment.day for moment in moments])
    last = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int)
    foreign = np.flatnonzero(days > last)
    if calendar == "360_day" and not foreign.size and values.ndim == 1:
        # Where a month of theirs has another length than ours, elapsed days are not the same.
        elapsed = np.array([(one - moments[0]).total_seconds() for one in moments])
        ours = (
            first.astype("datetime64[D]") + days - first[:1].astype("datetime64[D]") - days[:1]
        ).astype(int)
        foreign = np.flatnonzero(np.abs(elapsed / 86400 - ours) >= 1)
    if foreign.size and not months:
        raise UserError(
            f"{source}: time '{name}' is in the calendar '{calendar}', which has other days than ours from "
            f"{moments[foreign[0]].isoformat()[:10]} on. Interpolate to ours first (xarray: ds.interp_calendar("
            "xr.date_range(START, END, freq='D'))), after opening the file with its times decoded; for monthly or "
            "yearly fields say data.step=month or year."
        )
    within = [
        ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 10**6 + moment.microsecond
        for moment in moments
    ]
    whole = first.astype("datetime64[D]") + (np.minimum(days, last) - 1)
    microseconds = np.array(within, dtype="timedelta64[us]")
    return (
        (whole.astype("datetime64[us]") + microseconds)
        .astype("datetime64[ns]")
        .reshape(values.shape)
    )


def _calendar_months(
    values: np.ndarray, unit: str, start: str, calendar: str, name: str, source: str
) -> np.ndarray:
    """Return moments that are whole or half calendar months, or years, after a date."""
    count = values.astype(np.float64) * _MONTHS[unit.lower()]
    if np.any(2 * count != np.rint(2 * count)):
        raise UserError(
            f"{source}: time '{name}' is counted in '{unit}', which are of different lengths, and holds "
            f"{values[np.flatnonzero(2 * count != np.rint(2 * count))[0]]:g}, which is no whole or half one. Count it "
            "in days (xarray: ds.assign_coords(time=xr.date_range(START, periods=N, freq='MS')))."
        )
    zero = cftime.num2date(0, f"days since {start}", calendar, only_use_cftime_datetimes=True)
    if not FIRST_YEAR <= zero.year + count.min() / 12 <= zero.year + count.max() / 12 <= LAST_YEAR:
        raise ValueError("out of bounds")
    months = (zero.year - 1970) * 12 + zero.month - 1 + np.floor(count)
    first = months.astype(np.int64).astype("datetime64[M]")
    length = (first + 1).astype("datetime64[s]") - first.astype("datetime64[s]")
    into = ((zero.day - 1) * 24 + zero.hour) * 3600 + zero.minute * 60 + zero.second
    offset = np.rint(into + (count - np.floor(count)) * length.astype(np.int64))
    return (first.astype("datetime64[s]") + offset.astype("timedelta64[s]")).astype(
        "datetime64[ns]"
    )


def _numbered(values: np.ndarray, form: re.Match[str], name: str, source: str) -> np.ndarray:
    """Return the moments that numbers such as 20000131.25 write out; a fraction is that of the smallest unit."""
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        raise UserError(
            f"{source}: time '{name}' holds dates as numbers in single precision, which cannot tell 20000101 from "
            "20000102. Write them in double precision, or in days since a date (`cdo -r copy IN OUT`)."
        )
    exact = values.astype(np.float64)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    fraction = np.maximum(exact - whole, 0.0)
    hour = np.zeros_like(whole)
    day = np.ones_like(whole)
    month = np.ones_like(whole)
    has_hour, has_day, has_month = (
        form[long] or form[short]
        for long, short in (("hour", "hh"), ("day", "dd"), ("month", "mm"))
    )
    if has_hour:
        whole, hour = np.divmod(whole, 100)
    if has_day:
        whole, day = np.divmod(whole, 100)
    if has_month:
        whole, month = np.divmod(whole, 100)
    start = _date(whole, month, day, hour)
    wrong = np.flatnonzero(np.ravel(np.isnat(start)))
    if wrong.size:
        raise UserError(
            f"{source}: time '{name}' is '{form.string}', but {np.ravel(exact)[wrong[0]]:.10g} is no such date within "
            f"{FIRST_YEAR} to {LAST_YEAR}. Correct it, or write times in days since a date (`cdo -r copy IN OUT`)."
        )
    if has_day:
        length: np.ndarray = np.full(exact.shape, 3600.0 if has_hour else 86400.0)
    else:
        unit = "M" if has_month else "Y"
        period = start.astype(f"datetime64[{unit}]")
        length = ((period + 1).astype("datetime64[s]") - period.astype("datetime64[s]")).astype(
            float
        )
    return start + np.rint(fraction * length).astype("timedelta64[s]")


def _date(year: np.ndarray, month: np.ndarray, day: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """Return datetime64[ns], NaT where there is no such date or it cannot be counted."""
    sound = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(sound, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    date = months.astype("datetime64[D]") + (day - 1) * sound
    sound &= (date.astype("datetime64[M]") == months) & (hour >= 0) & (hour < 24)
    moments = date.astype("datetime64[ns]") + (hour * sound).astype("timedelta64[h]")
    return np.where(sound, moments, np.datetime64("NaT", "ns"))


def _words(values: np.ndarray, name: str, source: str) -> np.ndarray:
    """Return the moments that texts such as ``2005-08-28_00:00:00`` write out."""
    texts = [
        (one.decode("ascii", "replace") if isinstance(one, bytes) else str(one)).strip()
        for one in np.ravel(values)
    ]
    try:
        moments = np.array(
            [np.datetime64(re.sub(r"[_ ]+", "T", text.rstrip("Z"), count=1)) for text in texts],
            dtype="datetime64[us]",
        )
    except ValueError as error:
        raise UserError(
            f"{source}: time '{name}' holds texts such as '{texts[0]}', which are no dates. Write times in days "
            "since a date (xarray: ds.assign_coords(time=...))."
        ) from error
    years = moments.astype("datetime64[Y]").astype(int) + 1970
    if moments.size and not FIRST_YEAR <= years.min() <= years.max() <= LAST_YEAR:
        raise UserError(
            f"{source}: time '{name}' reaches from {years.min()} to {years.max()}; only {FIRST_YEAR} to {LAST_YEAR} "
            "can be counted in nanoseconds. Leave out the years beyond."
        )
    return moments.astype("datetime64[ns]").reshape(values.shape)


def _complete(times: Float64[np.ndarray, "..."] | np.ndarray, name: str, source: str) -> np.ndarray:
    missing = np.flatnonzero(np.isnat(times))
    if missing.size:
        raise UserError(
            f"{source}: time '{name}' has no value at {missing.size} of {times.size} places, the first at index "
            f"{missing[0]}. Repair the file, or leave those fields out."
        )
    return times
