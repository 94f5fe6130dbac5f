"""Files with all channels in one nameless array [time, channel, y, x]: named as the recipe says."""

import re
from pathlib import PurePath

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.sources.config import ChannelArray

YEAR = "{year}"


def named_channels(
    files: list[tuple[str, xr.Dataset]], array: ChannelArray
) -> list[tuple[str, xr.Dataset]]:
    """Give the channels of each file their names, and the files coordinates and times.

    Args:
        files: Opened files, in the order of time.
        array: What the recipe says about them.

    Returns:
        The files as if they had described themselves.

    Raises:
        UserError: if the array is not in a file, is not four-dimensional, or has another number of channels; if a
            file's name has no year though `start` asks for it.
    """
    named = []
    hours = 0.0
    for source, dataset in files:
        fields = _array(source, dataset, array)
        times, _, rows, columns = fields.shape
        if YEAR in array.start:
            hours = 0.0
        coordinates = {
            "time": (
                "time",
                hours + array.step_hours * np.arange(times),
                {"units": f"hours since {_start(source, array.start)}"},
            ),
            "latitude": ("latitude", np.linspace(*array.latitude, rows)),
            "longitude": ("longitude", np.linspace(*array.longitude, columns)),
            **({"level": ("level", list(array.levels))} if array.levels else {}),
        }
        hours += array.step_hours * times
        named.append((source, xr.Dataset(_variables(fields, array), coords=coordinates)))
    return named


def _array(source: str, dataset: xr.Dataset, array: ChannelArray) -> xr.DataArray:
    if array.name not in dataset.variables:
        raise UserError(
            f"{source}: there is no array '{array.name}'; found {sorted(map(str, dataset.variables))}. "
            "Correct data.array.name."
        )
    fields = dataset[array.name]
    if fields.ndim != 4:
        raise UserError(
            f"{source}: '{array.name}' has shape {fields.shape}; expected [time, channel, y, x]."
        )
    named = sum(len(channel.levels or (None,)) for channel in array.channels)
    if fields.shape[1] != named:
        raise UserError(
            f"{source}: '{array.name}' has {fields.shape[1]} channels, but data.array.channels names {named}. "
            "Name them all."
        )
    return fields.drop_vars([str(name) for name in fields.coords])


def _variables(fields: xr.DataArray, array: ChannelArray) -> dict[str, xr.DataArray]:
    time, channel, y, x = (str(name) for name in fields.dims)
    variables = {}
    first = 0
    for entry in array.channels:
        attributes = {} if entry.units is None else {"units": entry.units}
        names = {time: "time", y: "latitude", x: "longitude"}
        if entry.levels is None:
            part = fields.isel({channel: first})
            first += 1
        else:
            part = fields.isel({channel: slice(first, first + len(entry.levels))})
            names[channel] = "level"
            first += len(entry.levels)
        # What describes the nameless array describes none of its channels.
        variables[entry.name] = part.rename(names).drop_attrs().assign_attrs(attributes)
    return variables


def _start(source: str, start: str) -> str:
    if YEAR not in start:
        return start
    year = re.search(r"(?<!\d)[12]\d{3}(?!\d)", PurePath(source).stem)
    if year is None:
        raise UserError(
            f"{source}: data.array.start is '{start}', but the file's name has no year. Rename it, or say when the "
            "first file starts."
        )
    return start.replace(YEAR, year[0])
