"""Turned maps: those of a series that lie upside down, or half a turn of longitude off the ones before them."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.data.inspection.findings import Inspection, Severity

CLOSER = 0.5
"""A map is turned if its means by row are this part of their distance from those before, once turned."""
UNUSUAL = 3.0
"""Typical distances of successive maps by which it has to be off as it is."""

_WAYS = {"rows": "upside down", "columns": "half a turn of longitude off"}


_MOST_BINS = 32
"""Means that are kept of each map along an axis."""


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

    def add(self, fields: Float[np.ndarray, "time *cells"], times: list[str]) -> None:
        """Add consecutive maps; only those of two dimensions have a direction.

        Args:
            fields: Values; NaN where there is none.
            times: What to call each time.
        """
        if fields.ndim != 3 or min(fields.shape[1:]) < 4:
            return
        self.times += times
        for axis, along in (("rows", 2), ("columns", 1)):
            means = fields.mean(axis=along, dtype=np.float64)
            if not np.isfinite(means).all():
                there = np.isfinite(fields)
                sums = np.where(there, fields, 0.0).sum(axis=along, dtype=np.float64)
                means = sums / np.maximum(there.sum(axis=along), 1)
            self.means[axis] += [_in_bins(now) for now in means]

    def check(self, inspection: Inspection, name: str) -> None:
        """Say which maps are turned: those between two unusual steps that turning one side would undo.

        Args:
            inspection: Where findings are written down.
            name: The variable.
        """
        for axis, way in _WAYS.items():
            turned = self._turned(axis)
            if not turned:
                continue
            several = f"{len(turned)} maps are" if len(turned) > 1 else "a map is"
            first = f"first at {turned[0]}" if len(turned) > 1 else f"at {turned[0]}"
            inspection.add(
                "turned-map",
                Severity.WARNING,
                f"{several} unlike those before and after, but like them {way}, {first}.",
                "Look at the map; turn it, or leave that time out.",
                name,
            )

    def _turned(self, axis: str) -> list[str]:
        """Return the times of maps that are turned against most others."""
        if len(self.times) < 5:
            return []
        means = np.stack(self.means[axis])
        turned = means[:, ::-1] if axis == "rows" else np.roll(means, means.shape[1] // 2, axis=1)
        apart = np.linalg.norm(means[1:] - means[:-1], axis=1)
        if_turned = np.linalg.norm(turned[1:] - means[:-1], axis=1)
        turns = (if_turned < CLOSER * apart) & (apart > UNUSUAL * np.median(apart))
        side = np.concatenate([[0], np.cumsum(turns)]) % 2
        if 2 * side.sum() > len(side):
            side = 1 - side
        return [self.times[number] for number in np.flatnonzero(side)]


def _in_bins(means: Float64[np.ndarray, " cell"]) -> Float64[np.ndarray, " bin"]:
    """Return means of neighbouring values, as many from either end, so that turning and averaging commute."""
    size = -(-len(means) // _MOST_BINS)
    kept = len(means) // size * size
    start = (len(means) - kept) // 2
    return means[start : start + kept].reshape(-1, size).mean(axis=1)
