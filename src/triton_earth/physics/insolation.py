"""Insolation at the top of the atmosphere, on the orbit of today."""

import numpy as np
from jaxtyping import Float64

SOLAR_CONSTANT = 1361.0
"""S₀ in W m⁻², Kopp and Lean (2011)."""
OBLIQUITY = 23.45
"""Degrees."""
ECCENTRICITY = 0.0167
"""e of the Earth's orbit, Berger (1978)."""
PERIHELION = 3 / 365.25
"""Elapsed fraction of the year when the Earth is nearest to the sun, about 4 January 00:00."""

YearFraction = Float64[np.ndarray, " time"]
Latitude = Float64[np.ndarray, " y"]


def daily_insolation(
    year_fraction: YearFraction, latitude: Latitude
) -> Float64[np.ndarray, "time y"]:
    """Return the insolation averaged over a day.

        Q = S₀ E/π (h₀ sin φ sin δ + cos φ cos δ sin h₀),      cos h₀ = −tan φ tan δ

    with δ the declination and E the inverse square of the distance from the sun (`inverse_square_distance`).

    Args:
        year_fraction: How much of the year has gone by, 0 … 1.
        latitude: φ in degrees north.

    Returns:
        Q [time, y] in W m⁻².

    Source: Hartmann (2016), Global Physical Climatology, section 2.7 and appendix A.
    """
    phi, delta = np.deg2rad(latitude), _declination(year_fraction)[:, None]
    hour_angle = np.arccos(np.clip(-np.tan(phi) * np.tan(delta), -1, 1))
    return (
        SOLAR_CONSTANT
        * inverse_square_distance(year_fraction)[:, None]
        / np.pi
        * (
            hour_angle * np.sin(phi) * np.sin(delta)
            + np.cos(phi) * np.cos(delta) * np.sin(hour_angle)
        )
    )


def instantaneous_insolation(
    year_fraction: YearFraction,
    day_fraction: Float64[np.ndarray, " time"],
    latitude: Latitude,
    longitude: Float64[np.ndarray, " x"],
) -> Float64[np.ndarray, "time y x"]:
    """Return the insolation at a moment.

        Q = S₀ E max(0, sin φ sin δ + cos φ cos δ cos h),      h = 2π d + λ − π

    with δ and E as in `daily_insolation`. The equation of time, up to 16 minutes, is left out.

    Args:
        year_fraction: How much of the year has gone by, 0 … 1.
        day_fraction: d, how much of the day has gone by in UTC, 0 … 1.
        latitude: φ in degrees north.
        longitude: λ in degrees east.

    Returns:
        Q [time, y, x] in W m⁻².

    Source: Hartmann (2016), Global Physical Climatology, section 2.7 and appendix A.
    """
    phi = np.deg2rad(latitude)[None, :, None]
    delta = _declination(year_fraction)[:, None, None]
    hour = 2 * np.pi * day_fraction[:, None, None] + np.deg2rad(longitude) - np.pi
    zenith = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(hour)
    sun = SOLAR_CONSTANT * inverse_square_distance(year_fraction)
    return sun[:, None, None] * np.maximum(zenith, 0.0)


def inverse_square_distance(year_fraction: YearFraction) -> Float64[np.ndarray, " time"]:
    """Return (r̄/r)², r the distance from the sun and r̄ the semi-major axis of the orbit.

        E = [(1 + e cos ν)/(1 − e²)]²,      ν = M + 2 e sin M + 5/4 e² sin 2M,      M = 2π (f − f_perihelion)

    Args:
        year_fraction: f, how much of the year has gone by, 0 … 1.

    Source: Berger (1978), J. Atmos. Sci. 35, 2362, equations 1 and 4; the true anomaly ν to second order in e.
    """
    mean = 2 * np.pi * (year_fraction - PERIHELION)
    true = mean + 2 * ECCENTRICITY * np.sin(mean) + 1.25 * ECCENTRICITY**2 * np.sin(2 * mean)
    return ((1 + ECCENTRICITY * np.cos(true)) / (1 - ECCENTRICITY**2)) ** 2


def _declination(year_fraction: YearFraction) -> Float64[np.ndarray, " time"]:
    """Return δ = 23.45° sin(2π (d + 284)/365.25), d the day of the year from 1, in radians (Cooper 1969)."""
    day = 1 + 365.25 * year_fraction
    return np.deg2rad(OBLIQUITY) * np.sin(2 * np.pi * (day + 284) / 365.25)
