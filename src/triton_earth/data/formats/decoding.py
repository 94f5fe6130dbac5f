"""Decoding: what the attributes of a file make of its numbers, by the CF conventions and before any value is read.

Source: CF conventions 1.11, sections 2.5 (missing data, valid range), 3.5 (flags) and 8.1 (packed data).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.data.formats.declared import Declared, MergedVersions, declared_by, lazily
from triton_earth.data.sources.attributes import direction_of

_FILLS = ("_FillValue", "missing_value")
EXPVER = "expver"
"""Dimension of ERA5 files that hold final data (1) and preliminary data (5) side by side."""


def decode(
    raw: xr.Dataset, zero_is_declared: Callable[[str], bool] = lambda name: True
) -> xr.Dataset:
    """Decode a dataset that was opened with ``decode_cf=False``; times are left as numbers.

    Beyond what xarray does: missing values of another precision or written as text are those of the variable's type;
    values outside the valid range and flags are missing; a coordinate has no missing values; where final and
    preliminary data lie side by side (``expver`` 1 and 5), the preliminary stand where there are no final.

    Args:
        raw: Stored numbers, lazily.
        zero_is_declared: Whether the attributes of a variable whose fill value is 0 say so themselves; in Zarr 2 it may
            only be what chunks hold that were never written.

    Returns:
        The dataset, its fields still to be read.
    """
    for name, variable in raw.variables.items():
        for attribute in _FILLS:
            if attribute not in variable.attrs:
                continue
            fills = _of_type(variable.attrs.pop(attribute), variable)
            if not _is_value(str(name), variable, fills, zero_is_declared):
                variable.attrs[attribute] = fills[0] if fills.size == 1 else fills
    decoded = xr.decode_cf(raw, decode_times=False)
    for name, variable in decoded.variables.items():
        changed = _merged(_as_declared(variable, raw.variables[name]), decoded)
        if changed is not variable:
            decoded = decoded.assign({name: changed})
    return decoded


def _of_type(value: Any, variable: xr.Variable) -> np.ndarray:
    """Return fill values as numbers of the variable's type, without those that it cannot hold."""
    stored = variable.dtype
    if stored.kind not in "iuf" or "_Unsigned" in variable.attrs:
        return np.atleast_1d(value)
    try:
        numbers = np.atleast_1d(np.asarray(value).astype(np.float64))
    except ValueError:
        return np.array([], dtype=stored)
    if stored.kind == "f":
        with np.errstate(over="ignore"):
            return numbers.astype(stored)
    limits = np.iinfo(stored)
    held = (numbers == np.rint(numbers)) & (numbers >= limits.min) & (numbers <= limits.max)
    return numbers[held].astype(stored)


def _is_value(
    name: str,
    variable: xr.Variable,
    fills: np.ndarray,
    zero_is_declared: Callable[[str], bool],
) -> bool:
    """Whether what is declared as missing is a value all the same, or is nothing."""
    if fills.size == 0:
        return True
    if variable.ndim == 1 and variable.dtype.kind in "iuf" and variable.size > 1:
        steps = np.diff(variable.values.astype(np.float64))
        if (steps > 0).all() or (steps < 0).all():
            return True  # a coordinate
    zero = fills.size == 1 and fills.dtype.kind in "biuf" and fills[0] == 0
    return bool(zero and not zero_is_declared(name))


def _as_declared(variable: xr.Variable, raw: xr.Variable) -> xr.Variable:
    """Return a field with what its attributes declare as no value missing."""
    if variable.ndim < 2 or variable.dtype.kind not in "iuf":
        return variable
    if direction_of(variable) is not None:
        return variable
    declared = declared_by(raw)
    if declared is None:
        return variable
    field = Declared(variable, declared)
    return lazily(field, variable, {"declared": field})


def _merged(variable: xr.Variable, dataset: xr.Dataset) -> xr.Variable:
    """Return a field of which final and preliminary data lie side by side as one."""
    if EXPVER not in variable.dims or variable.ndim < 2 or variable.dtype.kind != "f":
        return variable
    if EXPVER not in dataset.variables:
        return variable
    versions = [str(version).lstrip("0") for version in dataset.variables[EXPVER].values.tolist()]
    if sorted(versions) != ["1", "5"]:
        return variable
    field = MergedVersions(variable, EXPVER, [versions.index("1"), versions.index("5")])
    return lazily(field, variable, {"versions": "final (1), preliminary (5) where there is none"})
