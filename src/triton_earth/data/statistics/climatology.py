"""Climatology: the mean state at each time of the year and of the day, smoothed by harmonics, and how it is fitted."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.core.time import day_fraction, year_fraction

HARMONICS = 3
"""Harmonics of the year."""
DAILY_HARMONICS = 2
"""Harmonics of the day, where steps are short enough to tell them."""
VALUES_TOGETHER = 2**12
"""Values of a field that are added at a time: what stays in a processor's cache."""
_DAY = np.timedelta64(1, "D")
_YEAR, _WEEK = 365 * _DAY, 7 * _DAY
_SINGULAR = 1e-10


@dataclass(frozen=True)
class Climatology:
    """Mean state of the training split at each time of the year and of the day.

        c(t) = Σ_i Σ_j C_ij e_i(φ(t)) e_j(ψ(t)),    e = 1, cos 2πφ, sin 2πφ, cos 4πφ, sin 4πφ, …

    φ is the elapsed fraction of the calendar year, so that 1 March is another fraction in a leap year, and 31 December
    joins 1 January; ψ is that of the day in UTC: each time of the day has its own seasonal cycle, and each cell its own
    local time. Without a calendar, or where the training split covers less than a year, nothing depends on φ; with
    steps of a day or more, or less than a week, nothing on ψ. On a doubly periodic box, whose places are all alike, the
    climatology is the mean over all cells.

    Attributes:
        coefficients: C, the harmonics of the day running fastest, in the units of each variable; NaN in cells that are
            not valid.
        definition: What it is, in words.
        daily_harmonics: Harmonics of the day.
    """

    coefficients: Float64[np.ndarray, "basis channel y x"]
    definition: str
    daily_harmonics: int = 0

    def at(self, times: np.ndarray) -> Float64[np.ndarray, "time channel y x"]:
        """Return the climatology at some times, datetime64 or float64 [time]."""
        return np.tensordot(self.basis(times), self.coefficients, axes=1)

    def basis(self, times: np.ndarray) -> Float64[np.ndarray, "time basis"]:
        """Return the harmonics at some times, whose products with the coefficients add up to the climatology."""
        return harmonic_basis(times, self.yearly_harmonics, self.daily_harmonics)

    @property
    def yearly_harmonics(self) -> int:
        """Harmonics of the year."""
        return (len(self.coefficients) // (2 * self.daily_harmonics + 1) - 1) // 2


class ClimatologyFit:
    """Least-squares fit of a climatology, one time after the other, so that blocks of any length give the same bits.

    Attributes:
        harmonics: Harmonics of the year; none without a calendar, or for less than a year.
        daily_harmonics: Harmonics of the day; none without a calendar, with steps of a day or more, or for less than a
            week.
    """

    def __init__(
        self, times: np.ndarray, shape: tuple[int, ...], harmonics: int = HARMONICS
    ) -> None:
        """Begin a fit.

        Args:
            times: All times that may be added, datetime64 or float64: they tell whether there is a year, and how often
                a day is seen.
            shape: (channel, y, x) of a field.
            harmonics: Harmonics of the year, where there is a year.
        """
        self.harmonics = self.daily_harmonics = 0
        if times.dtype.kind == "M" and len(times):
            different = np.unique(times)
            reach = different[-1] - different[0]
            per_day = int(_DAY / np.diff(different).min()) if reach >= _WEEK else 0
            # A year of daily means is 364 days from the first to the last of them.
            step = np.diff(different).min() if reach else reach
            self.harmonics = harmonics if reach + step >= _YEAR else 0
            self.daily_harmonics = min(DAILY_HARMONICS, per_day // 2)
        size = (2 * self.harmonics + 1) * (2 * self.daily_harmonics + 1)
        self._normal = np.zeros((size, size))
        self._right = np.zeros((size, *shape))

    def add(self, times: np.ndarray, fields: Float[np.ndarray, "time channel y x"]) -> None:
        """Add fields at some times."""
        rows = harmonic_basis(times, self.harmonics, self.daily_harmonics)
        for basis in rows:
            self._normal += np.outer(basis, basis)
        right, flat = self._right.reshape(len(self._right), -1), fields.reshape(len(fields), -1)
        for start in range(0, right.shape[1], VALUES_TOGETHER):
            part = slice(start, start + VALUES_TOGETHER)
            here = right[:, part]
            for basis, field in zip(rows, flat, strict=True):
                here += basis[:, None] * field[part].astype(np.float64)

    @classmethod
    def total(cls, parts: Sequence["ClimatologyFit"]) -> "ClimatologyFit":
        """Return the fit of all that was added to several fits, which were begun alike."""
        whole = copy(parts[0])
        whole._normal = np.sum([part._normal for part in parts], axis=0)
        whole._right = np.sum([part._right for part in parts], axis=0)
        return whole

    def climatology(self, what: str = "training split") -> Climatology:
        """Return the fit; of harmonics that the times cannot tell apart, the smallest that agree with them.

        Args:
            what: What it is the mean of, in words.
        """
        words = f"mean of the {what}, the same at all times"
        cycles = {"year": self.harmonics, "day": self.daily_harmonics}
        told = [f"of the {name} ({count} harmonics)" for name, count in cycles.items() if count]
        if told:
            words = f"mean of the {what} by time {' and '.join(told)}"
        inverse = np.linalg.pinv(self._normal, rcond=_SINGULAR, hermitian=True)
        return Climatology(np.tensordot(inverse, self._right, axes=1), words, self.daily_harmonics)


def harmonic_basis(
    times: np.ndarray, harmonics: int, daily_harmonics: int = 0
) -> Float64[np.ndarray, "time basis"]:
    """Return the products e_i(φ) e_j(ψ) of `Climatology` at each time, j running fastest."""
    yearly = _waves(year_fraction(times) if harmonics else np.zeros(len(times)), harmonics)
    if not daily_harmonics:
        return yearly
    daily = _waves(day_fraction(times), daily_harmonics)
    return (yearly[:, :, None] * daily[:, None, :]).reshape(len(times), -1)


def harmonic_mean_squares(harmonics: int, daily_harmonics: int) -> Float64[np.ndarray, " basis"]:
    """Return the mean square of each product e_i(φ) e_j(ψ) over all times."""
    yearly, daily = (
        np.concatenate([[1.0], np.full(2 * count, 0.5)]) for count in (harmonics, daily_harmonics)
    )
    return np.outer(yearly, daily).ravel()


def _waves(
    fraction: Float64[np.ndarray, " time"], harmonics: int
) -> Float64[np.ndarray, "time wave"]:
    """Return 1, cos 2πφ, sin 2πφ, cos 4πφ, … at each fraction φ of a cycle."""
    columns = [np.ones(len(fraction))]
    for order in range(1, harmonics + 1):
        angle = 2 * np.pi * order * fraction
        columns += [np.cos(angle), np.sin(angle)]
    return np.stack(columns, axis=1)
