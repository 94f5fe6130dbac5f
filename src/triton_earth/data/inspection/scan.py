"""The scan: one pass over all values of a variable, in bounded memory, that remembers what the checks ask for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from triton_earth.data.inspection.map_means import map_means
from triton_earth.data.inspection.map_moments import MapMoments, Moments
from triton_earth.data.inspection.turned_maps import TurnedMaps
from triton_earth.data.sources.values.possible_values import Possible
from triton_earth.data.sources.values.soundness import LARGEST, stand_ins
from triton_earth.data.sources.values.stored_values import CELLS_AT_ONCE, few_at_once

_FEW = 64
"""Values that tell most maps apart."""
_TOGETHER = 32
"""Maps that are looked at together, unless they are so small that more stay in the cache."""


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

        Every pass but the rare ones goes over some maps at a time, which stay in the processor's cache.

        Args:
            fields: Values; NaN where there is none.
            times: What to call each time.
            follows: Whether they follow what was added last.
        """
        if fields.dtype not in (np.float32, np.float64):
            fields = fields.astype(np.float64)
        flat = fields.reshape(len(fields), -1)
        parts = list(_some_at_once(flat))
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
        """Add some maps to all that grows with each; return their lowest and highest value."""
        flat = maps.reshape(len(maps), -1)
        if self.valid is None:
            self.valid = ~np.isnan(flat[0])
            self._everywhere = bool(self.valid.all())
        lowest, highest = _extremes_of_cells(flat)
        there = None if self._everywhere else self.valid[None]
        if not self._is_as_ever(lowest, highest):
            there = ~np.isnan(flat)
            self._look_for_holes(there, times)
            infinite = np.isinf(flat)
            if infinite.any():
                self.infinite += int(np.count_nonzero(infinite))
                flat, there = np.where(infinite, np.nan, flat), there & ~infinite
            lowest, highest = np.fmin.reduce(flat), np.fmax.reduce(flat)
        self._add_cells(lowest, highest)
        directed = self.directions is not None and self.directions.has_direction(maps.shape)
        shape = maps.shape[1:] if directed else (1, flat.shape[1])
        limits = float(np.fmin.reduce(lowest)), float(np.fmax.reduce(highest))
        found = map_means(
            flat.reshape(-1, *shape), None if there is None else there.reshape(-1, *shape), limits
        )
        self.maps.add(found)
        if self.directions is not None and directed:
            self.directions.add(found, times)
        return limits

    def _is_as_ever(
        self, lowest: Float[np.ndarray, " cell"], highest: Float[np.ndarray, " cell"]
    ) -> bool:
        """Whether maps of these extremes have finite values where the first time has, and none elsewhere.

        The lowest is NaN if any value is, the highest only if all are.
        """
        assert self.valid is not None
        return (
            np.array_equal(np.isfinite(lowest), self.valid)
            and np.array_equal(np.isfinite(highest), self.valid)
            and (self._everywhere or np.array_equal(np.isnan(highest), ~self.valid))
        )

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
        time, cell = divmod(int(wrong.argmax()), wrong.shape[1])
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

    def _add_cells(
        self, lowest: Float[np.ndarray, " cell"], highest: Float[np.ndarray, " cell"]
    ) -> None:
        before = self.cell_lowest, self.cell_highest
        self.cell_lowest = np.fmin(np.inf if before[0] is None else before[0], lowest)
        self.cell_highest = np.fmax(-np.inf if before[1] is None else before[1], highest)


def _some_at_once(flat: Float[np.ndarray, "time cell"]) -> Iterator[slice]:
    """Yield the slices of time that are looked at together: enough for what is done once for each cell to be little."""
    length = max(_TOGETHER, CELLS_AT_ONCE // max(flat.shape[1], 1))
    for first in range(0, len(flat), length):
        yield slice(first, min(first + length, len(flat)))


def _extremes_of_cells(
    flat: Float[np.ndarray, "time cell"],
) -> tuple[Float[np.ndarray, " cell"], Float[np.ndarray, " cell"]]:
    """Return the lowest value of each cell, NaN where any is NaN, and the highest, NaN where all are."""
    lowest, highest = np.empty_like(flat[0]), np.empty_like(flat[0])
    for cells in few_at_once(flat.T):
        np.minimum.reduce(flat[:, cells], axis=0, out=lowest[cells])
        np.fmax.reduce(flat[:, cells], axis=0, out=highest[cells])
    return lowest, highest


def _same_bits(one: Float[np.ndarray, " cell"], other: Float[np.ndarray, " cell"]) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    bits = np.dtype(f"i{one.itemsize}")
    these, those = one.view(bits), other.view(bits)
    few = slice(None, None, max(1, one.size // _FEW))
    return np.array_equal(these[few], those[few]) and np.array_equal(these, those)
