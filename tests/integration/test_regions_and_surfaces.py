"""Scores on land, at sea and by region, through the command line."""

import json

import numpy as np
import pytest
import xarray as xr

from tests.builders import tiny_forecaster, wave_store, weather_store
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.rollout.writer import write_forecast
from triton_earth.workflow import compare, evaluate


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
    for verb in (evaluate, compare):
        monkeypatch.setattr(
            verb, "write_report", lambda scores, example, path, *_, **__: path.touch()
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
    assert "within the coastlines that come with the package" in land.attrs["surface"]
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
