import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.builders import files_below
from tests.crashes import Crash
from tests.gridded import dataset, recipe_values, write
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.inspection.store_checks import inspect_store
from triton_earth.data.preparation import pieces as module
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.store import writer
from triton_earth.data.store.training_store import TrainingStore, write_times

ORIGIN = {"made": "in a test"}
SMALL = 8 * 3 * 96 * 8 * 7 / 1e6  # room for pieces of 7 times


def prepared(path, out, *, window=2, resume=False, overwrite=False, cluster=None, **changes):
    data = GriddedData.parse(recipe_values(path, **changes)["data"], "recipe")
    return prepare_gridded(
        data, out, ORIGIN, window=window, resume=resume, overwrite=overwrite, cluster=cluster
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write(tmp_path_factory.mktemp("files") / "a.nc", dataset())


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    return prepared(files, tmp_path_factory.mktemp("whole") / "a.zarr", memory_mb=SMALL)


@pytest.fixture
def crash(monkeypatch, files):
    """Let the next preparation die before it writes the piece from time number n."""

    def prepare_until(number, out):
        with monkeypatch.context() as patch:

            def dying(path, trajectory, times, fields):
                if times.start == number:
                    raise Crash
                return write_times(path, trajectory, times, fields)

            patch.setattr(module, "write_times", dying)
            with pytest.raises(Crash):
                prepared(files, out, memory_mb=SMALL)

    return prepare_until


def test_the_store_holds_the_files(files, whole):
    assert whole.split.shape == (1, 40)
    assert [len(segment) for segment in whole.segments("train")] == [20]
    assert whole.segments("test")[0].start == 32
    assert whole.split_names == ["test", "train", "valid"]
    assert whole.time_step == np.timedelta64(1, "D")
    fields = whole.read(0, slice(None))
    np.testing.assert_allclose(fields[:, 0], dataset()["t2m"], rtol=1e-6)
    assert np.isnan(fields[:, 1, 2:5, 3:6]).all()
    assert not whole.valid_mask[1, 2:5, 3:6].any()
    assert whole.valid_mask.sum() == 3 * 96 - 9
    assert whole.variables.with_role(Role.FORCING).names == ["flux"]
    (file,) = whole.provenance["files"]
    assert (file["name"], file["bytes"]) == ("a.nc", files.stat().st_size)
    assert file["modified"] == f"{np.datetime64(files.stat().st_mtime_ns, 'ns')}Z"
    assert whole.provenance["made"] == "in a test"


def test_the_same_files_give_the_same_hash_however_they_are_cut(files, whole, tmp_path):
    for number, memory in enumerate([1e-9, 2 * SMALL, 512]):
        again = prepared(files, tmp_path / f"{number}.zarr", memory_mb=memory)
        assert again.content_hash == whole.content_hash
    again = prepared(files, tmp_path / "same.zarr", memory_mb=SMALL)
    assert files_below(again.path) == files_below(whole.path)


@pytest.mark.parametrize("number", [0, 7, 28, 35])
def test_a_resumed_store_has_the_same_bytes(files, whole, tmp_path, crash, number):
    out = tmp_path / "a.zarr"
    crash(number, out)
    assert not out.exists()
    resumed = prepared(files, out, resume=True, memory_mb=SMALL)
    assert files_below(resumed.path) == files_below(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("damage", ["change", "truncate", "empty", "remove"])
def test_finished_pieces_are_verified_and_damaged_ones_made_again(
    files, whole, tmp_path, crash, caplog, damage
):
    out = tmp_path / "a.zarr"
    crash(28, out)
    partial = tmp_path / "a.zarr.partial"
    if damage == "change":
        write_times(partial, 0, slice(7, 14), np.ones((7, 3, 8, 12), np.float32))
    else:
        folder = partial / "state" / "c" / "0" / "1"
        (file,) = (path for path in folder.rglob("*") if path.is_file())
        content = file.read_bytes()
        file.unlink()
        if damage != "remove":
            file.write_bytes(content[:-9] if damage == "truncate" else b"")
    with caplog.at_level(logging.WARNING, logger="triton_earth"):
        resumed = prepared(files, out, resume=True, memory_mb=SMALL)
    assert caplog.messages == [
        f"{partial}: the piece from 2001-01-08 is damaged and is made again."
    ]
    assert resumed.content_hash == whole.content_hash


def test_resuming_with_other_files_or_another_recipe_is_refused(files, tmp_path, crash):
    out = tmp_path / "a.zarr"
    crash(28, out)
    before = files_below(tmp_path)
    with pytest.raises(UserError, match="the store there is of another recipe"):
        prepared(files, out, resume=True, memory_mb=2 * SMALL)
    progress = tmp_path / "a.zarr.partial" / "unfinished.json"
    state = json.loads(progress.read_text())
    state["identity"]["files"][0]["bytes"] += 1
    assert files_below(tmp_path) == before
    progress.write_text(json.dumps(state))
    with pytest.raises(UserError, match="the store there is of another recipe"):
        prepared(files, out, resume=True, memory_mb=SMALL)


def test_resuming_a_complete_store_changes_nothing(files, whole):
    before = files_below(whole.path)
    assert prepared(files, whole.path, resume=True, memory_mb=SMALL).content_hash
    assert files_below(whole.path) == before


def test_a_gap_shorter_than_a_window_is_refused(files, tmp_path):
    with pytest.raises(UserError, match="are 3 unused times; a gap of 4, one window of the model"):
        prepared(files, tmp_path / "a.zarr", window=4)
    with pytest.raises(UserError, match="a gap of 9"):
        prepared(files, tmp_path / "a.zarr", gap=9)
    assert list(tmp_path.iterdir()) == []


def test_a_store_refuses_windows_longer_than_its_gaps(whole):
    whole.require_gap(3)
    with pytest.raises(UserError) as caught:
        whole.require_gap(4)
    assert "between train and valid are 3 unused times, fewer than a window of 4" in str(
        caught.value
    )


def test_a_full_disk_is_one_line_and_the_rest_goes_on_later(files, whole, tmp_path, monkeypatch):
    out = tmp_path / "a.zarr"
    original = writer.write_plain_file

    def full(path, fields, in_file):
        if int(path.parts[-4]) * in_file == 14:
            original(path, fields[: len(fields) // 2], in_file)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(path, fields, in_file)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_plain_file", full)
        with pytest.raises(UserError) as caught:
            prepared(files, out, memory_mb=SMALL)
    assert str(caught.value) == (
        f"{tmp_path / 'a.zarr.partial'} cannot be written (No space left on device). Make room, then repeat the "
        "command with --resume."
    )
    assert not out.exists()
    resumed = prepared(files, out, resume=True, memory_mb=SMALL)
    assert resumed.content_hash == whole.content_hash


@pytest.mark.parametrize("time", [0, 13, 20, 39])
def test_a_hole_is_named(tmp_path, time):
    data = dataset()
    data["t2m"][time, 5, 7] = np.nan
    path = write(tmp_path / "holes.nc", data)
    with pytest.raises(UserError) as caught:
        prepared(path, tmp_path / "new" / "a.zarr", memory_mb=SMALL)
    text = str(caught.value)
    assert "variable '2m_temperature' has " in text
    assert "cell (5, 7) at 33.75 N 210 E" in text
    assert not (tmp_path / "new" / "a.zarr").exists()


def test_cells_with_holes_may_be_masked_at_all_times(tmp_path, caplog):
    data = dataset()
    data["t2m"][13, 5, 7] = np.nan
    data["t2m"][20:, 1, 1] = np.nan
    path = write(tmp_path / "holes.nc", data)
    with caplog.at_level(logging.INFO, logger="triton_earth"):
        store = prepared(path, tmp_path / "a.zarr", memory_mb=SMALL, holes="mask")
    assert (
        "2m_temperature: 2 of 96 cells lack a value at some times and are masked at all times."
        in caplog.messages
    )
    expected = np.ones((8, 12), dtype=bool)
    expected[5, 7] = expected[1, 1] = False
    np.testing.assert_array_equal(store.valid_mask[0], expected)
    fields = store.read(0, slice(None))
    np.testing.assert_array_equal(
        np.isfinite(fields), np.broadcast_to(store.valid_mask, fields.shape)
    )
    data["t2m"][3] = np.nan
    with pytest.raises(
        UserError, match="no cell of variable '2m_temperature' has a value at all times"
    ):
        prepared(write(tmp_path / "b.nc", data), tmp_path / "b.zarr", holes="mask")


def without(tmp_path, *days):
    data = dataset()
    return write(
        tmp_path / "gaps.nc", data.isel(time=[day for day in range(40) if day not in days])
    )


def test_missing_times_between_periods_are_times_without_a_state(tmp_path, whole):
    path = without(tmp_path, 20, 21, 30)
    store = prepared(path, tmp_path / "a.zarr", memory_mb=SMALL)
    np.testing.assert_array_equal(store.times, whole.times)
    np.testing.assert_array_equal(store.split, whole.split)
    np.testing.assert_array_equal(np.flatnonzero(~store.recorded), [20, 21, 30])
    assert np.isnan(store.read(0, slice(20, 22))).all()
    np.testing.assert_array_equal(store.read(0, slice(0, 20)), whole.read(0, slice(0, 20)))
    np.testing.assert_array_equal(store.read(0, slice(31, 40)), whole.read(0, slice(31, 40)))
    assert store.find_time(store.times[20]) is None
    assert store.find_time(store.times[19]) == 19
    assert whole.recorded.all()
    # What is read without the readers of whole files is the same.
    store._shards = None
    assert np.isnan(store.read(0, slice(19, 22))[1:]).all()
    found = inspect_store(store.path)
    assert found.findings == []
    assert found.facts["without a state"] == "3 times"


def test_missing_times_within_a_period_break_it_if_asked_for(tmp_path):
    path = without(tmp_path, 4, 5, 35)
    with pytest.raises(UserError) as caught:
        prepared(path, tmp_path / "a.zarr")
    assert str(caught.value) == (
        f"{path}: 2 times of the train period 2001-01-01 to 2001-01-20 are missing, the first 2001-01-05. Fill them, "
        "choose periods without them, or say data.gaps=split: windows then do not cross them."
    )
    store = prepared(path, tmp_path / "a.zarr", gaps="split", memory_mb=SMALL)
    assert [(each.start, each.stop) for each in store.segments("train")] == [(0, 4), (6, 20)]
    assert [(each.start, each.stop) for each in store.segments("test")] == [(32, 35), (36, 40)]
    again = prepared(path, tmp_path / "b.zarr", gaps="split", memory_mb=2 * SMALL)
    assert again.content_hash == store.content_hash
    assert inspect_store(store.path).kinds == []


def test_a_long_gap_of_whole_files_is_no_damage(tmp_path):
    """Files of the store that hold nothing but times without a state are there all the same."""
    path = without(tmp_path, *range(20, 31))
    splits = {"train": ["2001-01-01", "2001-01-10"], "valid": ["2001-01-14", "2001-01-20"],
              "test": ["2001-02-02", "2001-02-09"]}  # fmt: skip
    store = prepared(path, tmp_path / "a.zarr", memory_mb=SMALL / 3.5, splits=splits)
    assert (~store.recorded).sum() == 11
    assert store.segments("test")[0].start == 32


def test_missing_times_with_holes_masked_and_anomalies(tmp_path):
    data = dataset()
    data["t2m"][13, 5, 7] = np.nan
    path = write(
        tmp_path / "a.nc", data.isel(time=[day for day in range(40) if day not in (0, 5, 38)])
    )
    store = prepared(
        path,
        tmp_path / "a.zarr",
        holes="mask",
        gaps="split",
        memory_mb=SMALL,
        derive=[{"kind": "anomaly", "of": "2m_temperature"}, "insolation"],
        splits={"train": ["2001-01-02", "2001-01-20"], "valid": ["2001-01-24", "2001-01-29"],
                "test": ["2001-02-02", "2001-02-09"]},
    )  # fmt: skip
    assert not store.valid_mask[0, 5, 7]
    fields = store.read(0, slice(None))
    assert np.isnan(fields[~store.recorded]).all()
    there = fields[store.recorded]
    np.testing.assert_array_equal(
        np.isfinite(there), np.broadcast_to(store.valid_mask, there.shape)
    )
    channel = store.variables.names.index("2m_temperature_anomaly")
    anomalies = fields[store.split[0] == "train", channel][:, store.valid_mask[channel]]
    assert np.abs(anomalies.mean(axis=0)).max() < 1e-4


def test_many_workers_write_the_bytes_of_one(files, whole, tmp_path, dask_address, crash):
    """From the beginning, and after a crash of a single one."""
    store = prepared(files, tmp_path / "a.zarr", memory_mb=SMALL, cluster=dask_address)
    assert files_below(store.path) == files_below(whole.path)
    crash(21, tmp_path / "b.zarr")
    # What a process leaves behind that is killed while it writes.
    (tmp_path / "b.zarr.partial" / ".progress.json.18845.tmp").write_text("{")
    (tmp_path / "b.zarr.partial" / "state" / "c" / "0" / f"3.{'1f' * 16}.partial").write_bytes(b"1")
    resumed = prepared(
        files, tmp_path / "b.zarr", memory_mb=SMALL, cluster=dask_address, resume=True
    )
    assert files_below(resumed.path) == files_below(whole.path)


def test_a_wrong_value_found_by_one_of_many_leaves_nothing_behind(tmp_path, dask_address):
    data = dataset()
    data["t2m"][9, 5, 7] = np.nan
    path = write(tmp_path / "holes.nc", data)
    with pytest.raises(UserError, match="variable '2m_temperature' has no value at 2001-01-10"):
        prepared(path, tmp_path / "new" / "a.zarr", memory_mb=SMALL / 7, cluster=dask_address)
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())


MEASURE = """
import sys
from tests.gridded import recipe_values
from triton_earth.data.inspection.store_checks import inspect_store
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData
from pathlib import Path
last = sys.argv[2]
splits = {"train": ["2001-01-01", "2001-06-30"], "valid": ["2001-07-05", "2001-07-31"], "test": ["2001-08-05", last]}
data = GriddedData.parse(recipe_values(sys.argv[1], memory_mb=20, splits=splits)["data"], "recipe")
prepare_gridded(data, Path(sys.argv[1] + ".zarr"), {}, window=2)
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(float(peak.split()[1]) / 1e3)
"""


def peak(path, times):
    """Resident memory of a process of its own that prepares a file in 20 MB."""
    last = str(np.datetime64("2001-01-01") + times - 1)
    words = [sys.executable, "-c", MEASURE, str(path), last]
    # Else the C library keeps what is freed, several chunks of 25 MB.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    made = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    found = float(made.stdout)
    assert TrainingStore.open(Path(f"{path}.zarr")).times.size == times
    return found


def enlarged(times):
    large = dataset(times).isel(latitude=np.arange(8).repeat(4), longitude=np.arange(12).repeat(4))
    return large.assign_coords(
        latitude=np.linspace(-87.1875, 87.1875, 32), longitude=7.5 * np.arange(48)
    )


def in_chunks(path, data, times):
    encoding = {name: {"chunks": (times, 32, 48)} for name in ("t2m", "sst", "flux")}
    data.astype(np.float32).drop_encoding().to_zarr(path, zarr_format=2, encoding=encoding)
    return path


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what it held")
@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_peak_memory_stays_flat_when_the_files_grow_tenfold(tmp_path, kind):
    """15 and 150 MB of fields, prepared in 20 MB."""
    peaks = []
    for times in (400, 4000):
        path, large = tmp_path / f"{times}.{kind}", enlarged(times)
        peaks.append(
            peak(write(path, large) if kind == "nc" else in_chunks(path, large, 50), times)
        )
    assert peaks[1] < peaks[0] + 10, peaks


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what it held")
def test_a_chunk_larger_than_the_memory_is_held_three_times_and_no_more(tmp_path):
    """One chunk of 25 MB for each of three variables, prepared in 20 MB."""
    large = enlarged(4000)
    small = peak(in_chunks(tmp_path / "small.zarr", large, 50), 4000)
    whole = peak(in_chunks(tmp_path / "whole.zarr", large, 4000), 4000)
    assert whole < small + 3 * 25, (small, whole)


def with_rare_ice(path):
    """Ice with values where there is some, on a sea that reaches around land."""
    data = dataset()
    land = np.isnan(data["sst"].values[0])
    ice = np.where(data["sst"].values < 8, 0.5, np.nan)
    ice[0, 0, 0] = np.nan  # there at most other times
    ice[:, 7] = np.nan
    ice[:, land] = np.nan
    data["ice"] = (data["sst"].dims, ice, {"units": "1"})
    return write(path, data), ice


FILL = {
    "variables": [
        "2m_temperature",
        {"name": "sea_ice_concentration", "source": "ice", "fill": 0.0},
    ],
    "holes": "fill",
}


def test_holes_are_filled_where_absence_means_a_value(tmp_path, caplog):
    path, ice = with_rare_ice(tmp_path / "a.nc")
    caplog.set_level(logging.INFO)
    store = prepared(path, tmp_path / "a.zarr", memory_mb=SMALL, **FILL)
    ever = np.isfinite(ice).any(axis=0)
    assert 0 < ever.sum() < ever.size
    expected = np.where(np.isnan(ice) & ever, 0.0, ice)
    np.testing.assert_array_equal(store.read(0, slice(None))[:, 1], expected.astype("f4"))
    np.testing.assert_array_equal(store.valid_mask[1], ever)
    count = int((np.isnan(ice) & ever).sum())
    assert f"sea_ice_concentration: {count} holes are filled." in caplog.text


def test_averages_count_absence_as_what_it_means(tmp_path):
    """Onto a coarser grid, half a cell of ice and half without is a half."""
    data = dataset()
    ice = np.full(data["flux"].shape, np.nan)
    ice[:, :, ::2] = 1.0
    ice[20] = 1.0  # everywhere, so that every cell has some at some time
    data["ice"] = (data["flux"].dims, ice, {"units": "1"})
    path = write(tmp_path / "a.nc", data)
    grid = {"latitudes": 4, "longitudes": 6}
    fields = prepared(path, tmp_path / "a.zarr", grid=grid, **FILL).read(0, slice(None))
    assert 0.2 < fields[0, 1].mean() < 0.8
    np.testing.assert_allclose(fields[20, 1], 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"holes": "fill"}, "no variable says what stands for an absent value. Say it: variables:"),
        ({"variables": FILL["variables"]}, "has `fill`, but holes is 'refuse'. Say `holes: fill`"),
        (
            {"variables": [{**FILL["variables"][1], "fill": 7.0}], "holes": "fill"},
            "`fill` of 'sea_ice_concentration' is 7, outside -0.01 to 1.02, what sea ice concentration can be",
        ),
    ],
)  # fmt: skip
def test_what_holes_cannot_be_filled_with(tmp_path, changes, message):
    path, _ = with_rare_ice(tmp_path / "a.nc")
    with pytest.raises(UserError) as caught:
        prepared(path, tmp_path / "a.zarr", **changes)
    assert message in str(caught.value)
    assert not (tmp_path / "a.zarr").exists()


def test_other_holes_are_refused_still(tmp_path):
    path, _ = with_rare_ice(tmp_path / "a.nc")
    choice = ["2m_temperature", {"name": "ice"}]
    with pytest.raises(UserError, match=r"as for ice, say which with data.holes=fill and `fill`\."):
        prepared(path, tmp_path / "a.zarr", variables=choice)
