import errno
import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import torch
import xarray as xr
import zarr

from tests.builders import (
    SPLITS,
    advected_wave,
    land_mask,
    wave_store,
    weather_fields,
    weather_grid,
    weather_times,
)
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.region import Region
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.store.training_store import TrainingStore, read_trajectory
from triton_earth.data.store.writer import write_climatology


def test_a_store_gives_back_what_was_written(waves):
    again = TrainingStore.open(waves.path)
    assert again.variables == waves.variables
    assert again.grid == waves.grid
    assert again.split[:, 0].tolist() == list(SPLITS)
    assert again.split.shape == (6, 12)
    assert again.time_step == pytest.approx(0.1)
    assert again.valid_mask is None
    assert again.provenance == {"source": "advected waves"}
    np.testing.assert_array_equal(again.trajectories, np.arange(6))
    for number in range(6):
        np.testing.assert_array_equal(
            again.read(number, slice(2, 5)),
            advected_wave(again.grid, again.times, float(number))[2:5],
        )


def test_a_calendar_store_gives_back_times_mask_and_forcing(weather):
    assert weather.time_step == np.timedelta64(6, "h")
    np.testing.assert_array_equal(weather.times, weather_times(10))
    np.testing.assert_array_equal(weather.valid_mask, land_mask(weather_grid()))
    np.testing.assert_array_equal(
        weather.read(3, slice(None)), weather_fields(weather_grid(), 10, 3)
    )
    assert [variable.role for variable in weather.variables] == ["prognostic", "forcing"]


def test_any_user_can_open_it_with_xarray(weather):
    with xr.open_zarr(weather.path) as dataset:
        assert dataset["state"].dims == ("trajectory", "time", "channel", "latitude", "longitude")
        chosen = (
            dataset["state"].set_index(channel="channel").sel(channel="temperature", trajectory=2)
        )
        np.testing.assert_array_equal(chosen.values, weather_fields(weather_grid(), 10, 2)[:, 0])
        assert dataset["units"].values.tolist() == ["K", "W m-2"]
        assert dataset["role"].values.tolist() == ["prognostic", "forcing"]
        assert dataset["split"].values.tolist() == list(SPLITS)
        assert dataset["valid_mask"].dtype == bool
        np.testing.assert_array_equal(dataset["latitude"], weather_grid().latitude)
        assert json.loads(dataset.attrs["provenance"]) == {"source": "random weather"}


def test_netcdf_holds_all_that_xarray_opens(weather, tmp_path):
    with xr.open_zarr(weather.path) as dataset:
        dataset.to_netcdf(tmp_path / "weather.nc")
        with xr.open_dataset(tmp_path / "weather.nc") as written:
            np.testing.assert_array_equal(written["state"], dataset["state"])
            assert written.attrs == dataset.attrs


def test_one_time_is_one_chunk_and_one_trajectory_one_file(waves):
    array = zarr.open_array(waves.path, path="state", mode="r")
    assert array.chunks == (1, 1, 1, 8, 8)
    assert array.shards == (1, 12, 1, 8, 8)
    assert len([file for file in (waves.path / "state" / "c").rglob("*") if file.is_file()]) == 6


def test_the_hash_of_a_trajectory_is_that_of_its_values(waves, tmp_path):
    hashes = []
    for number in range(6):
        times = [
            hashlib.sha256(field.tobytes()).digest() for field in waves.read(number, slice(None))
        ]
        hashes.append(hashlib.sha256(b"".join(times)).hexdigest())
    assert waves.trajectory_hashes == hashes
    assert wave_store(tmp_path / "again.zarr").content_hash == waves.content_hash
    assert wave_store(tmp_path / "other.zarr", times=11).content_hash != waves.content_hash


def test_windows_are_states_with_times_and_mask(weather):
    state = weather.windows([0, 4], [1, 5], 3)
    assert state.data.shape == (2, 3, 2, 8, 8)
    np.testing.assert_array_equal(state.valid_times[1], weather.times[5:8])
    expected = torch.from_numpy(weather.read(4, slice(5, 8)))
    assert torch.equal(torch.nan_to_num(state.data[1]), torch.nan_to_num(expected))
    assert torch.equal(state.valid_mask, torch.from_numpy(weather.valid_mask))


def test_blocks_are_the_segment(waves):
    (segment, *_) = waves.segments("valid")
    one_time = 4 * 64 / 1e6
    for megabytes, count in ((1.0, 1), (5.5 * one_time, 3), (0.0, 12)):
        blocks = list(waves.blocks(segment, megabytes))
        assert len(blocks) == count
        np.testing.assert_array_equal(np.concatenate(blocks), waves.read(3, slice(None)))


@pytest.mark.parametrize(
    "times", [slice(1, 10, 3), slice(2, None, 4), slice(-3, None), slice(5, 5)]
)
def test_times_are_chosen_as_of_an_array(waves, times):
    np.testing.assert_array_equal(waves.read(2, times), waves.read(2, slice(0, None))[times])


def test_times_are_found_to_a_thousandth_of_the_step(waves, weather):
    assert waves.find_time(0.3) == 3
    assert waves.find_time(0.30005) == 3
    assert waves.find_time(0.35) is None
    assert waves.find_time(7.0) is None
    assert weather.find_time(np.datetime64("2000-01-01T12")) == 2
    assert weather.find_time(np.datetime64("2000-01-01T13")) is None
    assert weather.find_time(np.datetime64("2000-01")) is None  # ten times lie in it


def test_trajectories_are_chosen_by_split(waves):
    assert waves.trajectories_in("train").tolist() == [0, 1, 2]
    assert waves.trajectories_in("test").tolist() == [4, 5]
    with pytest.raises(UserError) as caught:
        waves.trajectories_in("holdout")
    assert "no trajectory is in split 'holdout'; it has ['test', 'train', 'valid']" in str(
        caught.value
    )


# --- refusals


@pytest.fixture
def copy(waves, tmp_path):
    return shutil.copytree(waves.path, tmp_path / "copy.zarr")


def refusal(path):
    with pytest.raises(UserError) as caught:
        TrainingStore.open(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    return text


def test_a_missing_store_is_refused(tmp_path):
    assert "there is no training store; make it with `triton-earth prepare" in refusal(
        tmp_path / "no.zarr"
    )


def test_an_unfinished_store_points_to_resume(tmp_path):
    (tmp_path / "a.zarr.partial").mkdir()
    assert "an unfinished one is there: run the same" in refusal(tmp_path / "a.zarr")


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    assert "not a readable training store" in refusal(tmp_path / "photos")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"CDF\x01")
    assert "not a readable training store" in refusal(tmp_path / "a.nc")


def test_a_foreign_zarr_group_is_refused(tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    assert "a Zarr group, but not a finished training store" in refusal(tmp_path / "a.zarr")


def test_a_store_without_its_hash_is_unfinished(copy):
    del zarr.open_group(copy, mode="r+").attrs["content_hash"]
    assert "not a finished training store" in refusal(copy)


def test_a_missing_trajectory_is_refused(copy):
    shutil.rmtree(copy / "state" / "c" / "3")
    assert "not a readable training store: 12 of 72 fields are missing" in refusal(copy)


@pytest.mark.parametrize("name", ["zarr.json", "state/zarr.json"])
@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_damaged_metadata_are_refused(copy, name, damage):
    path = copy / name
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
    assert "not a " in refusal(copy)


@pytest.mark.parametrize("key", ["variables", "grid", "provenance"])
def test_metadata_without_a_part_are_refused(copy, key):
    path = copy / "zarr.json"
    metadata = json.loads(path.read_text())
    del metadata["attributes"][key]
    path.write_text(json.dumps(metadata))
    assert f"not a readable training store ('{key}' is missing)" in refusal(copy)


@pytest.mark.parametrize("kept", [0, 10, 500, -1])
def test_a_truncated_trajectory_is_refused_where_it_is_read(copy, kept):
    (shard,) = (file for file in (copy / "state" / "c" / "2").rglob("*") if file.is_file())
    shard.write_bytes(shard.read_bytes()[:kept])
    store = TrainingStore.open(copy)
    with pytest.raises(
        UserError, match=r"trajectory 2 cannot be read \(.*\); the store is damaged"
    ):
        store.read(2, slice(None))
    damaged = read_trajectory(copy, 2)
    assert damaged is None or np.isnan(damaged).all()
    np.testing.assert_array_equal(store.read(1, slice(0, 1)).shape, (1, 1, 8, 8))


def test_a_store_on_a_part_of_its_grid(weather):
    cut = Region.parse("-40:40,300:100").cut(weather.grid)
    part = weather.on(cut.grid)
    assert part.grid == cut.grid
    whole = weather.read(4, slice(0, 3))
    expected = whole[:, :, cut.rows][..., cut.columns]
    np.testing.assert_array_equal(part.read(4, slice(0, 3)), expected)
    np.testing.assert_array_equal(
        part.valid_mask, weather.valid_mask[:, cut.rows][..., cut.columns]
    )
    assert weather.on(weather.grid) is weather
    assert weather.on(PeriodicGrid(4, 4)) is weather
    np.testing.assert_array_equal(weather.read(4, slice(0, 3)), whole)


def test_a_full_disk_at_the_climatology_is_one_line(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    wave_store(tmp_path / "store.zarr")
    monkeypatch.setattr("triton_earth.data.store.writer.zarr.open_group", full)
    climatology = Climatology(np.zeros((1, 1, 8, 8)), "zero")
    with pytest.raises(
        UserError, match=r"store\.zarr cannot be written \(No space left on device\)"
    ):
        write_climatology(tmp_path / "store.zarr", ["vorticity"], climatology, ("y", "x"))
