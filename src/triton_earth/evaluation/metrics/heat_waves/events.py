"""Marine heat waves as Hobday et al. (2016, 2018) define them, in every cell of a map at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_time

Series = Float[np.ndarray, "time *cell"]
Events = Int[np.ndarray, "time *cell"]

CATEGORIES = ("none", "moderate", "strong", "severe", "extreme")
"""Names of the categories 0 … 4 (Hobday et al. 2018)."""

MIN_DURATION, MAX_GAP = 5, 2
"""Fewest days of an event; most days between two that are one (Hobday et al. 2016)."""

REACH = MIN_DURATION - 1 + MAX_GAP
"""Days before and after a day that say whether it is in an event: none further away matters."""

TOGETHER = 8
"""Days that are decided together, so that few are looked at twice."""

_DAY = np.timedelta64(1, "D")
_DAYS = 366
_LEAP_DAY = 60


@dataclass(frozen=True)
class HeatWaveClimate:
    """What temperatures are normal on each day of the year, and above which they are extreme.

    Attributes:
        seasonal: Climatological mean of each day of the year, 29 February being the 60th of 366, in units of the
            temperature.
        threshold: Percentile of each day.
    """

    seasonal: Float64[np.ndarray, "366 *cell"]
    threshold: Float64[np.ndarray, "366 *cell"]

    def at(
        self, times: np.ndarray
    ) -> tuple[Float64[np.ndarray, "time *cell"], Float64[np.ndarray, "time *cell"]]:
        """Return climatology and threshold at some times, datetime64 [time]."""
        days = day_of_year(times) - 1
        return self.seasonal[days], self.threshold[days]


def day_of_year(times: np.ndarray) -> Int[np.ndarray, " time"]:
    """Return the day of a leap year, 1 … 366: 1 March is always the 61st, only leap years have a 60th.

    Args:
        times: Times, datetime64 [time].
    """
    year = times.astype("datetime64[Y]")
    day = (times.astype("datetime64[D]") - year.astype("datetime64[D]")) // _DAY + 1
    length = ((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")) // _DAY
    return np.where((length == 365) & (day >= _LEAP_DAY), day + 1, day).astype(np.int64)


def heat_wave_climate(
    temperature: Series,
    times: np.ndarray,
    percentile: float = 90.0,
    half_width: int = 5,
    smoothing: int = 31,
) -> HeatWaveClimate:
    """Return climatology and threshold from a baseline period.

    Of each day of the year the values within `half_width` days of it in all years are taken together; their mean and
    percentile (linear between order statistics) are then smoothed by a circular running mean over `smoothing` days.
    29 February takes the mean of its neighbours (Hobday et al. 2016, Prog. Oceanogr. 141, 227, table 2 and section 2).

    Args:
        temperature: Daily temperatures of the baseline period, 30 years at best [time, ...]; NaN takes no part, a cell
            that is NaN throughout stays NaN.
        times: Their days, consecutive, datetime64 [time].
        percentile: Percentile of the threshold; below 50 for cold spells.
        half_width: Days before and after each day of the year.
        smoothing: Odd number of days of the running mean; 1 for none.

    Raises:
        UserError: if the times are not daily and consecutive, or cover less than a year.
    """
    if len(times) < 365 or not np.all(np.diff(times.astype("datetime64[D]")) == _DAY):
        raise UserError(
            f"heat waves need a baseline of consecutive days over a year at least; found {len(times)} times from "
            f"{describe_time(times[0])} to {describe_time(times[-1])}. Give daily data, 30 years at best."
        )
    flat = temperature.reshape(len(times), -1).astype(np.float64)
    known = ~np.isnan(flat).all(axis=0)
    days = day_of_year(times)
    seasonal = np.full((_DAYS, flat.shape[1]), np.nan)
    threshold = np.full_like(seasonal, np.nan)
    offsets = np.arange(-half_width, half_width + 1)
    for day in range(1, _DAYS + 1):
        if day == _LEAP_DAY:
            continue
        near = (np.flatnonzero(days == day)[:, None] + offsets).ravel()
        pool = flat[near[(near >= 0) & (near < len(flat))]][:, known]
        seasonal[day - 1, known] = np.nanmean(pool, axis=0)
        threshold[day - 1, known] = _percentile(pool, percentile)
    shape = (_DAYS, *temperature.shape[1:])
    return HeatWaveClimate(
        *(_smoothed(values, smoothing).reshape(shape) for values in (seasonal, threshold))
    )


def detect_events(
    exceeds: Bool[np.ndarray, "time *cell"],
    min_duration: int = MIN_DURATION,
    max_gap: int = MAX_GAP,
) -> Events:
    """Return which event each day belongs to, 0 for none, numbered from 1 in each cell.

    Runs of at least `min_duration` days are events; those with at most `max_gap` days between them are one, the days
    between included (Hobday et al. 2016, section 2).

    Args:
        exceeds: Whether each day is beyond the threshold [time, ...].
        min_duration: Fewest days of a run.
        max_gap: Most days between runs that are joined.
    """
    inside = event_days(exceeds, min_duration, max_gap)
    starts = inside & ~np.concatenate([np.zeros_like(inside[:1]), inside[:-1]])
    return np.where(inside, np.cumsum(starts, axis=0), 0)


def event_days(
    exceeds: Bool[np.ndarray, "time *cell"],
    min_duration: int = MIN_DURATION,
    max_gap: int = MAX_GAP,
) -> Bool[np.ndarray, "time *cell"]:
    """Return which days belong to an event; as `detect_events`, without their numbers."""
    edge = max_gap + 1
    # A gap is a run of days outside. Before the first day and after the last one it goes on: no event is there.
    outside = np.ones((len(exceeds) + 2 * edge, *exceeds.shape[1:]), bool)
    outside[edge:-edge] = ~_kept_runs(exceeds, min_duration)
    return np.asarray(~_kept_runs(outside, edge)[edge:-edge])


class GrowingEvents:
    """Says of each day whether it is in an event, as soon as no later day can change that.

    As `event_days` of the whole series says it, whatever comes after its end: the last `REACH` days of a series are
    never decided. At most 2 · `REACH` + `TOGETHER` days are in memory.
    """

    def __init__(self, past: Bool[np.ndarray, "day *cell"]) -> None:
        """Begin after some days; of these the last `REACH` matter."""
        self._decided = past[-REACH:]
        self._open: list[np.ndarray] = []

    def put(
        self, exceeds: Bool[np.ndarray, "*cell"], *, last: bool = False
    ) -> Bool[np.ndarray, "day *cell"]:
        """Go on by a day.

        Args:
            exceeds: Whether it is beyond the threshold.
            last: Whether the series ends with it.

        Returns:
            Whether each of the next days that are decided now is in an event; often none.
        """
        self._open.append(exceeds)
        count = max(0, len(self._open) - REACH)
        if count < (1 if last else TOGETHER):
            return np.empty((0, *exceeds.shape), bool)
        days = np.concatenate([self._decided, np.stack(self._open)])
        before = len(self._decided)
        inside = event_days(days)[before : before + count]
        self._decided = days[: before + count][-REACH:]
        del self._open[:count]
        return inside


def categories(
    temperature: Series, seasonal: Series, threshold: Series
) -> Int[np.ndarray, "time *cell"]:
    """Return the category of each day, 0 below the threshold, 1 moderate … 4 extreme.

        category = ⌊(T − T_seas) / (T_thresh − T_seas)⌋, at most 4

    (Hobday et al. 2018, Oceanography 31, 162, Fig. 1.)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        multiple = np.floor((temperature - seasonal) / (threshold - seasonal))
    return np.clip(np.where(np.isnan(multiple), 0.0, multiple), 0, 4).astype(np.int64)


@dataclass(frozen=True)
class HeatWave:
    """One event in one cell.

    Attributes:
        start: First day.
        peak: Day of the largest intensity.
        end: Last day.
        duration: Days, first and last included.
        intensity_max: Largest T − T_seas, in units of the temperature.
        intensity_mean: Mean of T − T_seas over the event.
        intensity_cumulative: Sum of T − T_seas over its days.
        category: Largest category of its days, 1 … 4, by its place in `CATEGORIES`.
    """

    start: np.datetime64
    peak: np.datetime64
    end: np.datetime64
    duration: int
    intensity_max: float
    intensity_mean: float
    intensity_cumulative: float
    category: int


def heat_waves(
    temperature: Float[np.ndarray, " time"], times: np.ndarray, climate: HeatWaveClimate
) -> list[HeatWave]:
    """Return the marine heat waves of one series, in order of time.

    Args:
        temperature: Daily temperatures [time].
        times: Their days, datetime64 [time].
        climate: Climatology and threshold of that one cell, [366].
    """
    seasonal, threshold = climate.at(times)
    events = detect_events(temperature > threshold)
    anomaly = temperature.astype(np.float64) - seasonal
    levels = categories(temperature, seasonal, threshold)
    days = times.astype("datetime64[D]")
    found = []
    for number in range(1, int(events.max(initial=0)) + 1):
        inside = np.flatnonzero(events == number)
        peak = inside[int(np.argmax(anomaly[inside]))]
        found.append(
            HeatWave(
                start=days[inside[0]],
                peak=days[peak],
                end=days[inside[-1]],
                duration=len(inside),
                intensity_max=float(anomaly[peak]),
                intensity_mean=float(anomaly[inside].mean()),
                intensity_cumulative=float(anomaly[inside].sum()),
                category=int(levels[inside].max()),
            )
        )
    return found


def _percentile(pool: Float64[np.ndarray, "day cell"], percentile: float) -> np.ndarray:
    """Return the percentile of the values that are not NaN; cells without NaN are done at once, as it is faster."""
    found = np.empty(pool.shape[1])
    whole = ~np.isnan(pool).any(axis=0)
    found[whole] = np.percentile(pool[:, whole], percentile, axis=0)
    found[~whole] = np.nanpercentile(pool[:, ~whole], percentile, axis=0)
    return found


def _kept_runs(
    true: Bool[np.ndarray, "time *cell"], shortest: int
) -> Bool[np.ndarray, "time *cell"]:
    """Return the days of runs of at least `shortest` true days."""
    kept = np.zeros_like(true)
    count = len(true) - shortest + 1
    if count < 1:
        return kept
    begins = true[:count].copy()
    for day in range(1, shortest):
        begins &= true[day : day + count]
    for day in range(shortest):
        kept[day : day + count] |= begins
    return kept


def _smoothed(values: Float64[np.ndarray, "366 cell"], width: int) -> np.ndarray:
    """Fill 29 February and return the circular running mean."""
    leap = _LEAP_DAY - 1
    values[leap] = 0.5 * (values[leap - 1] + values[leap + 1])
    half = width // 2
    total = sum(np.roll(values, shift, axis=0) for shift in range(-half, half + 1))
    return np.asarray(total) / (2 * half + 1)
