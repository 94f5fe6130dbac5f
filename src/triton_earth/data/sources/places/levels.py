"""Levels of files: along a dimension or as a single value, pressures in hPa and lengths in m."""

from collections.abc import Hashable, Iterable

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.places.coordinates import (
    LEVEL_NAMES,
    find_axis,
    is_described,
    is_pressure,
)
from triton_earth.data.sources.values.units import canonical_units, conversion

NEAR_GROUND = 3.0
"""Metres up to which heights of one variable may differ between files: models have it at 1.5, 2 or 2.5."""

_DEPTHS = (
    "depth", "deptht", "depthu", "depthv", "depthw", "olevel", "st_ocean", "zt", "z_t", "z_l", "zl",
)  # fmt: skip
_UNITS = {"hPa": ("Pa", "kPa"), "m": ("cm", "km")}
"""Units of levels, and what is converted to them."""


def single_level(dataset: xr.Dataset, array: xr.DataArray, what: str) -> float | None:
    """Return the level of a variable that the file says as a single value, in hPa or m, or None."""
    name = _single(dataset, array)
    return None if name is None else float(level_values(dataset, name, what)[0])


def is_near_ground(dataset: xr.Dataset, array: xr.DataArray, what: str) -> bool:
    """Return whether a variable lies at a single height of the air near the ground, at 1.5 to 2.5 m in models."""
    name = _single(dataset, array)
    if name is None or _is_depth(dataset, name) or is_pressure(dataset.variables[name]):
        return False
    return abs(float(level_values(dataset, name, what)[0])) <= NEAR_GROUND


def _single(dataset: xr.Dataset, array: xr.DataArray) -> str | None:
    """Return the name of a single value that is the level of a variable, or None."""
    named = (text_of(array, "coordinates") or str(array.encoding.get("coordinates", ""))).split()
    for key in [*named, *map(str, array.coords)]:
        variable = dataset.variables.get(key)
        if variable is None or variable.ndim or variable.dtype.kind not in "iuf":
            continue
        if key.lower() in LEVEL_NAMES or is_pressure(variable) or is_described(variable, "level"):
            return key
    return None


def level_indices(
    dataset: xr.Dataset, name: str, levels: tuple[float, ...], what: str
) -> list[int]:
    """Return the index of each level in a file's level coordinate, to a thousandth.

    Raises:
        UserError: naming the levels that there are, if one is missing.
    """
    values = level_values(dataset, name, what)
    indices = []
    for level in levels:
        distance = np.abs(np.abs(values) - abs(level))
        index = int(np.argmin(distance))
        if distance[index] > 1e-3 * max(abs(level), 1.0):
            known = ", ".join(f"{value:g}" for value in values[:40])
            raise UserError(f"{what}: level {level:g} is not there; '{name}' has {known}.")
        indices.append(index)
    return indices


def level_values(dataset: xr.Dataset, name: str, what: str) -> Float64[np.ndarray, " level"]:
    """Return the levels of a file, pressures in hPa and lengths in m.

    Raises:
        UserError: if they are no numbers.
    """
    variable = dataset.variables[name]
    if variable.dtype.kind not in "iuf":
        raise UserError(
            f"{what}: level '{name}' holds {variable.values[:2].tolist()} and no numbers, so nobody can tell how high "
            "they are. Give it numbers in hPa or m (xarray: ds.assign_coords)."
        )
    values = np.atleast_1d(variable.values.astype(np.float64))
    units = canonical_units(text_of(variable, "units") or "")
    for wanted, others in _UNITS.items():
        if units in others:
            scale, _ = conversion(units, wanted) or (1.0, 0.0)
            return scale * values
    return values


def lies_under_water(dataset: xr.Dataset, dimensions: Iterable[Hashable]) -> bool:
    """Return whether the levels of a variable of these dimensions are depths."""
    name = find_axis(dataset, "level", dimensions)
    if name is None:
        return False
    return _is_depth(dataset, name)


def _is_depth(dataset: xr.Dataset, name: str) -> bool:
    variable = dataset.variables[name]
    if name.lower() in _DEPTHS or text_of(variable, "standard_name") == "depth":
        return True
    length = conversion(text_of(variable, "units") or "", "m") is not None
    return length and text_of(variable, "positive") == "down"
