"""Scores that are taken of one forecast after the other, put together for a comparison."""

from collections.abc import Sequence

import xarray as xr


def together(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the scores of several models together, each of which was scored beside the same references.

    Args:
        parts: Scores of each model, first along `forecast` and `source`; the references that follow it, and the truth,
            are the same in all parts.

    Returns:
        The same scores with all models before the references.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    data = {}
    for name, score in first.data_vars.items():
        along = str(score.dims[0])
        models = [part[name].isel({along: slice(0, 1)}) for part in parts]
        rest = score.isel({along: slice(1, None)})
        data[name] = xr.concat([*models, rest], dim=along).assign_attrs(score.attrs)
    return xr.Dataset(data)


def by_ensemble(names: Sequence[str], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the scores of several ensembles side by side.

    Args:
        names: Names of the models.
        parts: Scores of the members of each; ensembles may have different sizes.

    Returns:
        The same scores with a first dimension `ensemble` or, of a single one, as they are.
    """
    if len(parts) == 1:
        return parts[0]
    joined = xr.concat(parts, dim="ensemble", join="outer", combine_attrs="override")
    return joined.assign_coords(ensemble=("ensemble", list(names), {"long_name": "ensemble"}))
