"""Attributes of files: text where the conventions ask for text, whatever somebody wrote."""

import numpy as np
import xarray as xr


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


def packing_of(array: xr.DataArray) -> tuple[float, float] | None:
    """Return (scale factor, offset) of a variable that its file packs into integers, else None."""
    if np.dtype(array.encoding.get("dtype", array.dtype)).kind not in "iu":
        return None
    scale, offset = (
        float(np.ravel(array.encoding.get(name, default))[0])
        for name, default in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    return scale, offset
