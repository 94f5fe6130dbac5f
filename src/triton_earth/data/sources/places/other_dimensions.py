"""Other dimensions: what a variable depends on besides time, place and level, and what to do with it."""

import xarray as xr

from triton_earth.data.formats.decoding import EXPVER
from triton_earth.data.sources.places.coordinates import find_axis, rotated_axes
from triton_earth.data.sources.times.axis import find_time, is_lead


def other_dimensions(dataset: xr.Dataset, array: xr.DataArray, time: str | None) -> list[str]:
    """Return the dimensions of several fields of a variable that are neither time nor place.

    Args:
        dataset: The file.
        array: The variable.
        time: Its coordinate of time, or None.
    """
    horizontal = (
        find_axis(dataset, kind, array.dims) or find_axis(dataset, kind)
        for kind in ("latitude", "longitude")
    )
    names = [name for name in (time, *horizontal, *rotated_axes(dataset)) if name is not None]
    expected = {one for name in names for one in dataset.variables[name].dims}
    return [str(one) for one in array.dims if one not in expected and array.sizes[one] > 1]


def only_other_dimension(dataset: xr.Dataset, array: xr.DataArray) -> str | None:
    """Return the dimension of several fields that is no place and no level, if a variable has exactly one, or None."""
    level = find_axis(dataset, "level", array.dims)
    along = () if level is None else dataset.variables[level].dims
    others = [one for one in other_dimensions(dataset, array, None) if one not in along]
    return others[0] if len(others) == 1 else None


def what_to_do_with(others: list[str], dataset: xr.Dataset) -> str:
    """Return the remedy, in words, for a variable that depends on dimensions that a record of maps has not."""
    first = others[0]
    if first == EXPVER:
        return (
            "Put final and preliminary data together, final first (xarray: ds.sel(expver=1).combine_first("
            "ds.sel(expver=5)), with the numbers that the file has), and write a new file."
        )
    coordinate = dataset.variables.get(first)
    start = find_time(dataset, dataset.dims) or find_time(dataset)
    one_start = start is not None and dataset.variables[start].ndim == 0
    if coordinate is not None and is_lead(first, coordinate) and one_start:
        return (
            "It is the time since the start of one forecast: give the fields the times at which they are valid "
            f"(xarray: ds.assign_coords(valid_time=ds.{start} + ds.{first}).swap_dims({first}='valid_time')), and "
            "write a new file."
        )
    return f"Choose one of each (xarray: ds.isel({first}=0)) and write a new file."
