import json
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr

from tests.builders import tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.rollout.storage.writer import write_forecast


@pytest.fixture(scope="module")
def stored(weather, tmp_path_factory):
    return write_forecast(
        tiny_forecaster(weather),
        weather,
        tmp_path_factory.mktemp("stored") / "forecast.zarr",
        trajectories=[4, 4, 5],
        starts=[0, 2, 0],
        steps=4,
        batch_size=2,
        provenance={"model": "triton", "model_hash": "a"},
    )


def test_any_user_can_open_it_with_xarray(stored, weather):
    with xr.open_zarr(stored.path) as dataset:
        field = dataset["temperature"]
        assert field.dims == ("init", "lead_time", "latitude", "longitude")
        assert field.shape == (3, 4, 8, 8)
        words = {"standard_name": "air_temperature", "units": "K", "long_name": "temperature"}
        assert field.attrs == words
        np.testing.assert_array_equal(
            dataset["init_time"], weather.times[[0, 2, 0]].astype(dataset["init_time"].dtype)
        )
        np.testing.assert_array_equal(dataset["trajectory"], [4, 4, 5])
        assert dataset["lead_time"].values[-1] == np.timedelta64(24, "h")
        assert dataset.attrs["complete"] == "true"
        assert dataset.attrs["Conventions"].startswith("CF")
        assert dataset["latitude"].attrs["units"] == "degrees_north"
        assert dataset["longitude"].attrs["axis"] == "X"
        assert dataset["lead_time"].attrs["standard_name"] == "forecast_period"
        np.testing.assert_array_equal(
            dataset["valid_time"], dataset["init_time"] + dataset["lead_time"]
        )


def test_netcdf_holds_all_that_xarray_opens(stored, tmp_path):
    with xr.open_zarr(stored.path) as dataset:
        dataset.to_netcdf(tmp_path / "forecast.nc")
        with xr.open_dataset(tmp_path / "forecast.nc") as written:
            xr.testing.assert_identical(written.load(), dataset.load())
            assert json.loads(written.attrs["grid"]) == stored.grid.to_dict()


def test_one_lead_of_a_few_forecasts_is_one_chunk(stored):
    assert stored.chunk_inits == 3
    assert zarr.open_array(stored.path, path="temperature").chunks == (3, 1, 8, 8)


# --- refusals


@pytest.fixture
def copy(stored, tmp_path):
    return shutil.copytree(stored.path, tmp_path / "copy.zarr")


def refusal(path):
    with pytest.raises(UserError) as caught:
        ForecastStore.open(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_a_missing_forecast_is_refused(tmp_path):
    assert "there is no forecast; make it with `triton-earth forecast" in refusal(tmp_path / "no")


def test_a_training_store_is_no_forecast(weather):
    assert "this Zarr group was not written by" in refusal(weather.path)


def test_a_file_is_no_forecast(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"CDF")
    assert "not a readable forecast" in refusal(tmp_path / "a.nc")


def test_an_unfinished_forecast_is_refused_unless_asked_for(copy):
    del zarr.open_group(copy, mode="r+").attrs["complete"]
    assert "the forecast is unfinished; run the same command with --resume" in refusal(copy)
    assert ForecastStore.open(copy, complete=False).variables.names == ["temperature"]


@pytest.mark.parametrize("key", ["variables", "grid", "time_step"])
def test_metadata_without_a_part_are_refused(copy, key):
    metadata = json.loads((copy / "zarr.json").read_text())
    del metadata["attributes"][key]
    (copy / "zarr.json").write_text(json.dumps(metadata))
    assert f"not a readable forecast ('{key}' is missing" in refusal(copy)


def test_truncated_metadata_are_refused(copy):
    path = copy / "zarr.json"
    path.write_bytes(path.read_bytes()[:100])
    assert "not a readable forecast" in refusal(copy)


def test_a_missing_variable_is_refused(copy):
    shutil.rmtree(copy / "temperature")
    assert "not a readable forecast" in refusal(copy)


def test_a_truncated_lead_is_refused_where_it_is_read(copy):
    chunk = copy / "temperature" / "c" / "0" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-5])
    forecast = ForecastStore.open(copy)
    forecast.read(slice(0, 2), 1)
    with pytest.raises(UserError, match=r"lead 3 cannot be read \(.*\); the forecast is damaged"):
        forecast.read(slice(0, 2), 2)
