import numpy as np
import pytest
import xarray as xr

from tests.builders import tiny_forecaster, wave_store, weather_store
from tests.ocean import PERIOD, ocean_store
from triton_earth.core.errors import UserError
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.regions.named_regions import named_regions
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.storage.writer import write_forecast

WHAT = {"trajectories": [4, 4, 5], "starts": [0, 2, 1], "steps": 4, "batch_size": 2}


@pytest.mark.parametrize(
    ("make", "regions"), [(wave_store, []), (weather_store, ["sea", "tropics"])]
)
def test_scores_are_those_of_stored_forecasts(make, regions, tmp_path):
    store = make(tmp_path / "store.zarr")
    model = tiny_forecaster(store, history=2)
    stored = write_forecast(model, store, tmp_path / "forecast.zarr", provenance={}, **WHAT)
    live = LiveForecasts(model, store, **WHAT)
    own = named_regions(regions, stored, store, None)
    both = [evaluate_forecast(one, store, resamples=20, by_region=own) for one in (stored, live)]
    assert both[0].sizes.get("region", 0) == len(regions)
    for scores in both:
        scores["forecast"] = ["model", *scores["forecast"].values[1:]]
        scores["source"] = ["model", *scores["source"].values[1:]]
        scores["model"] = ["model"]
    xr.testing.assert_allclose(*both, rtol=1e-5)


def test_leads_may_be_read_in_any_order(tmp_path):
    store = wave_store(tmp_path / "store.zarr")
    live = LiveForecasts(tiny_forecaster(store), store, **WHAT)
    leads = [live.read(slice(0, 2), lead) for lead in range(4)]
    for lead in (3, 3, 0, 2):
        np.testing.assert_array_equal(live.read(slice(0, 2), lead), leads[lead])
    np.testing.assert_allclose(live.read(slice(1, 2), 1), leads[1][1:], rtol=1e-4, atol=1e-5)


def test_forcings_must_reach(tmp_path):
    store = weather_store(tmp_path / "store.zarr")
    with pytest.raises(UserError, match=r"forcings end 7 steps after the last initial time, but"):
        LiveForecasts(tiny_forecaster(store), store, **{**WHAT, "steps": 8})


def test_members_and_eddies_take_no_other_rollout(tmp_path, monkeypatch):
    store = ocean_store(tmp_path / "store.zarr", splits="train")
    live = LiveForecasts(
        tiny_forecaster(store),
        store,
        trajectories=[0, 0, 0],
        starts=[400, 405, 420],
        steps=7,
        batch_size=4,
        ensemble=EnsembleConfig(members=2),
    )
    begun, begin = [], Batches.start

    def start(batches, rows):
        begun.append(rows)
        return begin(batches, rows)

    monkeypatch.setattr(Batches, "start", start)
    scores = evaluate_forecast(live, store, resamples=5, eddies="ssh", heat_waves=f"sst:{PERIOD}")
    assert {"crps", "eddy_count", "heat_wave_area"} <= set(scores)
    assert begun == [slice(0, 6)]
