"""Lead times on axes and in words: calendar ones in days or hours, model ones in the units they carry."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.time import MEAN_MONTH, MEAN_YEAR
from triton_earth.core.wording import pretty_units, shortened

_CALENDAR_UNITS = (("days", "D", 2), ("hours", "h", 2), ("minutes", "m", 2), ("seconds", "s", 0))
_MODEL_UNITS = {"d": "days"}
_SECONDS = {"D": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_NAMED = ("years", "months", "days", "hours", "minutes", "seconds")
_RHYTHMS = {
    ("years", 1.0): "yearly",
    ("months", 1.0): "monthly",
    ("days", 1.0): "daily",
    ("days", 0.5): "12-hourly",
    ("days", 0.25): "6-hourly",
    ("hours", 12.0): "12-hourly",
    ("hours", 6.0): "6-hourly",
    ("hours", 1.0): "hourly",
}


@dataclass(frozen=True)
class LeadTimes:
    """Lead times as plain numbers with their units.

    Attributes:
        values: Lead times in `units`.
        units: Printed units, for example ``days`` or ``time units``.
        steps: Forecast steps: 0 is the initial state, 1 the first lead after it.
    """

    values: Float64[np.ndarray, " lead_time"]
    units: str
    steps: tuple[int, ...]

    @property
    def axis_title(self) -> str:
        """Title of an axis of lead time."""
        return f"Lead time ({self.units})"

    def at(self, index: int) -> str:
        """Return one lead time with its units, for example ``1.38 time units``."""
        return self.words(float(self.values[index]))

    def words(self, value: float) -> str:
        """Return a value in these units with its units."""
        singular = self.units in ("days", "months", "years", "time units") and value == 1
        return f"{value:.4g} {self.units[:-1] if singular else self.units}"

    def title(self, index: int) -> str:
        """Return which lead it is, ``day 25`` of a calendar, ``step 25 · 1.38 time units`` of model time."""
        if self.units in _NAMED:
            return f"{self.units[:-1]} {self.values[index]:.4g}"
        return f"step {self.steps[index]} · {self.at(index)}"

    def brief(self, index: int) -> str:
        """Return which lead it is in two words, ``day 25`` or ``step 25``."""
        return self.title(index).partition(" · ")[0]

    def of_step(self, step: float) -> str:
        """Return which lead a step is, stored or not, as `title` does: ``day 25`` or ``step 25 · 1.38 time units``."""
        if self.units in _NAMED:
            return f"{self.units[:-1]} {self.length(step)}"
        whole = round(step)
        return self.title(self.steps.index(whole)) if whole in self.steps else f"step {step:g}"

    def length(self, step: float) -> str:
        """Return a step as a number of `units`, of model time as it is."""
        last = self.steps[-1]
        scale = float(self.values[-1]) / last if self.units in _NAMED and last else 1.0
        return f"{step * scale:.4g}"

    @property
    def summary(self) -> str:
        """How many leads there are and how far they reach: ``30 daily leads``, ``99 leads to 5.445 time units``."""
        count, first = len(self.values), float(self.values[0])
        if count == 1:
            return f"one lead of {self.at(0)}"
        equal = np.allclose(np.diff(self.values, prepend=0.0), first, rtol=1e-6)
        rhythm = _RHYTHMS.get((self.units, first)) if equal else None
        if rhythm is None:
            return f"{count} leads to {self.at(-1)}"
        reach = f" to {self.at(-1)}" if first != 1.0 else ""
        return f"{count} {rhythm} leads{reach}"

    def chosen(self, steps: tuple[int, ...] | None = None) -> list[int]:
        """Return the indices of up to four telling leads: the first, a quarter, half and the whole way.

        Args:
            steps: Steps to take instead, as far as they are there. With 99 steps the default is 1, 25, 50, 99.
        """
        positive = [step for step in self.steps if step > 0] or list(self.steps)
        last = positive[-1]
        wanted = steps or (1, round(last / 4), round(last / 2), last)
        there = self.steps if steps else positive
        chosen = [self.steps.index(step) for step in sorted(set(wanted)) if step in there]
        return chosen or [self.steps.index(last)]


def lead_times(coordinate: xr.DataArray) -> LeadTimes:
    """Return the lead times of a coordinate.

    Args:
        coordinate: Lead times of shape (lead_time,), timedelta64 or float64 model time, ascending; model time may
            carry `units`. A coordinate `lead` beside it holds the steps; without it leads are counted from the first.
    """
    raw = np.atleast_1d(coordinate.values)
    if np.issubdtype(raw.dtype, np.timedelta64):
        seconds = raw / np.timedelta64(1, "s")
        unit, per = _calendar_units(seconds)
        values = seconds / per
    else:
        values = raw.astype(np.float64)
        unit = pretty_units(str(coordinate.attrs.get("units", "")))
        unit = _MODEL_UNITS.get(unit) or shortened(unit, 16) or "time units"
    first = 0 if raw.size and values[0] == 0 else 1
    steps = (
        coordinate.coords["lead"].values
        if "lead" in coordinate.coords
        else np.arange(raw.size) + first
    )
    return LeadTimes(values, unit, tuple(int(step) for step in np.atleast_1d(steps)))


def _calendar_units(seconds: Float64[np.ndarray, " lead_time"]) -> tuple[str, float]:
    for name, length in (("years", MEAN_YEAR), ("months", MEAN_MONTH)):
        unit = float(length / np.timedelta64(1, "s"))
        if seconds.any() and np.allclose(seconds / unit, (seconds / unit).round(), atol=1e-4):
            return name, unit
    longest = float(seconds.max(initial=0.0))
    day = _SECONDS["D"]
    if longest >= day and not (seconds % day).any():
        return "days", day
    for name, code, at_least in _CALENDAR_UNITS:
        if longest >= at_least * _SECONDS[code]:
            return name, _SECONDS[code]
    return "seconds", 1.0
