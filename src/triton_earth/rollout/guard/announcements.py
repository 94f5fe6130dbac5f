"""What guards say while forecasts are made: a line for each of the first forecasts, and a sum in the end."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triton_earth.core.wording import told_apart

if TYPE_CHECKING:
    from triton_earth.rollout.guard.guard import Trip

logger = logging.getLogger("triton_earth.guard")
"""A name of its own, so that ``--quiet`` can silence it: all that it says is in the record of the forecast."""

MOST_LINES = 3
"""Forecasts that have a line of their own, of those that begin outside the climate and of those that leave it."""


class Announcements:
    """What the guards of all batches of one rollout say."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._began = 0
        self._left = 0

    def begins_outside(self, trip: "Trip") -> None:
        """Say that a forecast begins outside the climate; after some of them only that there are more."""
        self._began += 1
        if self._began > MOST_LINES:
            self._counted(self._began, "begin outside")
            return
        value, lower, upper = told_apart(trip.value, trip.lower, trip.upper)
        logger.warning(
            "guard: %s begins outside the training climate: '%s' has the %s %s, outside %s to %s. It does not count as "
            "leaving it.",
            trip.forecast,
            trip.variable,
            trip.statistic,
            value,
            lower,
            upper,
        )

    def leaves(self, trip: "Trip") -> None:
        """Say that a forecast leaves the climate; after some of them only that there are more."""
        self._left += 1
        if self._left > MOST_LINES:
            self._counted(self._left, "leave")
            return
        logger.warning("guard: %s", trip.describe())

    def sum_up(self, record: Mapping[str, Any] | None, forecasts: int) -> None:
        """Say how many forecasts left the climate, where not every one had a line of its own.

        Args:
            record: What the guard saw, as `triton_earth.rollout.guard.guard.guard_record` gives it; None: no guard.
            forecasts: Number of forecasts, members counted.
        """
        if record is None or max(self._began, self._left) <= MOST_LINES:
            return
        began, left = (
            len({(trip["init"], trip["member"]) for trip in record[kind]})
            for kind in ("began_outside", "trips")
        )
        outside = f", {began} began outside of it" if began else ""
        logger.warning(
            "guard: %d of %d forecasts left the training climate%s. The attribute `guard` of the forecast lists them, "
            "and the report shows the first.",
            left,
            forecasts,
            outside,
        )

    def _counted(self, number: int, verb: str) -> None:
        if number == MOST_LINES + 1:
            logger.warning(
                "guard: more forecasts %s the training climate; they are counted, not listed.", verb
            )
