"""Three years of daily fields as stores of ours and as datasets that others would write."""

import numpy as np
import pytest
import xarray as xr
import zarr
from tests.foreign import DAY, GRID, INITS, LEADS, TIMES, VARIABLES, forecast_fields, true_fields

from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.rollout.storage.forecast_store import create_forecast_store, finish_forecast_store


@pytest.fixture(scope="session")
def truth(tmp_path_factory):
    """The truth as a training store."""
    path = tmp_path_factory.mktemp("foreign") / "truth.zarr"
    split = np.where(TIMES.astype("datetime64[Y]").astype(int) < 32, "train", "test")
    create_store(
        path,
        variables=VARIABLES,
        grid=GRID,
        times=TIMES,
        splits=split[None].astype(object),
        provenance={"source": "test"},
    )
    finish_store(path, [write_trajectory(path, 0, true_fields())])
    return TrainingStore.open(path)


@pytest.fixture(scope="session")
def forecast(tmp_path_factory):
    """The forecasts as a store of ours."""
    path = tmp_path_factory.mktemp("foreign") / "theirs.zarr"
    create_forecast_store(
        path,
        variables=VARIABLES,
        grid=GRID,
        time_step=DAY,
        steps=LEADS.tolist(),
        init_times=INITS,
        trajectories=np.zeros(len(INITS), int),
        provenance={"model": "theirs"},
    )
    group = zarr.open_group(path, mode="r+")
    for channel, name in enumerate(VARIABLES.names):
        group[name][:] = forecast_fields()[:, 1:, channel]
    finish_forecast_store(path)
    return path


@pytest.fixture
def weatherbench():
    """The forecasts as WeatherBench 2 has them: with lead 0, latitudes from the north."""
    fields = forecast_fields()
    dims = ("time", "prediction_timedelta", "longitude", "latitude")
    levels = ("time", "prediction_timedelta", "level", "longitude", "latitude")
    turned = np.swapaxes(fields, -1, -2)[..., ::-1]
    return xr.Dataset(
        {
            "2m_temperature": (dims, turned[:, :, 0], {"units": "K"}),
            "temperature": (levels, turned[:, :, 1:], {"units": "K"}),
        },
        {
            "time": INITS,
            "prediction_timedelta": np.array([0, *LEADS]) * DAY,
            "level": ("level", [500, 850], {"units": "hPa"}),
            "latitude": GRID.y[::-1],
            "longitude": GRID.x,
        },
    )


@pytest.fixture
def cf_truth():
    """The truth as any archive has it: names of GRIB, longitudes from -180, latitudes from the north."""
    fields = true_fields()
    west = np.argsort((GRID.x + 180) % 360 - 180, kind="stable")
    turned = fields[..., ::-1, :][..., west]
    return xr.Dataset(
        {
            "t2m": (("time", "lat", "lon"), turned[:, 0], {"units": "kelvin"}),
            "t": (("time", "plev", "lat", "lon"), turned[:, 1:], {"units": "K"}),
        },
        {
            "time": TIMES,
            "plev": ("plev", [50000.0, 85000.0], {"units": "Pa", "standard_name": "air_pressure"}),
            "lat": ("lat", GRID.y[::-1], {"units": "degrees_north"}),
            "lon": ("lon", ((GRID.x + 180) % 360 - 180)[west], {"units": "degrees_east"}),
        },
    )
