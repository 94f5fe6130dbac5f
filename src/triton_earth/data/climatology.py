"""Day-of-year climatology: the mean state at each time of the year, smoothed by harmonics, and how it is fitted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.core.time import year_fraction

HARMONICS = 3
"""Harmonics of the year."""
_YEAR = np.timedelta64(365, "D")


@dataclass(frozen=True)
class Climatology:
    """Mean state of the training split at each time of the year.

        c(t) = C₀ + Σ_j [C_{2j−1} cos 2πjφ(t) + C_{2j} sin 2πjφ(t)],    φ the elapsed fraction of the calendar year

    so that 1 March is another fraction in a leap year, and 31 December joins 1 January. Without a calendar, or where
    the training split covers less than a year, c = C₀. On a doubly periodic box, whose places are all alike, C₀ is
    the mean over all cells.

    Attributes:
        coefficients: C, in the units of each variable; NaN in cells that are not valid.
        definition: What it is, in words.
    """

    coefficients: Float64[np.ndarray, "basis channel y x"]
    definition: str

    def at(self, times: np.ndarray) -> Float64[np.ndarray, "time channel y x"]:
        """Return the climatology at some times, datetime64 or float64 [time]."""
        basis = harmonic_basis(times, (len(self.coefficients) - 1) // 2)
        return np.tensordot(basis, self.coefficients, axes=1)


class ClimatologyFit:
    """Least-squares fit of a climatology, one time after the other, so that blocks of any length give the same bits.

    Attributes:
        harmonics: Harmonics of the year; none without a calendar, or for less than a year.
    """

    def __init__(self, times: np.ndarray, shape: tuple[int, ...]) -> None:
        """Begin a fit.

        Args:
            times: All times that will be added, datetime64 or float64: they tell whether there is a year to fit.
            shape: (channel, y, x) of a field.
        """
        calendar = times.dtype.kind == "M"
        long_enough = calendar and times.max() - times.min() >= _YEAR
        self.harmonics = HARMONICS if long_enough else 0
        self._normal = np.zeros((2 * self.harmonics + 1,) * 2)
        self._right = np.zeros((2 * self.harmonics + 1, *shape))

    def add(self, times: np.ndarray, fields: Float[np.ndarray, "time channel y x"]) -> None:
        """Add fields at some times."""
        for basis, field in zip(harmonic_basis(times, self.harmonics), fields, strict=True):
            self._normal += np.outer(basis, basis)
            for right, weight in zip(self._right, basis, strict=True):
                right += weight * field.astype(np.float64)

    def coefficients(self) -> Float64[np.ndarray, "basis channel y x"]:
        """Return C of `Climatology`."""
        return np.tensordot(np.linalg.inv(self._normal), self._right, axes=1)


def harmonic_basis(times: np.ndarray, harmonics: int) -> Float64[np.ndarray, "time basis"]:
    """Return 1, cos 2πφ, sin 2πφ, cos 4πφ, … at each time."""
    columns = [np.ones(len(times))]
    if harmonics:
        phase = 2 * np.pi * year_fraction(times)
        for order in range(1, harmonics + 1):
            columns += [np.cos(order * phase), np.sin(order * phase)]
    return np.stack(columns, axis=1)
