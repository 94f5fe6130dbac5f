"""Cell methods: whether values hold for a moment or for an interval, and so what becomes of them on a longer step."""

import re
from typing import Literal

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.values.units import canonical_units

Aggregation = Literal["sum", "mean", "sample", "maximum", "minimum"]

_OF_METHOD = {"sum": "sum", "mean": "mean", "point": "sample"}
_OF_GRIB = {"instant": "sample", "accum": "sum", "avg": "mean", "avgua": "mean", "avgid": "mean"}
_OF_XIOS = {"instant": "sample", "average": "mean", "accumulate": "sum"}
_ACCUMULATED_UNITS = ("J m-2",)
_ACCUMULATED = ("total_precipitation",)
_FLUXES = ("W m-2", "kg m-2 s-1", "N m-2")
"""Known variables of these units are means in most archives and momentary in some: nobody can tell."""


def aggregation_of(
    array: xr.DataArray, known: KnownVariable | None, times: tuple[str, ...]
) -> Aggregation | None:
    """Return whether a file calls a variable's values sums, means or momentary; None where it does not say.

    What is known of a variable tells only where it is certain: precipitation in metres and radiation in joules are
    accumulated, temperature, wind and other state variables are taken as they are.

    Args:
        array: The variable.
        known: What is known of it.
        times: Names of its time dimension and coordinate.
    """
    match _stated(array, times):
        case "sum":
            return "sum"
        case "mean":
            return "mean"
        case "sample":
            return "sample"
        case str():
            return None  # the maximum of a month may be its largest value, or the mean of its days' maxima
    if canonical_units(text_of(array, "units") or "") in _ACCUMULATED_UNITS:
        return "sum"
    if known is None or known.units in _FLUXES:
        return None
    return "sum" if known.name in _ACCUMULATED or known.units in _ACCUMULATED_UNITS else "sample"


def is_momentary(array: xr.DataArray, times: tuple[str, ...]) -> bool:
    """Return whether the file says that values hold for the moment of their stamp, whatever bounds there are."""
    return _stated(array, times) == "sample"


def ends_at_stamp(array: xr.DataArray) -> bool:
    """Return whether the intervals of a variable end at its stamps, as GRIB has it for means and accumulations."""
    return _OF_GRIB.get(text_of(array, "GRIB_stepType") or "") in ("sum", "mean")


def require_told(
    aggregation: Aggregation | None, name: str, what: str, step: str, own: str
) -> Aggregation:
    """Refuse a variable whose values may be momentary or not, where a longer step makes a difference.

    Raises:
        UserError: naming the key that tells.
    """
    if aggregation is not None:
        return aggregation
    raise UserError(
        f"{what} is to be put from steps of {own} onto data.step {step}: expected that the file says whether it is "
        "accumulated, a mean or momentary (attribute cell_methods), found nothing certain. Say it in data.variables: "
        f"{{name: {name}, aggregate: mean}}, or sum, sample, maximum, minimum."
    )


def aggregate(
    how: Aggregation, fields: Float64[np.ndarray, "time *cells"]
) -> Float64[np.ndarray, "*cells"]:
    """Return the sum, mean, maximum or minimum over times; NaN where one of them has no value."""
    match how:
        case "sum":
            return fields.sum(axis=0)
        case "mean":
            return fields.mean(axis=0)
        case "maximum":
            return fields.max(axis=0)
        case _:
            return fields.min(axis=0)


def _stated(array: xr.DataArray, times: tuple[str, ...]) -> str | None:
    """Return the method that attributes name: sum, mean, sample or another; None where they name none."""
    methods = text_of(array, "cell_methods") or ""
    names = "|".join(re.escape(name) for name in dict.fromkeys((*times, "time")))
    # "area: time: mean" and "time: mean (interval: 1 hour)" say it of time; what comes last was done last.
    found = re.findall(rf"\b(?:{names}):\s*(?:\w+:\s*)*(\w+)", methods)
    if found:
        if len(set(found)) > 1:
            return "several"
        return _OF_METHOD.get(found[-1].lower(), found[-1].lower())
    for attribute, meanings in (("GRIB_stepType", _OF_GRIB), ("online_operation", _OF_XIOS)):
        word = text_of(array, attribute)
        if word is not None:
            return meanings.get(word, word)
    return "mean" if text_of(array, "time_avg_info") else None
