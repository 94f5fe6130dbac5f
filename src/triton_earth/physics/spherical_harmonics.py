"""Spherical harmonics of fields on global latitude-longitude grids: coefficients and spectra by degree."""

import numpy as np
from jaxtyping import Complex128, Float, Float64


def legendre(
    sine: Float64[np.ndarray, " y"], order: int, highest: int
) -> Float64[np.ndarray, "degree y"]:
    """Return the normalised associated Legendre functions of one order.

        ½ ∫ P_lm(μ) P_km(μ) dμ = δ_lk,      P_lm = √(4π) |Y_lm(φ, 0)| up to its sign, no Condon-Shortley phase

    by the recurrence over degrees (Holmes and Featherstone 2002, J. Geodesy 76, 279, Eq. 11).

    Args:
        sine: μ = sin φ.
        order: m.
        highest: Highest degree.

    Returns:
        P_lm for l = m … `highest`.
    """
    cosine = np.sqrt(np.clip(1 - sine**2, 0, None))
    functions = np.zeros((highest - order + 1, len(sine)))
    functions[0] = 1.0
    for m in range(1, order + 1):
        functions[0] *= np.sqrt((2 * m + 1) / (2 * m)) * cosine
    for row in range(1, len(functions)):
        degree = order + row
        scale = np.sqrt((4 * degree**2 - 1) / (degree**2 - order**2))
        functions[row] = sine * functions[row - 1]
        if row > 1:
            before = degree - 1
            functions[row] -= functions[row - 2] * np.sqrt(
                (before**2 - order**2) / (4 * before**2 - 1)
            )
        functions[row] *= scale
    return functions


class SphericalTransform:
    """Spherical-harmonic analysis on a fixed global grid, exact for fields without degrees above `highest`.

        f(φ, λ) = Σ_m Σ_l a_lm P_lm(sin φ) e^{imλ},      a_l(−m) = a*_lm

    Along circles of latitude by FFT; over latitude by least squares weighted with cos φ, so that any latitudes do.

    Attributes:
        highest: Highest degree, half the number of rows (or of what the columns resolve) less one.
    """

    def __init__(self, latitude: Float64[np.ndarray, " y"], columns: int) -> None:
        """Prepare the transform.

        Args:
            latitude: φ of the rows in degrees north, from pole to pole.
            columns: Number of equally spaced longitudes around the globe.
        """
        self.highest = min(len(latitude), columns) // 2 - 1
        sine = np.sin(np.deg2rad(latitude))
        root = np.sqrt(np.clip(np.cos(np.deg2rad(latitude)), 1e-12, None))
        self._analysis = [
            np.linalg.pinv((legendre(sine, order, self.highest) * root).T) * root
            for order in range(self.highest + 1)
        ]

    def coefficients(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Complex128[np.ndarray, "*batch degree order"]:
        """Return a_lm for m ≥ 0 in units of the field; 0 where m > l."""
        waves = np.fft.rfft(fields.astype(np.float64), axis=-1, norm="forward")
        size = self.highest + 1
        found = np.zeros((*fields.shape[:-2], size, size), np.complex128)
        for order, analysis in enumerate(self._analysis):
            found[..., order:, order] = waves[..., order] @ analysis.T
        return found


def cross_by_degree(
    one: Complex128[np.ndarray, "*batch degree order"],
    other: Complex128[np.ndarray, "*batch degree order"],
) -> Float64[np.ndarray, "*batch degree"]:
    """Return what two fields have in common at each degree.

        X(l) = Re a_l0 b*_l0 + 2 Σ_{m>0} Re a_lm b*_lm,      Σ_l X(l) = ⟨f g⟩ over the sphere

    Of a field with itself it is the spectrum S(l), which adds up to the mean square.

    Args:
        one: Coefficients a.
        other: Coefficients b.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        product = (one * other.conj()).real
        return 2 * product.sum(axis=-1) - product[..., 0]
