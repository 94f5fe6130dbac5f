"""Derived forcings: what follows from time and place alone, known for every future time."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Float64

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Role, Variable, Variables

DerivedName = Literal["insolation", "sine_of_year", "cosine_of_year", "sine_of_latitude"]

SOLAR_CONSTANT = 1361.0
"""W m-2, Kopp and Lean (2011)."""

_DESCRIPTIONS: dict[str, tuple[str, str, Role]] = {
    "insolation": ("W m-2", "daily mean insolation at the top of the atmosphere", Role.FORCING),
    "sine_of_year": ("1", "sine of the time of the year", Role.FORCING),
    "cosine_of_year": ("1", "cosine of the time of the year", Role.FORCING),
    "sine_of_latitude": ("1", "sine of latitude", Role.STATIC),
}


def derived_variables(names: Iterable[str]) -> Variables:
    """Return what the named derived forcings are.

    Args:
        names: Any of `DerivedName`.
    """
    known = get_args(DerivedName)
    return Variables(
        tuple(
            Variable(name, *_DESCRIPTIONS[name][:2], role=_DESCRIPTIONS[name][2])
            for name in names
            if name in known
        )
    )


def derived_fields(
    names: Iterable[str], times: np.ndarray, grid: LatLonGrid
) -> Float32[np.ndarray, "time channel y x"]:
    """Compute derived forcings.

        insolation = S₀/π (h₀ sin φ sin δ + cos φ cos δ sin h₀),      cos h₀ = −tan φ tan δ,
        δ = 23.45° sin(2π (d + 284)/365.25)

    with d the day of the year from 1. The orbit is taken as a circle, which is right to 3.5 %.

    Args:
        names: Any of `DerivedName`.
        times: datetime64.
        grid: Where.

    Source: Hartmann (2016), Global Physical Climatology, appendix A; Cooper (1969) for the declination δ.
    """
    year = year_fraction(times)
    latitude = np.deg2rad(grid.y)
    fields = []
    for name in names:
        if name == "insolation":
            by_latitude = _insolation(year, latitude)
        elif name == "sine_of_latitude":
            by_latitude = np.broadcast_to(np.sin(latitude), (len(times), latitude.size))
        else:
            wave = np.sin if name == "sine_of_year" else np.cos
            by_latitude = np.broadcast_to(
                wave(2 * np.pi * year)[:, None], (len(times), latitude.size)
            )
        fields.append(np.repeat(by_latitude[:, :, None], grid.shape[1], axis=2))
    return np.stack(fields, axis=1).astype(np.float32)


def year_fraction(times: np.ndarray) -> Float64[np.ndarray, " time"]:
    """Return how much of its year has gone by at each time, 0 … 1; leap years are a day longer."""
    years = times.astype("datetime64[Y]")
    starts = years.astype("datetime64[ns]")
    ends = (years + 1).astype("datetime64[ns]")
    return (times.astype("datetime64[ns]") - starts) / (ends - starts)


def _insolation(
    year: Float64[np.ndarray, " time"], latitude: Float64[np.ndarray, " y"]
) -> Float64[np.ndarray, "time y"]:
    day = 1 + 365.25 * year
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (day + 284) / 365.25)[:, None]
    cosine = np.clip(-np.tan(latitude) * np.tan(declination), -1, 1)
    hour_angle = np.arccos(cosine)
    return (
        SOLAR_CONSTANT
        / np.pi
        * (
            hour_angle * np.sin(latitude) * np.sin(declination)
            + np.cos(latitude) * np.cos(declination) * np.sin(hour_angle)
        )
    )
