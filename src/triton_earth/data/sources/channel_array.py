"""Files with all channels in one nameless array [time, channel, y, x]: named as the recipe says."""

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.sources.config import ChannelArray


def named_channels(
    files: list[tuple[str, xr.Dataset]], array: ChannelArray
) -> list[tuple[str, xr.Dataset]]:
    """Give the channels of each file their names, and the files coordinates and consecutive times.

    Args:
        files: Opened files, in the order of time.
        array: What the recipe says about them.

    Returns:
        The files as if they had described themselves.

    Raises:
        UserError: if the array is not in a file, is not four-dimensional, or has another number of channels or cells.
    """
    named = []
    hours = 0.0
    for source, dataset in files:
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
        if fields.shape[1] != len(array.channels):
            raise UserError(
                f"{source}: '{array.name}' has {fields.shape[1]} channels, but data.array.channels names "
                f"{len(array.channels)}. Name them all."
            )
        times, _, rows, columns = fields.shape
        channel_dimension = fields.dims[1]
        fields = fields.drop_vars([str(name) for name in fields.coords])
        channels = {
            name: fields.isel({channel_dimension: number}).rename(
                dict(zip(_others(fields, 1), ("time", "latitude", "longitude"), strict=True))
            )
            for number, name in enumerate(array.channels)
        }
        coordinates = {
            "time": (
                "time",
                hours + array.step_hours * np.arange(times),
                {"units": f"hours since {array.start}"},
            ),
            "latitude": ("latitude", np.linspace(*array.latitude, rows)),
            "longitude": ("longitude", np.linspace(*array.longitude, columns)),
        }
        hours += array.step_hours * times
        named.append((source, xr.Dataset(channels, coords=coordinates)))
    return named


def _others(fields: xr.DataArray, left_out: int) -> list[str]:
    return [str(name) for number, name in enumerate(fields.dims) if number != left_out]
