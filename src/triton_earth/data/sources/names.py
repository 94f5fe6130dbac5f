"""Names: which variables of a file are fields, and what archives call them; the table is in `known_variables.py`."""

from collections.abc import Collection

import xarray as xr

from triton_earth.data.sources.attributes import direction_of, text_of
from triton_earth.data.sources.known_variables import BY_NAME, KNOWN, KnownVariable
from triton_earth.data.sources.places.coordinates import find_axis

_BY_ALIAS = {alias: known for known in KNOWN for alias in known.aliases}
_UNDER_WATER = {
    "u": "eastward_sea_water_velocity",
    "v": "northward_sea_water_velocity",
    "temp": "potential_temperature",
}
"""What names that may be anything mean where the levels are depths."""


def known_variable(*names: str | None) -> KnownVariable | None:
    """Return the variable that one of the names (canonical, of a file, or CF standard name) means, or None."""
    for name in names:
        if name is None:
            continue
        if name in BY_NAME:
            return BY_NAME[name]
        if name.lower() in _BY_ALIAS:
            return _BY_ALIAS[name.lower()]
    return None


def name_among(name: str, names: Collection[str]) -> str:
    """Return the one of some names that a name means: itself, or its canonical name; ``sst`` finds the latter.

    Args:
        name: What the user wrote; where it means none of `names`, it is returned as it is.
        names: Names of variables.
    """
    known = None if name in names else known_variable(name)
    return known.name if known is not None and known.name in names else name


def without_level(name: str) -> str:
    """Return ``temperature`` for ``temperature_850``."""
    stem, _, level = name.rpartition("_")
    return stem if stem and level.replace(".", "", 1).isdigit() else name


def is_vague(name: str) -> bool:
    """Return whether a name may be anything: a letter, or one that both weather and ocean have."""
    return len(name) == 1 or name.lower() in _UNDER_WATER


def known_in_file(
    name: str, standard_name: str | None, *, under_water: bool = False
) -> KnownVariable | None:
    """Return the variable that a variable of a file is, or None where nobody can tell.

    A name of several letters says what it is; else the CF standard name does; a letter alone means what it means in
    weather forecasting, unless its levels are depths or it has a standard name that is not known.

    Args:
        name: Name in the file.
        standard_name: Its CF standard name, or None.
        under_water: Whether its levels are depths.
    """
    if is_vague(name):
        if standard_name is not None:
            return known_variable(standard_name)
        if under_water:
            return BY_NAME.get(_UNDER_WATER.get(name.lower(), ""))
        return known_variable(name) if len(name) == 1 else None
    return known_variable(name, standard_name)


def fields_of(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the variables of a file that may be fields, by name.

    Such are also those that another variable names as its coordinates, as ocean models have it with masks and depths,
    unless they are places, levels or bounds of cells.
    """
    axes = {find_axis(dataset, kind) for kind in ("latitude", "longitude")}
    bounds = {text_of(variable, "bounds") for variable in dataset.variables.values()}
    named = {
        str(name)
        for name, variable in dataset.coords.items()
        if variable.ndim > 1
        and variable.dtype.kind in "iufb"
        and name not in axes | bounds
        and not _is_place(variable)
    }
    return {
        str(name): dataset[name]
        for name in dataset.variables
        if name in dataset.data_vars or name in named
    }


def _is_place(variable: xr.DataArray) -> bool:
    """Whether a variable of several dimensions says where or when others are; a map of depths does not."""
    if text_of(variable, "standard_name") in ("latitude", "longitude", "time"):
        return True
    if text_of(variable, "axis") is not None or direction_of(variable) is not None:
        return True
    if variable.ndim > 2 and text_of(variable, "positive") is not None:
        return True
    return " since " in (text_of(variable, "units") or "")
