"""Turned maps: those of a series that lie upside down, or half a turn of longitude off the ones before them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.map_means import MapMeans

CLOSER = 0.5
"""A map is turned if its means by row are this part of their distance from those before, once turned."""
UNUSUAL = 3.0
"""Typical distances of successive maps by which it has to be off as it is."""

_WAYS = {"rows": "upside down", "columns": "half a turn of longitude off"}
_MOST_BINS = 32
"""Means that are kept of each map along an axis."""
_PASSES = 5
"""How often maps are held against their neighbours, with those turned back that have been found."""


@dataclass
class TurnedMaps:
    """What is known of the direction of maps after those added so far.

    Attributes:
        times: What to call each.
        means: Means of each map along each axis, in at most 32 bins.
    """

    times: list[str] = field(default_factory=list)
    means: dict[str, list[Float64[np.ndarray, " bin"]]] = field(
        default_factory=lambda: {"rows": [], "columns": []}
    )

    @staticmethod
    def has_direction(shape: tuple[int, ...]) -> bool:
        """Return whether maps have a direction: those of two dimensions, [time, y, x], that are not tiny."""
        return len(shape) == 3 and min(shape[1:]) >= 4

    def add(self, found: MapMeans, times: list[str]) -> None:
        """Add consecutive maps.

        Args:
            found: Their means by row and by column.
            times: What to call each time.
        """
        self.times += times
        self.means["rows"] += list(_in_bins(found.rows))
        self.means["columns"] += list(_in_bins(found.columns))

    def check(self, inspection: Inspection, name: str) -> None:
        """Say which maps are turned.

        Args:
            inspection: Where findings are written down.
            name: The variable.
        """
        for axis in _WAYS if self.times else ():
            turned = np.flatnonzero(_turned(np.array(self.means[axis]), axis))
            _say(inspection, name, axis, [self.times[number] for number in turned])


def check_files(
    inspection: Inspection, name: str, files: Iterable[tuple[str, TurnedMaps, bool, bool]]
) -> None:
    """Say which maps are turned against those of other files, beyond what is said of each file by itself.

    Args:
        inspection: Where findings are written down.
        name: The variable.
        files: Name, maps, whether rows run from north to south and whether columns are those of the first file, of
            each file in the order of time.
    """
    several = [one for one in files if one[1].times]
    for axis in _WAYS:
        some = [one for one in several if axis == "rows" or one[3]]
        if len({maps.means[axis][0].size for _, maps, *_ in some}) != 1 or len(some) < 2:
            continue
        means = [
            np.array(maps.means[axis])[:, :: -1 if southward and axis == "rows" else 1]
            for _, maps, southward, _ in some
        ]
        turned = _turned(np.concatenate(means), axis)
        told = np.concatenate([_turned(one, axis) for one in means])
        called = [f"{time} in {source}" for source, maps, *_ in some for time in maps.times]
        _say(inspection, name, axis, [called[n] for n in np.flatnonzero(turned & ~told)])


def _say(inspection: Inspection, name: str, axis: str, turned: list[str]) -> None:
    if not turned:
        return
    several = f"{len(turned)} maps are" if len(turned) > 1 else "a map is"
    first = f"first at {turned[0]}" if len(turned) > 1 else f"at {turned[0]}"
    inspection.add(
        "turned-map",
        Severity.WARNING,
        f"{several} unlike those before and after, but like them {_WAYS[axis]}, {first}.",
        "Look at the map; turn it, or leave that time out.",
        name,
    )


def _turned(means: Float64[np.ndarray, "time bin"], axis: str) -> Bool[np.ndarray, " time"]:
    """Return which maps of a series are turned against most others.

    Two unusual steps that turning one side would undo enclose turned maps, if what both sides have of a direction is
    opposite over all their maps; where it is not, as where seasons turn the maps too, each map is held against the two
    before and the two after it.
    """
    if len(means) < 5:
        return np.zeros(len(means), dtype=bool)
    other = _turn(means, axis)
    apart = np.linalg.norm(means[1:] - means[:-1], axis=1)
    if_turned = np.linalg.norm(other[1:] - means[:-1], axis=1)
    turns = (if_turned < CLOSER * apart) & (apart > UNUSUAL * np.median(apart))
    side = np.concatenate([[False], np.cumsum(turns) % 2 == 1])
    if 2 * side.sum() > len(side):
        side = ~side
    if turns.any() and _are_opposite(means - other, side):
        return side
    return _unlike_neighbours(means, other)


def _unlike_neighbours(
    means: Float64[np.ndarray, "time bin"], other: Float64[np.ndarray, "time bin"]
) -> Bool[np.ndarray, " time"]:
    """Return which maps are unlike the two before and the two after them, but like these once turned."""
    means, other = means.copy(), other.copy()
    turned = np.zeros(len(means), dtype=bool)
    number = np.arange(len(means))
    around = np.clip(number - 2, 0, len(means) - 5)[:, None] + np.arange(5)
    around = around[around != number[:, None]].reshape(-1, 4)
    for _ in range(_PASSES):
        usual = np.median(means[around], axis=1)
        as_it_is = np.linalg.norm(means - usual, axis=1)
        once_turned = np.linalg.norm(other - usual, axis=1)
        found = (once_turned < CLOSER * as_it_is) & (as_it_is > UNUSUAL * np.median(as_it_is))
        # A turned map makes its neighbours unlike theirs, too; the most unlike one is the turned one.
        found &= np.all(as_it_is[:, None] >= as_it_is[around], axis=1)
        if not found.any():
            break
        turned ^= found
        means[found], other[found] = other[found], means[found]
    return turned


def _turn(means: Float64[np.ndarray, "time bin"], axis: str) -> Float64[np.ndarray, "time bin"]:
    return means[:, ::-1] if axis == "rows" else np.roll(means, means.shape[1] // 2, axis=1)


def _are_opposite(
    direction: Float64[np.ndarray, "time bin"], side: Bool[np.ndarray, " time"]
) -> bool:
    """Return whether maps of two sides have opposite directions in the mean, and about equal ones."""
    one, two = direction[~side].mean(axis=0), direction[side].mean(axis=0)
    return bool(np.linalg.norm(one + two) < CLOSER * np.linalg.norm(one - two))


def _in_bins(means: Float64[np.ndarray, "time line"]) -> Float64[np.ndarray, "time bin"]:
    """Return means of neighbouring values, as many from either end, so that turning and averaging commute."""
    count = means.shape[1]
    size = -(-count // _MOST_BINS)
    kept = count // size * size
    start = (count - kept) // 2
    return means[:, start : start + kept].reshape(len(means), -1, size).mean(axis=2)
