"""The scan: one pass over all values of a variable, in bounded memory, that remembers what the checks ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from triton_earth.data.inspection.map_moments import MapMoments, Moments
from triton_earth.data.inspection.turned_maps import TurnedMaps
from triton_earth.data.sources.values.possible_values import Possible
from triton_earth.data.sources.values.soundness import LARGEST, extremes, stand_ins
from triton_earth.data.sources.values.stored_values import cleared, few_at_once

_FEW = 64
"""Values that tell most maps apart."""


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
        directions: What else is told how the maps lie, or None.
        valid: Cells that have a value at the first time.
        holes: Number of values that are missing where the first time has one, or there where it has none.
        first_hole: Where the first of them is, in words.
        infinite: Number of infinite values.
        fill: Number of values that stand for a missing one.
        fill_value: The first of them.
        first_fill: Where it is, in words.
        impossible: Number of values that cannot be.
        first_impossible: The first of them, and where it is.
        maps: Moments of each map.
        lowest: The smallest.
        highest: The largest.
        cell_lowest: The smallest in each cell.
        cell_highest: The largest in each cell.
        repeats: Times whose map is that of the time before.
    """

    place: Callable[[int], str] = "cell {}".format
    possible: Possible | None = None
    packing: tuple[float, float] | None = None
    directions: TurnedMaps | None = None
    valid: np.ndarray | None = None
    holes: int = 0
    first_hole: str = ""
    infinite: int = 0
    fill: int = 0
    fill_value: float = 0.0
    first_fill: str = ""
    impossible: int = 0
    first_impossible: "Extreme | None" = None
    maps: MapMoments = field(default_factory=MapMoments)
    lowest: Extreme = field(default_factory=lambda: Extreme(np.inf))
    highest: Extreme = field(default_factory=lambda: Extreme(-np.inf))
    cell_lowest: np.ndarray | None = None
    cell_highest: np.ndarray | None = None
    repeats: list[str] = field(default_factory=list)
    _everywhere: bool = False
    _last: np.ndarray | None = None
    _known: tuple[int, Moments] | None = None

    def add(
        self, fields: Float[np.ndarray, "time *cells"], times: list[str], *, follows: bool
    ) -> None:
        """Add consecutive times.

        Every pass but the rare ones goes over a few maps at a time, which stay in the processor's cache, and in the
        precision of the values.

        Args:
            fields: Values; NaN where there is none.
            times: What to call each time.
            follows: Whether they follow what was added last.
        """
        if fields.dtype not in (np.float32, np.float64):
            fields = fields.astype(np.float64)
        flat = fields.reshape(len(fields), -1)
        parts = list(few_at_once(flat))
        before = self.infinite
        limits = np.array([self._add_part(fields[part], times[part]) for part in parts])
        lowest, highest = float(np.fmin.reduce(limits[:, 0])), float(np.fmax.reduce(limits[:, 1]))
        finite = np.where(np.isinf(flat), np.nan, flat) if self.infinite > before else flat
        self._look_for_impossible(finite, (lowest, highest), times)
        self._look_for_repeats(flat, times, follows=follows)
        if lowest < self.lowest.value:
            part = parts[int(np.argmax(limits[:, 0] == lowest))]
            self.lowest = self._first(flat[part], flat[part] == lowest, times[part])
        if highest > self.highest.value:
            part = parts[int(np.argmax(limits[:, 1] == highest))]
            self.highest = self._first(flat[part], flat[part] == highest, times[part])

    def _add_part(
        self, maps: Float[np.ndarray, "time *cells"], times: list[str]
    ) -> tuple[float, float]:
        """Add a few maps to all that grows with each; return their lowest and highest value."""
        flat = maps.reshape(len(maps), -1)
        limits = float(flat.min()), float(flat.max())  # NaN where any value is
        there = None
        if not np.isfinite(limits).all():
            there = ~np.isnan(flat)
            self._look_for_holes(there, times)
            limits = extremes(flat)
            if np.isinf(limits).any():
                infinite = np.isinf(flat)
                self.infinite += int(np.count_nonzero(infinite))
                flat, there = np.where(infinite, np.nan, flat), there & ~infinite
                limits = extremes(flat)
        elif self.valid is None or not self._everywhere:
            self._look_for_holes(np.ones(flat.shape, dtype=bool), times)
        self._add_cells(flat)
        whole = flat if there is None else cleared(flat, there)
        values = whole.astype(np.float64)
        directed = self.directions is not None and self.directions.has_direction(maps.shape)
        if self.directions is not None and directed:
            shaped = None if there is None else there.reshape(maps.shape)
            sums = self.directions.add(values.reshape(maps.shape), shaped, times)
        else:
            sums = values.sum(axis=1)
        self.maps.add(values, sums, there)
        return limits

    @property
    def _moments(self) -> Moments:
        if self._known is None or self._known[0] != len(self.maps.counts):
            self._known = len(self.maps.counts), self.maps.together()
        return self._known[1]

    @property
    def means(self) -> list[float]:
        """Mean over the map at each time, NaN where it has no value."""
        return self.maps.means

    @property
    def count(self) -> int:
        """Number of values."""
        return self._moments.count

    @property
    def mean(self) -> float:
        """Their mean."""
        return self._moments.mean

    @property
    def std(self) -> float:
        """Standard deviation of all values."""
        return self._moments.std

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
            self._everywhere = bool(self.valid.all())
        wrong = there != self.valid
        found = int(np.count_nonzero(wrong))
        if found and not self.holes:
            time, cell = (int(index) for index in np.argwhere(wrong)[0])
            self.first_hole = f"{times[time]}, {self.place(cell)}"
        self.holes += found

    def _look_for_impossible(
        self,
        finite: Float[np.ndarray, "time cell"],
        limits: tuple[float, float],
        times: list[str],
    ) -> None:
        """Count what stands for a missing value, else what cannot be."""
        lowest, highest = limits
        if np.isnan(lowest):
            return
        stand_in = stand_ins(finite, limits, 1.0, 0.0, self.packing)
        if max(-lowest, highest) >= LARGEST:
            stand_in = np.abs(finite.astype(np.float64)) >= LARGEST
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
        finite = finite.astype(np.float64)
        low, high = self.possible.limits(float(np.nanmean(finite)), highest)
        wrong = (finite < low) | (finite > high)
        if wrong.any():
            self.first_impossible = self.first_impossible or self._first(finite, wrong, times)
            self.impossible += int(wrong.sum())

    def _first(
        self,
        flat: Float[np.ndarray, "time cell"],
        wrong: Bool[np.ndarray, "time cell"],
        times: list[str],
    ) -> Extreme:
        time, cell = (int(index) for index in np.argwhere(wrong)[0])
        return Extreme(float(flat[time, cell]), f"{times[time]}, {self.place(cell)}")

    def _look_for_repeats(
        self, flat: Float[np.ndarray, "time cell"], times: list[str], *, follows: bool
    ) -> None:
        """Compare each map, bit by bit, with the one before."""
        before = self._last if follows else None
        for one, name in zip(flat, times, strict=True):
            if before is not None and _same_bits(one, before):
                self.repeats.append(name)
            before = one
        self._last = flat[-1].copy()

    def _add_cells(self, finite: Float[np.ndarray, "time cell"]) -> None:
        if self.cell_lowest is None or self.cell_highest is None:
            self.cell_lowest = np.full(finite.shape[1], np.inf, dtype=finite.dtype)
            self.cell_highest = np.full(finite.shape[1], -np.inf, dtype=finite.dtype)
        elif self.cell_lowest.dtype != finite.dtype:
            self.cell_lowest = self.cell_lowest.astype(np.float64)
            self.cell_highest = self.cell_highest.astype(np.float64)
        for one in finite:
            np.fmin(self.cell_lowest, one, out=self.cell_lowest)
            np.fmax(self.cell_highest, one, out=self.cell_highest)


def _same_bits(one: Float[np.ndarray, " cell"], other: Float[np.ndarray, " cell"]) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    bits = np.dtype(f"i{one.itemsize}")
    these, those = one.view(bits), other.view(bits)
    few = slice(None, None, max(1, one.size // _FEW))
    return np.array_equal(these[few], those[few]) and np.array_equal(these, those)
