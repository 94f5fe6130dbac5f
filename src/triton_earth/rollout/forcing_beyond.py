"""Forcings beyond the end of a store: computed ones for any date, stored ones from a year that is repeated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Float32, Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import describe_time
from triton_earth.core.variables import Role
from triton_earth.data.sources.values.derived import DerivedName, derived_fields
from triton_earth.data.store.training_store import TrainingStore

REPEAT = "repeat"


@dataclass(frozen=True)
class BeyondStore:
    """What takes the place of forcings that a store does not reach.

    Insolation, times of the year and of the day, and whatever is constant are known for every date. All others are
    those of the same date of the last year of the store (``repeat``), or of a year that is named.

    Attributes:
        store: Where the forcings are.
        names: Those that the model needs.
        how: ``repeat``, a year such as ``2002``, or None: stored forcings are not made up.
    """

    store: TrainingStore
    names: Sequence[str]
    how: str | None

    def __post_init__(self) -> None:
        """Refuse a year that is none.

        Raises:
            UserError: if `how` is neither ``repeat`` nor a year.
        """
        if self.how not in (None, REPEAT) and not (self.how or "").isdigit():
            raise UserError(
                f"--forcings-beyond: expected repeat, or a year such as 2002; found {self.how}."
            )

    @property
    def computed(self) -> list[str]:
        """Names of those that follow from time and place."""
        if not (isinstance(self.store.grid, LatLonGrid) and self.store.times.dtype.kind == "M"):
            return []
        static = set(self.store.variables.with_role(Role.STATIC).names)
        return [name for name in self.names if name in get_args(DerivedName) and name not in static]

    @property
    def stored(self) -> list[str]:
        """Names of those that only the store knows, and that change."""
        static = self.store.variables.with_role(Role.STATIC).names
        return [name for name in self.names if name not in (*static, *self.computed)]

    @property
    def possible(self) -> bool:
        """Whether there is something for every date."""
        return self.how is not None or not self.stored

    def indices(self, targets: np.ndarray) -> Int64[np.ndarray, " target"]:
        """Return the time of the store whose fields stand in at each target beyond its end.

        Args:
            targets: Times wanted.

        Raises:
            UserError: if there is no calendar, or the year does not have all dates.
        """
        store = self.store
        if not self.stored:
            return np.full(len(targets), np.flatnonzero(store.recorded)[-1])
        if store.times.dtype.kind != "M":
            raise UserError(
                f"{store.path}: forcings without a calendar cannot be repeated: they have no year. Shorten the "
                "forecast, or give longer --forcings."
            )
        year = None if self.how == REPEAT else int(str(self.how))
        dates = _in_year(targets, store.times[-1], year)
        steps = (dates - store.times[0]) / store.time_step
        found = np.clip(np.rint(steps), 0, len(store.times) - 1).astype(np.int64)
        wrong = (np.abs(steps - found) > 0.5 + 1e-3) | ~store.recorded[found]
        if wrong.any():
            absent = describe_time(dates[np.flatnonzero(wrong)[0]])
            raise UserError(
                f"{store.path}: repeating a year of forcings needs all of its dates; {absent} is not there, the store "
                f"has {describe_time(store.times[0])} to {describe_time(store.times[-1])}. Name another year, or give "
                "longer --forcings."
            )
        return found

    def fill(
        self, fields: Float32[np.ndarray, "channel y x"], time: np.datetime64
    ) -> Float32[np.ndarray, "channel y x"]:
        """Return the forcings of the store's variables with what is computed for a date in its place."""
        names = self.computed
        if not names:
            return fields
        assert isinstance(self.store.grid, LatLonGrid)
        fields = fields.copy()
        values = derived_fields(names, np.array([time]), self.store.grid)[0]
        fields[self.store.variables.indices(names)] = values
        return fields

    @property
    def remark(self) -> str:
        """What is done beyond the end of the store, in words."""
        parts = [f"{', '.join(self.computed)} computed"] if self.computed else []
        if self.stored:
            year = "its last year" if self.how == REPEAT else f"the year {self.how}"
            parts.append(f"{', '.join(self.stored)} of the same date of {year}")
        constant = [name for name in self.names if name not in (*self.computed, *self.stored)]
        if constant:
            parts.append(f"{', '.join(constant)} as they are")
        return (
            f"forcings after {describe_time(self.store.times[-1])}, the end of the store: "
            + "; ".join(parts)
        )


def _in_year(targets: np.ndarray, end: np.datetime64, year: int | None) -> np.ndarray:
    """Return the same dates of a year; None: of the last one up to `end`. 29 February may become 1 March."""
    months = targets.astype("datetime64[M]")
    since = targets - months.astype(targets.dtype)
    month_of_year = (months - targets.astype("datetime64[Y]").astype("datetime64[M]")).astype(int)
    last = int(end.astype("datetime64[Y]").astype(int)) if year is None else year - 1970

    def of(years: int) -> np.ndarray:
        first = np.datetime64(years, "Y").astype("datetime64[M]")
        return (first + month_of_year).astype(targets.dtype) + since

    dates = of(last)
    return dates if year is not None else np.where(dates > end, of(last - 1), dates)
