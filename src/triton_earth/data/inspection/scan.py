"""The scan: one pass over all values of a variable, in bounded memory, that remembers what the checks ask for."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64

from triton_earth.data.sources.values.possible_values import Possible
from triton_earth.data.sources.values.soundness import LARGEST, extremes, stand_ins


@dataclass
class Extreme:
    """The largest or smallest value so far.

    Attributes:
        value: It.
        where: Its time and cell, in words.
    """

    value: float
    where: str = ""


@dataclass
class Scan:
    """What is known of a variable after the blocks added so far.

    Attributes:
        place: What to call a cell, by its number in the map.
        possible: What values can be, or None.
        packing: (scale factor, offset) of packed numbers, or None.
        valid: Cells that have a value at the first time.
        holes: Number of values that are missing where the first time has one, or there where it has none.
        first_hole: Where the first of them is, in words.
        infinite: Number of infinite values.
        fill: Number of values that stand for a missing one.
        fill_value: The first of them.
        first_fill: Where it is, in words.
        impossible: Number of values that cannot be.
        first_impossible: The first of them, and where it is.
        count: Number of values.
        mean: Their mean.
        squares: Sum of their squared deviations from it.
        lowest: The smallest.
        highest: The largest.
        cell_lowest: The smallest in each cell.
        cell_highest: The largest in each cell.
        means: Mean over the map at each time.
        repeats: Times whose map is that of the time before.
        digests: Hash of each map.
    """

    place: Callable[[int], str] = "cell {}".format
    possible: Possible | None = None
    packing: tuple[float, float] | None = None
    valid: np.ndarray | None = None
    holes: int = 0
    first_hole: str = ""
    infinite: int = 0
    fill: int = 0
    fill_value: float = 0.0
    first_fill: str = ""
    impossible: int = 0
    first_impossible: "Extreme | None" = None
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lowest: Extreme = field(default_factory=lambda: Extreme(np.inf))
    highest: Extreme = field(default_factory=lambda: Extreme(-np.inf))
    cell_lowest: np.ndarray | None = None
    cell_highest: np.ndarray | None = None
    means: list[float] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)

    def add(
        self, fields: Float[np.ndarray, "time *cells"], times: list[str], *, follows: bool
    ) -> None:
        """Add consecutive times.

        Args:
            fields: Values; NaN where there is none.
            times: What to call each time.
            follows: Whether they follow what was added last.
        """
        flat = fields.reshape(len(fields), -1).astype(np.float64, copy=False)
        there = np.isfinite(flat)
        complete = bool(there.all())
        infinite = 0 if complete else int(np.isinf(flat).sum())
        self._look_for_holes(there | np.isinf(flat) if infinite else there, times)
        self.infinite += infinite
        finite = np.where(there, flat, np.nan) if infinite else flat
        limits = extremes(finite)
        self._look_for_impossible(finite, limits, times)
        for number, name in enumerate(times):
            digest = hashlib.sha256(np.ascontiguousarray(fields[number]).data).digest()
            if self.digests and digest == self.digests[-1] and (follows or number > 0):
                self.repeats.append(name)
            self.digests.append(digest)
        self.means += _means(flat, there, complete=complete)
        self._add_moments(flat.ravel() if complete else flat[there])
        self._add_extremes(finite, limits, times)

    @property
    def std(self) -> float:
        """Standard deviation of all values."""
        return float(np.sqrt(self.squares / self.count)) if self.count else np.nan

    @property
    def constant_cells(self) -> Bool[np.ndarray, " cell"]:
        """Cells with values that never change."""
        assert self.cell_lowest is not None
        assert self.cell_highest is not None
        return self.cell_lowest == self.cell_highest

    @property
    def constant(self) -> bool:
        """Whether no cell ever changes."""
        cells = self.constant_cells
        return bool(cells[self.valid if self.valid is not None else cells].all())

    def _look_for_holes(self, there: Bool[np.ndarray, "time cell"], times: list[str]) -> None:
        if self.valid is None:
            self.valid = there[0].copy()
        wrong = there != self.valid
        found = int(np.count_nonzero(wrong))
        if found and not self.holes:
            time, cell = (int(index) for index in np.argwhere(wrong)[0])
            self.first_hole = f"{times[time]}, {self.place(cell)}"
        self.holes += found

    def _look_for_impossible(
        self,
        finite: Float64[np.ndarray, "time cell"],
        limits: tuple[float, float],
        times: list[str],
    ) -> None:
        """Count what stands for a missing value, else what cannot be."""
        lowest, highest = limits
        if np.isnan(lowest):
            return
        stand_in = stand_ins(finite, limits, 1.0, 0.0, self.packing)
        if max(-lowest, highest) >= LARGEST:
            stand_in = np.abs(finite) >= LARGEST
        if stand_in is not None:
            if not self.fill:
                first = self._first(finite, stand_in, times)
                self.fill_value, self.first_fill = first.value, first.where
            self.fill += int(stand_in.sum())
            return
        if self.possible is None:
            return
        if lowest >= self.possible.lowest and highest <= self.possible.highest:
            return
        low, high = self.possible.limits(float(np.nanmean(finite)), highest)
        wrong = (finite < low) | (finite > high)
        if wrong.any():
            self.first_impossible = self.first_impossible or self._first(finite, wrong, times)
            self.impossible += int(wrong.sum())

    def _first(
        self, flat: np.ndarray, wrong: Bool[np.ndarray, "time cell"], times: list[str]
    ) -> Extreme:
        time, cell = (int(index) for index in np.argwhere(wrong)[0])
        return Extreme(float(flat[time, cell]), f"{times[time]}, {self.place(cell)}")

    def _add_moments(self, values: Float64[np.ndarray, " value"]) -> None:
        """Merge moments exactly (Chan, Golub and LeVeque 1983, Eq. 2.1)."""
        if values.size == 0:
            return
        mean = float(values.mean())
        total = self.count + values.size
        shift = mean - self.mean
        apart = values - mean
        self.squares += float(apart @ apart) + shift**2 * self.count * values.size / total
        self.mean += shift * values.size / total
        self.count = total

    def _add_extremes(
        self,
        finite: Float64[np.ndarray, "time cell"],
        limits: tuple[float, float],
        times: list[str],
    ) -> None:
        low, high = np.fmin.reduce(finite, axis=0), np.fmax.reduce(finite, axis=0)
        low, high = np.where(np.isnan(low), np.inf, low), np.where(np.isnan(high), -np.inf, high)
        if self.cell_lowest is None or self.cell_highest is None:
            self.cell_lowest, self.cell_highest = low, high
        else:
            self.cell_lowest = np.minimum(self.cell_lowest, low)
            self.cell_highest = np.maximum(self.cell_highest, high)
        lowest, highest = limits
        if lowest < self.lowest.value:
            self.lowest = self._first(finite, finite == lowest, times)
        if highest > self.highest.value:
            self.highest = self._first(finite, finite == highest, times)


def _means(
    flat: Float64[np.ndarray, "time cell"], there: Bool[np.ndarray, "time cell"], *, complete: bool
) -> list[float]:
    """Return the mean of each map, NaN of one without values."""
    if complete and flat.size:
        return [float(one) for one in flat.mean(axis=1)]
    count = np.count_nonzero(there, axis=1)
    sums = np.array(
        [np.where(one, values, 0.0).sum() for one, values in zip(there, flat, strict=True)]
    )
    means = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    return [float(one) for one in means]
