"""Forecasts in the layout of WeatherBench have the scores of WeatherBench-X, whose definitions are written out here."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.exchange.export_forecast import export_forecast
from triton_earth.models.climatology import fit_climatology
from triton_earth.rollout.storage.forecast_store import (
    create_forecast_store,
    finish_forecast_store,
    open_for_writing,
)
from triton_earth.workflow.evaluate import evaluate

DAY = np.timedelta64(24 * 3600 * 10**9, "ns")
TIMES = np.datetime64("2001-01-01", "ns") + np.arange(60) * DAY
CENTRES = LatLonGrid(tuple(-78.75 + 22.5 * np.arange(8)), tuple(45.0 * np.arange(8)))
POLES = LatLonGrid(tuple(-90 + 30.0 * np.arange(7)), tuple(45.0 * np.arange(8)))
VARIABLES = Variables(
    (
        Variable("2m_temperature", "K", "temperature at 2 m"),
        Variable("geopotential_500", "m2 s-2", "geopotential at 500 hPa", 500.0),
        Variable("geopotential_850", "m2 s-2", "geopotential at 850 hPa", 850.0),
    )
)


def area_weights(latitude):
    """Areas between the mid-points of latitudes, and the poles, with a mean of 1."""
    borders = np.concatenate([[-90], (latitude[1:] + latitude[:-1]) / 2, [90]])
    areas = np.diff(np.sin(np.deg2rad(borders)))
    return xr.DataArray(areas / areas.mean(), dims="latitude", coords={"latitude": latitude})


def aligned(dataset, lead):
    """Return fields of the truth at the valid times of a lead, along the initial times."""
    at = dataset["time"] + lead
    return lambda fields: fields.sel(time=at.values).assign_coords(time=dataset["time"])


@pytest.mark.parametrize("grid", [CENTRES, POLES], ids=["centres", "poles"])
def test_rmse_and_acc_are_those_of_weatherbench_x(tmp_path, grid):
    generator = np.random.default_rng(0)
    offset = np.array([280, 55000, 14000])[:, None, None]
    season = 3 * np.cos(2 * np.pi * np.arange(60) / 60)[:, None, None, None]
    fields = (offset + season + generator.normal(0, 5, (60, 3, *grid.shape))).astype(np.float32)
    create_store(
        tmp_path / "truth.zarr", variables=VARIABLES, grid=grid, times=TIMES, splits=["train"],
        provenance={},
    )  # fmt: skip
    finish_store(tmp_path / "truth.zarr", [write_trajectory(tmp_path / "truth.zarr", 0, fields)])
    starts = np.array([3, 17, 30, 44])
    create_forecast_store(
        tmp_path / "f.zarr", variables=VARIABLES, grid=grid, init_times=TIMES[starts],
        trajectories=np.zeros(4, np.int64), time_step=DAY, steps=3, provenance={"model": "triton"},
    )  # fmt: skip
    for channel, array in enumerate(open_for_writing(tmp_path / "f.zarr", VARIABLES.names)):
        target = fields[starts[:, None] + [1, 2, 3], channel]
        array[:] = target + generator.normal(0, 3, target.shape).astype(np.float32)
    finish_forecast_store(tmp_path / "f.zarr")
    made = export_forecast(tmp_path / "f.zarr", tmp_path / "wb.zarr", layout="weatherbench")
    scores = evaluate(made, tmp_path / "truth.zarr", resamples=2)

    theirs = xr.open_zarr(made, decode_timedelta=True).load()
    weights = area_weights(theirs["latitude"].values)
    store = TrainingStore.open(tmp_path / "truth.zarr")
    mean = fit_climatology(store, VARIABLES.names).at(TIMES)
    coordinates = {"time": TIMES, "latitude": grid.y, "longitude": grid.x}
    names = ("time", "latitude", "longitude")
    for channel, name in enumerate(VARIABLES.names):
        truth = xr.DataArray(fields[:, channel].astype(np.float64), coordinates, names)
        climatology = xr.DataArray(mean[:, channel], coordinates, names)
        base, _, level = name.rpartition("_")
        forecast = theirs[base].sel(level=int(level)) if level.isdecimal() else theirs[name]
        for number, lead in enumerate(theirs["prediction_timedelta"].values):
            at = aligned(theirs, lead)
            given = forecast.sel(prediction_timedelta=lead).astype(np.float64)
            f, t, c = given, at(truth), at(climatology)

            def average(values):
                return float((values * weights).mean(["time", "latitude", "longitude"]))

            rmse = np.sqrt(average((f - t) ** 2))
            acc = average((f - c) * (t - c)) / (
                np.sqrt(average((f - c) ** 2)) * np.sqrt(average((t - c) ** 2))
            )
            own = scores.sel(variable=name).isel(forecast=0, lead_time=number)
            np.testing.assert_allclose(float(own["rmse"]), rmse, rtol=1e-6)
            np.testing.assert_allclose(float(own["acc_uncentred"]), acc, rtol=1e-5)
            assert 0 < acc < 1
