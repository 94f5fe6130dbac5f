"""Attributes of files: text where the conventions ask for text, whatever somebody wrote."""

import re

import numpy as np
import xarray as xr

_DEGREES = r"(?:deg(?:ree)?s?|°)[ _.]*"
_DIRECTIONS = {
    "north": re.compile(rf"{_DEGREES}n(?:orth)?"),
    "east": re.compile(rf"{_DEGREES}e(?:ast)?"),
    "west": re.compile(rf"{_DEGREES}w(?:est)?"),
    # "degrees" and "degs" themselves say no direction.
    "south": re.compile(rf"{_DEGREES}south|(?:deg(?:ree)?(?:s|s?[ _.]+)|°[ _.]*)s"),
}


def text_of(variable: xr.Variable | xr.DataArray, name: str) -> str | None:
    """Return an attribute as text, a number in digits.

    Args:
        variable: What has the attribute.
        name: Which attribute.

    Returns:
        Its text; None where it is not there or holds several values, which say nothing.
    """
    value = variable.attrs.get(name)
    if value is None or np.size(value) != 1:
        return None
    if isinstance(value, str):
        return value
    only = np.ravel(value)[0]
    return f"{only:g}" if np.issubdtype(type(only), np.number) else str(only)


def direction_of(variable: xr.Variable | xr.DataArray) -> str | None:
    """Return where an angle counts to by its units, ``degreeN`` to the north; None where they say nothing."""
    units = (text_of(variable, "units") or "").strip().lower()
    return next((name for name, form in _DIRECTIONS.items() if form.fullmatch(units)), None)


def packing_of(array: xr.DataArray) -> tuple[float, float] | None:
    """Return (scale factor, offset) of a variable that its file packs into integers, else None."""
    if np.dtype(array.encoding.get("dtype", array.dtype)).kind not in "iu":
        return None
    scale, offset = (
        float(np.ravel(array.encoding.get(name, default))[0])
        for name, default in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    return scale, offset
