"""Stores that older versions of the package wrote are opened like those of today."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

import triton_earth
from tests.builders import weather_fields, weather_grid
from triton_earth.core.errors import UserError
from triton_earth.data.store.content_hash import content_hash

GOLDEN = Path(__file__).parents[1] / "golden" / "older_stores"


@pytest.fixture
def older(tmp_path):
    for name in ("training", "forecast"):
        shutil.unpack_archive(GOLDEN / f"{name}.zip", tmp_path / f"{name}.zarr")
    return tmp_path


def test_an_older_training_store_is_the_store_of_today(older, weather):
    path = older / "training.zarr"
    assert isinstance(zarr.open_group(path, mode="r").attrs["grid"], dict)
    opened = triton_earth.open_store(path)
    assert (opened.variables, opened.grid) == (weather.variables, weather.grid)
    assert opened.provenance == weather.provenance
    np.testing.assert_array_equal(
        opened.read(3, slice(None)), weather_fields(weather_grid(), 10, 3)
    )
    assert opened.content_hash == weather.content_hash
    assert content_hash(path, opened.trajectory_hashes) == weather.content_hash


def test_an_older_forecast_is_read_and_judged(older, weather):
    path = older / "forecast.zarr"
    assert isinstance(zarr.open_group(path, mode="r").attrs["variables"], list)
    opened = triton_earth.open_forecast(path)
    assert opened.variables.names == ["temperature"]
    assert opened.grid == weather.grid
    assert opened.guard["policy"] == "record"
    assert opened.provenance["identity"]["starts"] == [0, 2]
    scores = triton_earth.evaluate(path, older / "training.zarr")
    assert np.isfinite(scores["rmse"].sel(forecast="triton")).all()


def test_an_older_forecast_keeps_its_seal(older):
    path = older / "forecast.zarr"
    zarr.open_group(path, mode="r+").attrs["provenance"] = {"model": "another"}
    with pytest.raises(UserError, match="its description or a coordinate is not what was written"):
        triton_earth.open_forecast(path)
