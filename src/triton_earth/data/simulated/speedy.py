"""Weather by the piece: the SPEEDY general circulation model of the package jcm, run when a store is prepared."""

import importlib
import logging
from pathlib import Path

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError

JCM = "jcm:"
SPIN_UP_DAYS = 60
DAYS_AT_ONCE = 30
SOURCE = "MODEL OUTPUT, not observations: SPEEDY general circulation model (jcm), T31, 8 levels, climatological SST"

CHANNELS = {
    "t_sigma835": ("temperature", 0.835, "K", "air temperature"),
    "z_sigma510": ("geopotential", 0.51, "m2 s-2", "geopotential"),
    "u_sigma835": ("u_wind", 0.835, "m s-1", "eastward wind"),
    "v_sigma835": ("v_wind", 0.835, "m s-1", "northward wind"),
    "q_sigma835": ("specific_humidity", 0.835, "kg kg-1", "specific humidity"),
}
"""Names as in the shipped files: variable of the model, sigma level, units, words."""

GEOGRAPHY = {
    "surface_altitude": ("orog", "m", "height of the surface"),
    "land_sea_mask": ("fmask", "1", "land fraction"),
}
"""Names as in the shipped file: attribute of the model's terrain, units, words."""

logger = logging.getLogger("triton_earth")


def run_speedy(path: str) -> xr.Dataset:
    """Simulate daily weather, ``jcm:DAYS``, after a spin-up of 60 days; about 35 MB a year, all in memory.

    Args:
        path: What a recipe calls it.

    Returns:
        Fields (time, lat, lon) on the model's grid of 48 x 96 cells, named as in the shipped files, and the orography
        and land fraction (lat, lon) that the model has there.

    Raises:
        UserError: if the number of days is none, or the package is missing.
    """
    words = path.removeprefix(JCM)
    if not words.isdecimal() or int(words) < 2:
        raise UserError(f"{path}: expected jcm:DAYS with at least two days, for example jcm:3650.")
    days = int(words)
    try:
        jcm = importlib.import_module("jcm")
        model_of = importlib.import_module("jcm.model").Model
        terrain_of = importlib.import_module("jcm.terrain").TerrainData
        forcing_of = importlib.import_module("jcm.forcing").ForcingData
        coordinates = importlib.import_module(
            "jcm.physics.speedy.speedy_coords"
        ).get_speedy_coords()
    except ImportError as error:
        raise UserError(
            f"{path}: simulating weather needs the package jcm ({error}). Install it (pip install "
            "'triton-earth[jcm]', 1.6 GB), or take the shipped years (recipe weather_small)."
        ) from error
    boundary = Path(str(jcm.__file__)).parent / "data" / "bc" / "t63"
    forcing = forcing_of.from_file(
        str(boundary / "forcing.nc"), coords=coordinates, align_mode="wrap_year"
    )
    terrain = terrain_of.from_file(str(boundary / "terrain.nc"), coords=coordinates)
    model = model_of(coords=coordinates, terrain=terrain, time_step=30.0)
    logger.info("%s: %d days of spin-up, then %d days", path, SPIN_UP_DAYS, days)
    model.run(forcing=forcing, save_interval=float(SPIN_UP_DAYS), total_time=float(SPIN_UP_DAYS))
    pieces = []
    for first in range(0, days, DAYS_AT_ONCE):
        length = min(DAYS_AT_ONCE, days - first)
        run = model.resume(forcing=forcing, save_interval=1.0, total_time=float(length))
        pieces.append(_channels(run.to_xarray()))
        logger.info("%s: %d of %d days", path, first + length, days)
    weather = xr.concat(pieces, "time")
    for name, (attribute, units, words) in GEOGRAPHY.items():
        values = np.asarray(getattr(terrain, attribute), np.float32).T
        weather[name] = (("lat", "lon"), values, {"units": units, "long_name": words})
    return weather


def _channels(output: xr.Dataset) -> xr.Dataset:
    """Return the channels of one piece of the run, a map a day, with the dates of the model as they are."""
    sigma = output["level"].values
    fields = {
        name: output[variable]
        .isel(level=int(np.argmin(np.abs(sigma - level))))
        .reset_coords(drop=True)
        .transpose("time", "lat", "lon")
        .astype(np.float32)
        .assign_attrs({"units": units, "long_name": f"{words} at sigma {level:g}"})
        for name, (variable, level, units, words) in CHANNELS.items()
    }
    chosen = xr.Dataset(fields, attrs={"source": SOURCE})
    chosen["lat"].attrs["units"] = "degrees_north"
    chosen["lon"].attrs["units"] = "degrees_east"
    return chosen
