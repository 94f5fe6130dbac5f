"""Spherical harmonics of fields on global latitude-longitude grids: coefficients and spectra by degree."""

import math
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Complex128, Float, Float64, Int

from triton_earth.physics.sphere import EARTH_RADIUS


def legendre(
    sine: Float64[np.ndarray, " y"], order: int, highest: int, fewer: int = 0
) -> Float64[np.ndarray, "degree y"]:
    """Return the normalised associated Legendre functions of one order.

        ½ ∫ P_lm(μ) P_km(μ) dμ = δ_lk,      P_lm = √(4π) |Y_lm(φ, 0)| up to its sign, no Condon-Shortley phase

    by the recurrence over degrees (Holmes and Featherstone 2002, J. Geodesy 76, 279, Eq. 11).

    Args:
        sine: μ = sin φ.
        order: m.
        highest: Highest degree.
        fewer: Factors cos φ that are left out of P_lm, at most m of them.

    Returns:
        P_lm for l = m … `highest`.
    """
    cosine = np.sqrt(np.clip(1 - sine**2, 0, None))
    functions = np.zeros((highest - order + 1, len(sine)))
    functions[0] = 1.0
    for m in range(1, order + 1):
        functions[0] *= np.sqrt((2 * m + 1) / (2 * m)) * (cosine if m > fewer else 1.0)
    for row in range(1, len(functions)):
        degree = order + row
        scale = np.sqrt((4 * degree**2 - 1) / (degree**2 - order**2))
        functions[row] = sine * functions[row - 1]
        if row > 1:
            functions[row] -= functions[row - 2] * _ratio(degree - 1, order)
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
        self._latitude = latitude
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
        with np.errstate(invalid="ignore", over="ignore"):
            waves = self._waves(fields)
            found = self._empty(fields)
            for order, analysis in enumerate(self._analysis):
                found[:, order:, order] = _complex(analysis @ waves[order]).T
        return found.reshape(*fields.shape[:-2], *found.shape[1:])

    def vorticity(
        self, u: Float[np.ndarray, "*batch y x"], v: Float[np.ndarray, "*batch y x"]
    ) -> Complex128[np.ndarray, "*batch degree order"]:
        """Return the coefficients of the vorticity of a velocity on the sphere, exact for flows without higher degrees.

            ζ_lm = ½ ∫ ζ_m P_lm dμ = 1/(2a) ∫ (i m v_m P_lm / cos φ + u_m dP_lm/dφ) dμ,      μ = sin φ
            dP_lm/dφ = ((l + 1) ε_l P_(l−1)m − l ε_(l+1) P_(l+1)m) / cos φ,      ε_l = √((l² − m²) / (4l² − 1))

        by parts, so that no derivative of the velocity is needed.

        Args:
            u: Eastward component in m/s.
            v: Northward component.

        Returns:
            ζ_lm for m ≥ 0 in s⁻¹; 0 where m > l.
        """
        size = self.highest + 1
        with np.errstate(invalid="ignore", over="ignore"):
            eastward, northward = self._waves(u), self._waves(v)
            found = self._empty(u)
            for order, projection in enumerate(self._over_cosine):
                degrees = np.arange(order, size)
                lower = ((degrees + 1) * _ratio(degrees, order))[1:, None]
                upper = (degrees * _ratio(degrees + 1, order))[:, None]
                of_u = projection @ eastward[order]
                of_v = _complex(projection[:-1] @ northward[order])
                total = -upper * of_u[1:]
                total[1:] += lower * of_u[:-2]
                found[:, order:, order] = (_complex(total) + 1j * order * of_v).T
        found = found.reshape(*u.shape[:-2], size, size)
        return found / EARTH_RADIUS

    def _waves(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "order y parts"]:
        """Return real and imaginary parts of the Fourier coefficients of all rows, those of one order together.

        So a product of two real matrices takes all fields through the analysis of an order, which is read once.
        """
        flat = fields.reshape(-1, *fields.shape[-2:]).astype(np.float64)
        waves = np.fft.rfft(flat, axis=-1, norm="forward")[..., : self.highest + 1]
        return np.ascontiguousarray(waves.transpose(2, 1, 0)).view(np.float64)

    def _empty(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Complex128[np.ndarray, "field degree order"]:
        """Return zeros for the coefficients of all fields."""
        size = self.highest + 1
        return np.zeros((math.prod(fields.shape[:-2]), size, size), np.complex128)

    @cached_property
    def _over_cosine(self) -> list[Float64[np.ndarray, "degree y"]]:
        """½ w P_lm / cos φ for l = m … highest + 1, of every order m.

        The weights w integrate over μ what is a polynomial of a degree up to 2 · highest + 1. At the poles P_l0 / cos φ
        is set to zero, as dP_l0/dφ is there.
        """
        sine, cosine = (function(np.deg2rad(self._latitude)) for function in (np.sin, np.cos))
        moments = legendre(sine, 0, 2 * self.highest + 1)
        wanted = np.zeros(len(moments))
        wanted[0] = 2.0
        near = cosine * (2 / cosine.sum())
        weights = near + np.linalg.pinv(moments) @ (wanted - moments @ near)
        pole = cosine < 1e-9
        inverse = np.where(pole, 0.0, 1 / np.where(pole, 1.0, cosine))
        top = self.highest + 1
        return [
            0.5 * weights * (legendre(sine, m, top, 1) if m else legendre(sine, 0, top) * inverse)
            for m in range(top)
        ]


def cross_by_degree(
    one: Complex128[np.ndarray, "*batch degree order"],
    other: Complex128[np.ndarray, "*batch degree order"],
) -> Float64[np.ndarray, "*batch degree"]:
    """Return the covariance of two fields at each degree.

        X(l) = Re a_l0 b*_l0 + 2 Σ_{m>0} Re a_lm b*_lm,      Σ_l X(l) = ⟨f g⟩ over the sphere

    Of a field with itself it is the spectrum S(l), which adds up to the mean square.

    Args:
        one: Coefficients a.
        other: Coefficients b.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        product = one.real * other.real
        product += one.imag * other.imag
        return 2 * product.sum(axis=-1) - product[..., 0]


def _complex(parts: Float64[np.ndarray, "degree parts"]) -> Complex128[np.ndarray, "degree field"]:
    return np.ascontiguousarray(parts).view(np.complex128)


def _ratio(degree: int | Int[np.ndarray, " degree"], order: int) -> Any:
    """Return ε_l = √((l² − m²) / (4l² − 1))."""
    return np.sqrt((degree**2 - order**2) / (4 * degree**2 - 1))
