import numpy as np
import pytest
import xarray as xr
from tests.builders import tiny_forecaster, wave_store, weather_store

from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.rollout.writer import write_forecast

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address():
    """A scheduler with two workers in this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize("make", [wave_store, weather_store])
def test_workers_give_the_same_scores(make, address, tmp_path):
    store = make(tmp_path / "store.zarr")
    forecast = write_forecast(
        tiny_forecaster(store),
        store,
        tmp_path / "forecast.zarr",
        trajectories=[4, 4, 5, 5, 4],
        starts=[0, 2, 1, 3, 5],
        steps=3,
        batch_size=5,
        provenance={},
    )
    forecast.chunk_inits = 2
    alone = evaluate_forecast(forecast, store, resamples=20)
    shared = evaluate_forecast(forecast, store, resamples=20, dask=address)
    xr.testing.assert_allclose(shared, alone, rtol=1e-12)
    np.testing.assert_array_equal(shared["rmse"][0], alone["rmse"][0])
