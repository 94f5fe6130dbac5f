"""Scores that are taken of one ensemble after the other, put together for a comparison."""

from collections.abc import Mapping

import xarray as xr


def by_ensemble(parts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Put the scores of several ensembles side by side.

    Args:
        parts: Scores of the members of each model by its name; ensembles may have different sizes.

    Returns:
        The same scores with a first dimension `ensemble` or, of a single one, as they are.
    """
    if len(parts) == 1:
        return next(iter(parts.values()))
    joined = xr.concat(parts.values(), dim="ensemble", join="outer", combine_attrs="override")
    return joined.assign_coords(ensemble=("ensemble", list(parts), {"long_name": "ensemble"}))
