"""Heat-wave days of series that grow day by day, in memory that does not grow with them."""

import numpy as np
from jaxtyping import Bool

from triton_earth.evaluation.metrics.heat_wave_events import REACH, event_days

TOGETHER = 8
"""Days that are decided together, so that few are looked at twice."""


class GrowingEvents:
    """Says of each day whether it is in an event, as soon as no later day can change that.

    As `event_days` of the whole series says it; at most 2 · `REACH` + `TOGETHER` days are in memory.
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
        count = len(self._open) - (0 if last else REACH)
        if not last and count < TOGETHER:
            return np.empty((0, *exceeds.shape), bool)
        days = np.concatenate([self._decided, np.stack(self._open)])
        before = len(self._decided)
        inside = event_days(days)[before : before + count]
        self._decided = days[: before + count][-REACH:]
        del self._open[:count]
        return inside
