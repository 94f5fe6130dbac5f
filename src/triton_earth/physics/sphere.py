"""Derivatives on latitude-longitude grids: relative vorticity, geostrophic currents.

All fields are [*batch, y, x] on a sphere of radius `EARTH_RADIUS`, latitude from south to north, longitude from west to
east, both in degrees. Derivatives are centred differences of second order, one-sided at the borders of a region; a cell
with a missing neighbour is missing.
"""

import numpy as np
from jaxtyping import Float, Float64

EARTH_RADIUS = 6.371e6
"""a in m."""
ANGULAR_VELOCITY = 7.292115e-5
"""Ω in rad/s."""
GRAVITY = 9.80665
"""g in m s⁻²."""
EQUATORIAL_BAND = 5.0
"""Degrees of latitude within which geostrophic balance says nothing."""

Latitude = Float64[np.ndarray, " y"]
Longitude = Float64[np.ndarray, " x"]
Fields = Float[np.ndarray, "*batch y x"]


def speed(u: Fields, v: Fields) -> Fields:
    """Return the speed √(u² + v²).

    Args:
        u: Eastward component [*batch, y, x].
        v: Northward component, in the same units.
    """
    return np.hypot(u, v)


def relative_vorticity(
    u: Fields, v: Fields, latitude: Latitude, longitude: Longitude, *, periodic: bool
) -> Fields:
    """Return the vertical component of vorticity relative to the Earth.

        ζ = 1/(a cos φ) [∂v/∂λ − ∂(u cos φ)/∂φ],      ζ(pole) = ± ⟨u⟩ cos φ₁ / (a (1 − |sin φ₁|))

    with φ₁ the row next to a row at a pole (Stokes' theorem for the cap that it bounds), + in the north. In a region
    that does not reach around the globe nobody can tell the vorticity at a pole: NaN.

    Args:
        u: Eastward velocity [*batch, y, x] in m/s.
        v: Northward velocity in m/s.
        latitude: φ in degrees north, ascending, at least three.
        longitude: λ in degrees east, ascending, at least three.
        periodic: Whether the last cell's eastern neighbour is the first.

    Returns:
        ζ [*batch, y, x] in s⁻¹.
    """
    cosine = np.cos(np.deg2rad(latitude))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        zeta = (_eastward(v, longitude, periodic) - _northward(u * cosine, latitude)) / (
            EARTH_RADIUS * cosine
        )
    for row, neighbour, sign in ((0, 1, -1.0), (-1, -2, 1.0)):
        if abs(abs(latitude[row]) - 90) < 1e-6:
            sine = abs(np.sin(np.deg2rad(latitude[neighbour])))
            circulation = u[..., neighbour, :].mean(axis=-1) * cosine[neighbour, 0]
            if not periodic:
                circulation = np.full_like(circulation, np.nan)
            zeta[..., row, :] = (sign * circulation / (EARTH_RADIUS * (1 - sine)))[..., None]
    return zeta


def geostrophic_eastward(height: Fields, latitude: Latitude) -> Fields:
    """Return the eastward current in geostrophic balance with a sea surface height.

        u = −g/(f a) ∂η/∂φ,      f = 2 Ω sin φ;      NaN within `EQUATORIAL_BAND` of the equator

    Args:
        height: η [*batch, y, x] in m.
        latitude: φ in degrees north, ascending, at least three.

    Returns:
        u [*batch, y, x] in m/s.
    """
    return -GRAVITY / EARTH_RADIUS * _northward(height, latitude) / _coriolis(latitude)


def geostrophic_northward(
    height: Fields, latitude: Latitude, longitude: Longitude, *, periodic: bool
) -> Fields:
    """Return the northward current in geostrophic balance with a sea surface height.

        v = g/(f a cos φ) ∂η/∂λ,      f = 2 Ω sin φ;      NaN within `EQUATORIAL_BAND` of the equator, and at a pole

    Args:
        height: η [*batch, y, x] in m.
        latitude: φ in degrees north, ascending.
        longitude: λ in degrees east, ascending, at least three.
        periodic: Whether the last cell's eastern neighbour is the first.

    Returns:
        v [*batch, y, x] in m/s.
    """
    cosine = np.cos(np.deg2rad(latitude))[:, None]
    cosine = np.where(cosine < 1e-9, np.nan, cosine)
    slope = _eastward(height, longitude, periodic) / (EARTH_RADIUS * cosine)
    return GRAVITY * slope / _coriolis(latitude)


def _coriolis(latitude: Latitude) -> Float64[np.ndarray, "y 1"]:
    parameter = 2 * ANGULAR_VELOCITY * np.sin(np.deg2rad(latitude))
    return np.where(np.abs(latitude) < EQUATORIAL_BAND, np.nan, parameter)[:, None]


def _northward(field: Fields, latitude: Latitude) -> Fields:
    """Return ∂/∂φ, per radian."""
    return np.gradient(field, np.deg2rad(latitude), axis=-2, edge_order=2)


def _eastward(field: Fields, longitude: Longitude, periodic: bool) -> Fields:
    """Return ∂/∂λ, per radian."""
    radians = np.deg2rad(longitude)
    if not periodic:
        return np.gradient(field, radians, axis=-1, edge_order=2)
    around = np.concatenate([field[..., -1:], field, field[..., :1]], axis=-1)
    turned = np.concatenate([radians[-1:] - 2 * np.pi, radians, radians[:1] + 2 * np.pi])
    return np.gradient(around, turned, axis=-1)[..., 1:-1]
