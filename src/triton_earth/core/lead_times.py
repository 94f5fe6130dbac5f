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
        """Return step and lead time, for example ``step 25 · 1.38 time units``."""
        return f"step {self.steps[index]} · {self.at(index)}"

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
    for name, code, at_least in _CALENDAR_UNITS:
        if longest >= at_least * _SECONDS[code]:
            return name, _SECONDS[code]
    return "seconds", 1.0
