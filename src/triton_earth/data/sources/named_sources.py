"""Public archives, and models that are run, whose grid, period and step are known before there is a file.

Sources: WeatherBench 2, documentation of the data sets; ARCO-ERA5, README; Copernicus Marine Service, product user
manuals of GLOBAL_MULTIYEAR_PHY_001_030 and SEALEVEL_GLO_PHY_L4_MY_008_047.
"""

import re
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.simulated.speedy import JCM
from triton_earth.data.simulated.veros_ocean import VEROS
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.names import known_variable
from triton_earth.data.sources.times.steps import is_calendar_step, parse_step

_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class NamedSource:
    """An archive as it is known to be.

    Attributes:
        title: What it is, for the reader.
        latitude: Its rows.
        longitude: Its columns.
        step: Time between its fields.
        level: Name and units of its levels.
    """

    title: str
    latitude: Float64[np.ndarray, " y"]
    longitude: Float64[np.ndarray, " x"]
    step: np.timedelta64
    level: tuple[str, str] = ("level", "hPa")


def named_source(data: GriddedData) -> NamedSource:
    """Return the facts on the archive that a recipe names, or those that the recipe itself gives.

    Raises:
        UserError: if neither the name nor the recipe tells grid and step.
    """
    path = data.path if isinstance(data.path, str) else " ".join(data.path)
    size = re.search(r"weatherbench2/.*-6h-(\d+)x(\d+)", path)
    if size:
        columns, rows = int(size[1]), int(size[2])
        # An odd number of rows includes the poles.
        half = 0.0 if rows % 2 else 90.0 / rows
        latitude = np.linspace(-90 + half, 90 - half, rows)
        longitude = np.arange(columns) * (360 / columns)
        return NamedSource("ERA5 of WeatherBench 2, six-hourly", latitude, longitude, 6 * _HOUR)
    if "arco-era5/ar/full_37-1h-0p25deg" in path:
        latitude, longitude = np.linspace(90, -90, 721), np.arange(1440) * 0.25
        return NamedSource("ARCO ERA5 at a quarter of a degree, hourly", latitude, longitude, _HOUR)
    depth = ("depth", "m")
    if "cmems_mod_glo_phy_my_0.083deg_P1D" in path:
        latitude, longitude = -80 + np.arange(2041) / 12, -180 + np.arange(4320) / 12
        title = "GLORYS12 at a twelfth of a degree, daily"
        return NamedSource(title, latitude, longitude, 24 * _HOUR, depth)
    if "sla-l4-duacs-0.125deg" in path or "l4-duacs-0.125deg" in path:
        latitude, longitude = -89.9375 + np.arange(1440) / 8, -179.9375 + np.arange(2880) / 8
        title = "DUACS altimetry at an eighth of a degree, daily"
        return NamedSource(title, latitude, longitude, 24 * _HOUR, depth)
    if path.startswith(JCM):
        latitude = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(48)[0]))
        longitude = np.arange(96) * 3.75
        return NamedSource("the SPEEDY model at T31, daily", latitude, longitude, 24 * _HOUR)
    if path.startswith(VEROS):
        latitude, longitude = np.arange(-78.0, 80.0, 4.0), np.arange(2.0, 360.0, 4.0)
        return NamedSource("the Veros model at 4 degrees, daily", latitude, longitude, 24 * _HOUR)
    if data.grid is None or data.step is None or is_calendar_step(parse_step(data.step)):
        raise UserError(
            f"{path}: the recipe does not tell the grid and step of these files, and they are not here. Prepare the "
            "store and add --store STORE, or give data.grid and data.step."
        )
    rows, columns = 2 * data.grid.latitudes, 2 * data.grid.longitudes
    half = 90.0 / rows
    return NamedSource(
        "files on a finer grid than the recipe asks for",
        np.linspace(-90 + half, 90 - half, rows),
        np.arange(columns) * (360 / columns),
        parse_step(data.step),
    )


def stand_in(data: GriddedData, source: NamedSource) -> xr.Dataset:
    """Return a dataset like that of an archive, without its values: all are 0 and take no memory.

    Args:
        data: What the recipe takes of it; there are fields in its periods only.
        source: What is known of it.
    """
    first, last = data.splits.bounds
    times = np.arange(first.astype("datetime64[D]"), last + source.step, source.step)
    levels = sorted({level for choice in data.variables for level in choice.levels or ()})
    level, units = source.level
    arrays = {}
    for choice in data.variables:
        dims = ["latitude", "longitude"]
        if choice.levels is not None:
            dims.insert(0, level)
        if choice.role is not Role.STATIC:
            dims.insert(0, "time")
        sizes = {
            "time": len(times),
            level: len(levels),
            "latitude": len(source.latitude),
            "longitude": len(source.longitude),
        }
        shape = tuple(sizes[dim] for dim in dims)
        stated = choice.source_units or _units(known_variable(choice.name, choice.source))
        zeros = np.broadcast_to(np.float32(0), shape)
        arrays[choice.source or choice.name] = _variable(dims, zeros, stated or choice.units or "1")
    axes = {
        "time": _variable(["time"], times.astype("datetime64[ns]")),
        "latitude": _variable(["latitude"], source.latitude, "degrees_north"),
        "longitude": _variable(["longitude"], source.longitude, "degrees_east"),
    }
    if levels:
        axes[level] = _variable([level], np.asarray(levels), units)
    return xr.Dataset(arrays, axes)


def _variable(dims: list[str], values: np.ndarray, units: str | None = None) -> xr.Variable:
    """Return a variable of a plain array; without `fastpath` xarray imports Dask to see whether Dask made it."""
    return xr.Variable(dims, values, {} if units is None else {"units": units}, fastpath=True)


def _units(known: KnownVariable | None) -> str | None:
    return None if known is None else known.units
