"""Scores on land, at sea and by region, through the command line."""

import json

import numpy as np
import pytest
import xarray as xr

from tests.builders import tiny_forecaster, wave_store, weather_store
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.workflow import evaluate


def stores(folder, make):
    """Write a store, a model and two forecasts of it into a folder."""
    store = make(folder / "store.zarr")
    for seed in (0, 1):
        write_forecast(
            tiny_forecaster(store, seed=seed),
            store,
            folder / f"forecast{seed}.zarr",
            trajectories=[4, 4, 5, 5],
            starts=[0, 2, 1, 3],
            steps=3,
            batch_size=4,
            provenance={"model": "triton"},
        )
    save_forecaster(tiny_forecaster(store), folder / "model", {})
    return folder


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    return stores(tmp_path_factory.mktemp("weather"), weather_store)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """No pictures are drawn: they take the time, and have tests of their own."""
    monkeypatch.setattr(
        evaluate, "write_report", lambda scores, example, path, *_, **__: path.touch()
    )


def scores_in(folder):
    with xr.open_dataset(folder / "scores.nc") as scores:
        return scores.load()


def test_land_and_sea(command, weather, tmp_path):
    words = ["evaluate", weather / "forecast0.zarr", weather / "store.zarr", "--resamples", 10]
    for surface in ("land", "sea"):
        out = tmp_path / surface
        done = command(*words, "--surface", surface, "--out", out)
        assert done.code == 0
        assert f"[Scored on {surface} alone, " in done.out
        assert f"--surface {surface}" in scores_in(out).attrs["command"]
        assert json.loads((out / "scores.json").read_text())["surface"].startswith(f"{surface}; ")
    land, sea = (scores_in(tmp_path / surface) for surface in ("land", "sea"))
    assert "within the package's coastlines" in land.attrs["surface"]
    assert not np.allclose(land["rmse"], sea["rmse"])


def test_several_models_on_land(command, weather, tmp_path):
    paths = [weather / "forecast0.zarr", weather / "forecast1.zarr", weather / "store.zarr"]
    words = ["--surface", "land", "--resamples", 10, "--out", tmp_path / "a"]
    assert command("compare", *paths, *words).code == 0
    alone = ["evaluate", paths[0], paths[-1], "--surface", "land", "--resamples", 10]
    assert command(*alone, "--out", tmp_path / "b").code == 0
    both, one = scores_in(tmp_path / "a"), scores_in(tmp_path / "b")
    np.testing.assert_array_equal(both["rmse"][0], one["rmse"][0])


def test_a_box_has_no_land(refused, tmp_path):
    folder = stores(tmp_path, wave_store)
    words = ["evaluate", folder / "forecast0.zarr", folder / "store.zarr", "--out", tmp_path / "a"]
    assert "land and sea need a latitude-longitude grid" in refused(*words, "--surface", "land")
    assert "'ice' is not one of 'land', 'sea'" in refused(*words, "--surface", "ice")


REGIONS = ["--by-region", "sea", "--by-region", "tropics", "--by-region", "north=10:60,0:360"]


ALONE = {
    "sea": ["--surface", "sea"],
    "tropics": ["--region", "tropics"],
    "north": ["--region", "10:60,0:360"],
}


def test_by_region_is_what_each_region_has_alone(command, weather, tmp_path):
    words = ["evaluate", weather / "forecast0.zarr", weather / "store.zarr", "--resamples", 10]
    done = command(*words, *REGIONS, "--out", tmp_path / "all")
    assert done.code == 0
    assert "[Scored by region too: sea, tropics, north; land is where " in done.out
    found = scores_in(tmp_path / "all")
    assert found["region"].values.tolist() == ["sea", "tropics", "north"]
    assert "--by-region sea --by-region tropics --by-region north=10:60" in found.attrs["command"]
    for name, how in ALONE.items():
        assert command(*words, *how, "--out", tmp_path / name).code == 0
        one = scores_in(tmp_path / name)
        for score in ("rmse", "mae", "bias", "acc", "correlation"):
            np.testing.assert_array_equal(
                found[f"{score}_by_region"].sel(region=name), one[score], err_msg=name
            )


def test_while_it_is_rolled_out(command, weather, tmp_path):
    words = ["evaluate", weather / "model", weather / "store.zarr", "--steps", 3, *REGIONS]
    assert command(*words, "--resamples", 10, "--out", tmp_path / "a").code == 0
    assert scores_in(tmp_path / "a")["acc_by_region"].sizes["region"] == 3


def test_several_models_by_region(command, weather, tmp_path):
    paths = [weather / "forecast0.zarr", weather / "forecast1.zarr", weather / "store.zarr"]
    words = ["--name", "one", "--name", "two", "--resamples", 10, "--out", tmp_path / "a"]
    assert command("compare", *paths, *REGIONS, *words).code == 0
    scores = scores_in(tmp_path / "a")
    sizes = dict(scores["rmse_by_region"].sizes)
    assert sizes == {"region": 3, "forecast": 5, "variable": 1, "lead_time": 3}
    held = scores["mse_minus_one_by_region"].sel(forecast="two")
    mse = scores["mse_by_region"]
    np.testing.assert_allclose(held, mse.sel(forecast="two") - mse.sel(forecast="one"))


@pytest.mark.parametrize("verb", ["evaluate", "compare"])
def test_regions_that_are_refused(refused, weather, tmp_path, verb):
    paths = [weather / "forecast0.zarr", weather / "forecast1.zarr", weather / "store.zarr"]
    words = [verb, *paths[verb == "evaluate" :], "--out", tmp_path / "a", "--by-region"]
    assert "found the name 'europe' alone. Say where it is" in refused(*words, "europe")
    assert "found 'sea' twice" in refused(*words, "sea", "--by-region", "sea")
    assert "no cell of the grid lies in the region a (1:2,3:4)" in refused(*words, "a=1:2,3:4")
    outside = refused(*words, "a=10:60,0:90", "--region", "southern_extratropics")
    assert "--by-region a=10:60,0:90: expected at least one cell of it in southern_ext" in outside
