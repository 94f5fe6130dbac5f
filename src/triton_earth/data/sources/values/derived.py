"""Derived forcings: what follows from time and place alone, known for every future time."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Float64

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import day_fraction, year_fraction
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.physics.insolation import daily_insolation, instantaneous_insolation

DerivedName = Literal[
    "insolation",
    "instantaneous_insolation",
    "sine_of_year",
    "cosine_of_year",
    "sine_of_day",
    "cosine_of_day",
    "sine_of_latitude",
    "sine_of_longitude",
    "cosine_of_longitude",
]

_DESCRIPTIONS: dict[str, tuple[str, str, Role]] = {
    "insolation": ("W m-2", "daily mean insolation at the top of the atmosphere", Role.FORCING),
    "instantaneous_insolation": (
        "W m-2",
        "insolation at the top of the atmosphere at the moment",
        Role.FORCING,
    ),
    "sine_of_year": ("1", "sine of the time of the year", Role.FORCING),
    "cosine_of_year": ("1", "cosine of the time of the year", Role.FORCING),
    "sine_of_day": ("1", "sine of the time of the day in UTC", Role.FORCING),
    "cosine_of_day": ("1", "cosine of the time of the day in UTC", Role.FORCING),
    "sine_of_latitude": ("1", "sine of latitude", Role.STATIC),
    "sine_of_longitude": ("1", "sine of longitude", Role.STATIC),
    "cosine_of_longitude": ("1", "cosine of longitude", Role.STATIC),
}


def is_derived(name: str) -> bool:
    """Return whether a variable of this name follows from time and place alone."""
    return name in _DESCRIPTIONS


def derived_variables(names: Iterable[str]) -> Variables:
    """Return the variables of the named derived forcings.

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
    """Compute derived forcings: insolation, sines and cosines of the time of the year, of the day, and of the place.

    Args:
        names: Any of `DerivedName`.
        times: datetime64.
        grid: Where.
    """
    shape = (len(times), *grid.shape)
    fields = [np.broadcast_to(_field(name, times, grid), shape) for name in names]
    return np.stack(fields, axis=1).astype(np.float32)


def _field(name: str, times: np.ndarray, grid: LatLonGrid) -> Float64[np.ndarray, "_ _ _"]:
    """Return one of them; axes along which it is the same everywhere have length 1."""
    match name:
        case "insolation":
            return daily_insolation(year_fraction(times), grid.y)[:, :, None]
        case "instantaneous_insolation":
            return instantaneous_insolation(
                year_fraction(times), day_fraction(times), grid.y, grid.x
            )
        case "sine_of_latitude":
            return np.sin(np.deg2rad(grid.y))[None, :, None]
        case "sine_of_longitude":
            return np.sin(np.deg2rad(grid.x))[None, None, :]
        case "cosine_of_longitude":
            return np.cos(np.deg2rad(grid.x))[None, None, :]
    wave, _, of = name.partition("_of_")
    fraction = year_fraction(times) if of == "year" else day_fraction(times)
    function = np.sin if wave == "sine" else np.cos
    return function(2 * np.pi * fraction)[:, None, None]
