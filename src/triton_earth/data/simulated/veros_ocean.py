"""An ocean by the piece: the global set-up of the package veros, run when a store is prepared."""

import importlib
import logging
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from triton_earth.core.errors import UserError
from triton_earth.data.sources.shipped import shipped_data

VEROS = "veros:"
SPIN_UP_DAYS = 5400
DAYS_BETWEEN_LINES = 90
FIRST_DAY = np.datetime64("2001-03-02", "ns")
GRAVITY = 9.81
SOURCE = (
    "MODEL OUTPUT, not observations: veros, global_4deg, forced by its climatology and daily anomalies of the SPEEDY "
    "model (jcm 3.0.0), stretches of 30 days of which are drawn at random from two years; non-eddying"
)
FORCING = "veros_4deg_forcing"
STRETCH_DAYS = 30
YEAR_DAYS = 365
MODEL_YEAR_SECONDS = 360 * 86400.0

FORCED = {
    "qnet": "heat_flux_anomaly",
    "taux": "wind_stress_x_anomaly",
    "tauy": "wind_stress_y_anomaly",
}
"""What of the set-up's climatological forcing each shipped anomaly is added to."""

WORDS = {
    "sst": ("degC", "sea surface temperature"),
    "sss": ("g kg-1", "sea surface salinity"),
    "ssh": ("m", "sea surface height"),
    "u": ("m s-1", "eastward surface current"),
    "v": ("m s-1", "northward surface current"),
}
"""Names as in the shipped files: units, words."""

logger = logging.getLogger("triton_earth")

Field = Float64[np.ndarray, "y x"]


def run_veros(path: str) -> xr.Dataset:
    """Simulate a daily global ocean, ``veros:DAYS``, after fifteen years of spin-up; about 40 MB a year, all in memory.

    The set-up ``global_4deg`` starts from its climatology of temperature and salinity, and drifts for years from there:
    an ocean of its first years would have its largest anomalies at the two ends of the record. Anomalies of heat flux
    and wind stress of the shipped file ``veros_4deg_forcing`` are added to its monthly forcing: for every 30 days those
    of the same days of one of its years, which is drawn at random, the same draws in every run. Years therefore differ,
    as no year of a cycle would. The season is that of the date, though the set-up's year has 360 days. Currents are
    averaged from the sides of a cell onto its centre.

    Args:
        path: What a recipe calls it.

    Returns:
        Fields (time, latitude, longitude) on 40 x 90 cells, named as in the shipped files, with the anomalies that
        forced them and the land fraction.

    Raises:
        UserError: if the number of days is none, the package is missing, or its inputs cannot be fetched.
    """
    words = path.removeprefix(VEROS)
    if not words.isdecimal() or int(words) < 2:
        raise UserError(
            f"{path}: expected veros:DAYS with at least two days, for example veros:3650."
        )
    days = int(words)
    try:
        setup = importlib.import_module("veros.setups.global_4deg").GlobalFourDegreeSetup
        routine = importlib.import_module("veros").veros_routine
        failures = (OSError, importlib.import_module("veros.tools.assets").AssetError)
    except ImportError as error:
        raise UserError(
            f"{path}: simulating an ocean needs the package veros ({error}). Install it (pip install "
            "'triton-earth[veros]'), or take the shipped years (recipe ocean_forced_small)."
        ) from error
    with xr.open_dataset(shipped_data()[FORCING]) as file:
        anomalies = file[list(FORCED.values())].fillna(0.0).transpose("time", ...).load()
    dates = FIRST_DAY + np.arange(-SPIN_UP_DAYS, days).astype("timedelta64[D]")
    drawn = days_of_anomalies(dates, anomalies.sizes["time"])
    model = _forced(setup, routine, anomalies, dates, drawn)({"enable_streamfunction": False})
    try:
        model.setup()
    except failures as error:
        raise UserError(
            f"{path}: veros cannot fetch the inputs of its set-up global_4deg ({error}). Connect this machine to the "
            "internet once, or put the files into the folder that VEROS_ASSET_DIR names."
        ) from error
    logger.info(
        "%s: %d days, the first %d of them spin-up", path, SPIN_UP_DAYS + days, SPIN_UP_DAYS
    )
    maps: list[dict[str, Field]] = []
    for day in range(SPIN_UP_DAYS + days):
        model.step(model.state)
        if day >= SPIN_UP_DAYS:
            maps.append(_surface(model.state.variables))
        if (day + 1) % DAYS_BETWEEN_LINES == 0:
            logger.info("%s: %d of %d days", path, day + 1, SPIN_UP_DAYS + days)
    forced = anomalies.isel(time=drawn[SPIN_UP_DAYS:])
    return _dataset(maps, forced, _inner(model.state.variables.maskT[:, :, -1]) > 0)


def days_of_anomalies(dates: np.ndarray, length: int, seed: int = 0) -> Int64[np.ndarray, " day"]:
    """Return which day of a record of whole years forces each date: the same day of a year that is drawn at random.

    Args:
        dates: Successive days.
        length: Days of the record, which begins on the second of March.
        seed: Seed of the draws, one for every 30 days.
    """
    years = length // YEAR_DAYS
    march = dates.astype("datetime64[Y]").astype("datetime64[D]") + np.timedelta64(60, "D")
    elapsed = (dates.astype("datetime64[D]") - march).astype(np.int64) % YEAR_DAYS
    draws = np.random.default_rng(seed).integers(years, size=-(-len(dates) // STRETCH_DAYS))
    return np.repeat(draws, STRETCH_DAYS)[: len(dates)] * YEAR_DAYS + elapsed


def _forced(
    setup: Any,
    routine: Any,
    anomalies: xr.Dataset,
    dates: np.ndarray,
    drawn: Int64[np.ndarray, " day"],
) -> Any:
    """Return the set-up with a day's anomalies added to its climatological forcing, and without output files.

    Args:
        setup: Set-up of the package.
        routine: Decorator of the package for functions that change the state.
        anomalies: A record of anomalies.
        dates: Date of every day of the run.
        drawn: Which day of the record forces each of them.
    """
    of_year = (dates - dates.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    season = of_year / (YEAR_DAYS + 0.25) * MODEL_YEAR_SECONDS

    class ForcedOcean(setup):
        climatology: dict[str, Any] | None = None

        @routine
        def set_diagnostics(self, state: Any) -> None:
            """Write no files."""

        @routine
        def set_forcing(self, state: Any) -> None:
            """Force the ocean with the climatology of the season and the anomaly of the day."""
            variables = state.variables
            if self.climatology is None:
                self.climatology = {name: getattr(variables, name) for name in FORCED}
            today = int(variables.itt)
            of_today = anomalies.isel(time=drawn[today])
            for name, shipped in FORCED.items():
                # Two cells beyond each border belong to the model's own bookkeeping.
                anomaly = np.pad(of_today[shipped].values.T, 2)[:, :, None]
                setattr(variables, name, self.climatology[name] + anomaly)
            elapsed, variables.time = variables.time, season[today]
            super().set_forcing(state)
            variables.time = elapsed

    return ForcedOcean


def _surface(variables: Any) -> dict[str, Field]:
    """Return the day's maps at the surface, [latitude, longitude]."""
    now = int(variables.tau)
    east, north = variables.u[:, :, -1, now], variables.v[:, :, -1, now]
    return {
        "sst": _inner(variables.temp[:, :, -1, now]),
        "sss": _inner(variables.salt[:, :, -1, now]),
        "ssh": _inner(variables.psi[:, :, now]) / GRAVITY,
        "u": _inner((east + np.roll(np.asarray(east), 1, axis=0)) / 2),
        "v": _inner((north + np.roll(np.asarray(north), 1, axis=1)) / 2),
    }


def _inner(values: Any) -> Field:
    """Return a copy of the cells of the globe without those beyond its borders, latitude first."""
    return np.array(values, dtype=np.float64)[2:-2, 2:-2].T


def _dataset(maps: list[dict[str, Field]], anomalies: xr.Dataset, ocean: np.ndarray) -> xr.Dataset:
    """Return the days and the anomalies that forced them as one data set with coordinates, units and NaN on land."""
    days = np.arange(len(maps))
    dims = ("time", "latitude", "longitude")
    fields = {
        name: (
            dims,
            np.stack([np.where(ocean, one[name], np.nan) for one in maps]).astype(np.float32),
            {"units": units, "long_name": long_name},
        )
        for name, (units, long_name) in WORDS.items()
    }
    for name in anomalies.data_vars:
        values = np.where(ocean, anomalies[name].values, np.nan).astype(np.float32)
        fields[str(name)] = (dims, values, dict(anomalies[name].attrs))
    made = xr.Dataset(
        fields,
        {
            "time": FIRST_DAY + days.astype("timedelta64[D]"),
            "latitude": anomalies["latitude"],
            "longitude": anomalies["longitude"],
        },
        {"source": SOURCE},
    )
    land = (~ocean).astype(np.int8)
    made["land_sea_mask"] = (dims[1:], land, {"units": "1", "long_name": "land fraction"})
    return made
