import numpy as np
import pytest
import xarray as xr
from tests.builders import tiny_forecaster, wave_store, weather_store
from tests.ocean import PERIOD, ocean_forecast, ocean_store

from triton_earth.core.processes.tasks import tasks
from triton_earth.core.region import Region
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.evaluate import evaluate_forecast, evaluate_forecasts
from triton_earth.evaluation.matching import match
from triton_earth.evaluation.metrics.heat_waves.baseline import heat_wave_baseline
from triton_earth.evaluation.regions.named_regions import named_regions
from triton_earth.evaluation.regions.places import find_place
from triton_earth.rollout.storage.writer import write_forecast


def forecast_of(store, path):
    forecast = write_forecast(
        tiny_forecaster(store),
        store,
        path,
        trajectories=[4, 4, 5, 5, 4],
        starts=[0, 2, 1, 3, 5],
        steps=3,
        batch_size=5,
        provenance={},
    )
    forecast.chunk_inits = 2
    return forecast


@pytest.mark.parametrize("make", [wave_store, weather_store])
def test_workers_give_the_same_scores(make, dask_address, tmp_path):
    store = make(tmp_path / "store.zarr")
    forecast = forecast_of(store, tmp_path / "forecast.zarr")
    alone = evaluate_forecast(forecast, store, resamples=20)
    shared = evaluate_forecast(forecast, store, resamples=20, dask=dask_address)
    xr.testing.assert_allclose(shared, alone, rtol=1e-12)
    np.testing.assert_allclose(shared["rmse"][0], alone["rmse"][0], rtol=1e-14)


def test_members_heat_waves_and_eddies_are_shared_too(dask_address, tmp_path):
    store = ocean_store(tmp_path / "store.zarr")
    names = ["three", "one"]
    models = match(
        [
            ocean_forecast(tmp_path / f"{name}.zarr", members=n)
            for name, n in zip(names, (3, 1), strict=True)
        ],
        names,
    )
    asked = {"heat_waves": f"sst:{PERIOD}", "eddies": "ssh", "names": names, "resamples": 10}
    alone = evaluate_forecasts(models, store, **asked, examples=True)
    shared = evaluate_forecasts(models, store, **asked, examples=True, dask=dask_address)
    for one, other in zip(alone.examples, shared.examples, strict=True):
        xr.testing.assert_identical(one, other)
    alone, shared = alone.scores, shared.scores
    xr.testing.assert_allclose(shared, alone, rtol=1e-12)
    kinds = ("ensemble_", "spread_", "rank_", "finite_", "heat_wave_", "eddy_")
    same = [str(name) for name in alone if str(name).startswith(kinds)]
    assert len(same) > 20, same
    xr.testing.assert_identical(shared[same], alone[same])
    baseline = heat_wave_baseline(asked["heat_waves"], models[0], store, align(models[0], store))
    with tasks(cluster=dask_address) as places:
        shared_climate = baseline.climate(places)
    np.testing.assert_array_equal(shared_climate.threshold, baseline.climate().threshold)
    assert alone["eddy_count"].sel(source="one").min() > 0
    assert shared.attrs == alone.attrs


def test_workers_give_the_same_scores_of_surfaces_and_regions(dask_address, tmp_path):
    store = weather_store(tmp_path / "store.zarr")
    forecast = forecast_of(store, tmp_path / "forecast.zarr")
    sea = find_place(Region.parse("-50:60,0:360"), "sea", store)
    regions = named_regions(["tropics", "north=0:90,0:360"], forecast, store, sea)
    how = {"region": sea, "by_region": regions, "resamples": 20}
    alone = evaluate_forecast(forecast, store, **how)
    shared = evaluate_forecast(forecast, store, dask=dask_address, **how)
    assert "acc_by_region" in alone
    xr.testing.assert_allclose(shared, alone, rtol=1e-12)
