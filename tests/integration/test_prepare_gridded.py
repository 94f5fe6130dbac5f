"""A stranger's gridded files through the whole command line, and every way in which they can be wrong."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr

from tests.builders import files_below
from tests.gridded import dataset, write, write_recipe
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster


def test_prepare_train_forecast_evaluate(command, tmp_path):
    """Latitude from the north, land, a forcing, a static field: what a reanalysis looks like."""
    files = write(tmp_path / "a.nc", dataset().isel(latitude=slice(None, None, -1)))
    recipe = write_recipe(
        tmp_path / "recipe.yaml",
        files,
        variables=[
            "2m_temperature", "sst", {"name": "flux", "role": "forcing"}, {"name": "land_sea_mask", "role": "static"},
        ],
        derive=["insolation"],
    )  # fmt: skip
    store, run = tmp_path / "truth.zarr", tmp_path / "run"
    forecast, report = tmp_path / "forecast.zarr", tmp_path / "report"
    made = command("prepare", recipe, "--out", store)
    assert (made.code, made.out[:16]) == (0, "training store: ")
    assert "prepare: 40/40" in made.err
    trained = command("train", recipe, store, "--out", run)
    assert trained.code == 0, trained.err
    forecaster = load_forecaster(run)
    assert forecaster.prognostic.names == ["2m_temperature", "sst"]
    assert forecaster.forcing.names == ["flux", "land_sea_mask", "insolation"]
    assert not forecaster.valid_mask[1, 2:5, 3:6].any()
    assert command("forecast", run, store, "--out", forecast).code == 0
    with xr.open_zarr(forecast) as dataset_:
        # Test is 2 to 9 February: forecasts of 3 steps start on days 2, 4 and 6.
        days = dataset_["init_time"].values.astype("datetime64[D]").astype(str).tolist()
        assert days == ["2001-02-02", "2001-02-04", "2001-02-06"]
        assert np.isnan(dataset_["sst"].values[:, :, 2:5, 3:6]).all()
        assert np.isfinite(dataset_["2m_temperature"].values).all()
    judged = command("evaluate", forecast, store, "--out", report, "--resamples", 10)
    assert judged.code == 0, judged.err
    assert "persistence" in judged.out


@pytest.mark.slow
def test_a_model_of_anomalies(command, tmp_path):
    data = dataset(500)
    warmer = 20 * np.cos(2 * np.pi * data["time"].dt.dayofyear / 365.25)
    data["t2m"] = (data["t2m"] + warmer).assign_attrs(units="K")
    splits = {
        "train": ["2001-01-01", "2002-02-28"],
        "valid": ["2002-03-10", "2002-03-20"],
        "test": ["2002-04-01", "2002-04-20"],
    }
    recipe = write_recipe(
        tmp_path / "recipe.yaml", write(tmp_path / "a.nc", data), variables=["2m_temperature", "sst"], splits=splits
    )  # fmt: skip
    store, run, forecast = (tmp_path / name for name in ("truth.zarr", "run", "forecast.zarr"))
    anomalies = "model.normalization.subtract=climatology"
    assert command("prepare", recipe, "--out", store).code == 0
    trained = command("train", recipe, store, anomalies, "train.steps=2", "--out", run)
    assert trained.code == 0, trained.err
    seasons = load_forecaster(run).normalizer.seasons
    assert (
        seasons.climatology.definition
        == "mean of the training split by time of the year (3 harmonics)"
    )
    assert load_forecaster(run).normalizer.std[0] < 4
    made = command("forecast", run, store, "--out", forecast, "--steps", 5)
    assert made.code == 0, made.err
    truth = TrainingStore.open(store)
    with xr.open_zarr(forecast) as stored:
        warmth = stored["2m_temperature"].values
        first = truth.find_time(stored["init_time"].values[0]) + 1
        assert np.isnan(stored["sst"].values[:, :, 2:5, 3:6]).all()
    # Full fields, near the truth: an untrained network of anomalies leaves the season as it is.
    expected = truth.read(0, slice(first, first + 5))[:, 0]
    assert np.abs(warmth[0] - expected).max() < 30


@pytest.mark.slow
def test_a_computed_diagnostic_and_a_log_scale_are_trained_on(command, tmp_path):
    data = dataset()
    generator = np.random.default_rng(0)
    rain = generator.lognormal(-9, 2, data["t2m"].shape)
    data["tp"] = (data["t2m"].dims, rain, {"units": "m"})
    for name in ("u10", "v10"):
        data[name] = (data["t2m"].dims, generator.normal(0, 5, rain.shape), {"units": "m/s"})
    hidden = [{"name": name, "source": f"{name}10", "keep": False} for name in "uv"]
    recipe = write_recipe(
        tmp_path / "recipe.yaml",
        write(tmp_path / "a.nc", data),
        variables=["total_precipitation", *hidden],
        derive=[{"kind": "wind_speed", "of": ["u", "v"], "role": "diagnostic"}],
        grid={"latitudes": 8, "longitudes": 8, "method": "bilinear"},
    )
    store, run, forecast = (tmp_path / name for name in ("truth.zarr", "run", "forecast.zarr"))
    scale = "model.normalization.log_scale={total_precipitation: 1.0e-5}"
    assert command("prepare", recipe, "--out", store).code == 0
    trained = command("train", recipe, store, scale, "--out", run)
    assert trained.code == 0, trained.err
    forecaster = load_forecaster(run)
    assert forecaster.normalizer.log_scale == {"total_precipitation": 1e-5}
    assert forecaster.predicted.names == ["total_precipitation", "wind_speed"]
    assert command("forecast", run, store, "--out", forecast).code == 0
    with xr.open_zarr(forecast) as found:
        assert set(found.data_vars) == {"total_precipitation", "wind_speed"}
        assert np.isfinite(found["total_precipitation"].values).all()
    misspelt = scale.replace("total_", "totl_")
    unknown = command("train", recipe, store, misspelt, "--out", tmp_path / "other")
    assert unknown.code == 2
    assert "there is no variable 'totl_precipitation'; did you mean" in unknown.err


def test_initial_times_have_to_be_of_the_split(command, tmp_path):
    files = write(tmp_path / "a.nc", dataset())
    recipe = write_recipe(tmp_path / "recipe.yaml", files)
    store, run = tmp_path / "truth.zarr", tmp_path / "run"
    assert command("prepare", recipe, "--out", store).code == 0
    assert command("train", recipe, store, "--out", run).code == 0
    out = ["--out", tmp_path / "f.zarr", "--steps", 2]
    leaked = command("forecast", run, store, *out, "--init", "2001-01-05")
    assert leaked.code == 2
    assert "belong to train, not to split 'test'" in leaked.err
    gap = command("forecast", run, store, *out, "--init", "2001-01-31")
    assert "belong to the gap between splits" in gap.err
    assert command("forecast", run, store, *out, "--init", "2001-02-03").code == 0
    elsewhere = dataset()
    elsewhere["sst"][:, 2, 3] = 10.0
    recipe_2 = write_recipe(tmp_path / "2.yaml", write(tmp_path / "2.nc", elsewhere))
    assert command("prepare", recipe_2, "--out", tmp_path / "2.zarr").code == 0
    other = command("forecast", run, tmp_path / "2.zarr", "--out", tmp_path / "g.zarr")
    assert other.code == 2
    assert "'sst' is defined in 88 cells, but the model 'triton' was trained where" in other.err
    longer = command("train", recipe, store, "train.horizon=3", "--out", tmp_path / "r")
    assert longer.code == 2
    assert "are 3 unused times, fewer than a window of 4" in longer.err


@pytest.fixture
def refused(command, tmp_path):
    """Prepare from spoiled files; the command must fail with one line and leave no store."""

    def run(path, *words, **changes):
        recipe = write_recipe(tmp_path / "recipe.yaml", path, **changes)
        before = files_below(tmp_path)
        outcome = command("-q", "prepare", recipe, "--out", tmp_path / "a_store.zarr", *words)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        (line,) = outcome.err.splitlines()
        assert line.startswith("error: ")
        assert files_below(tmp_path) == before
        return line

    return run


def spoiled_times(data, change):
    times = data["time"].values.copy()
    change(times)
    return data.assign_coords(time=times)


def repeat(times):
    times[7] = times[6]


def swap(times):
    times[[6, 7]] = times[[7, 6]]


def leave_out(times):
    times[10:] += np.timedelta64(1, "D")


def shift(times):
    times[10] += np.timedelta64(7, "h")


def forget(times):
    times[7] = np.datetime64("NaT")


def no_calendar(data):
    """Times as plain numbers without units."""
    return data.assign_coords(time=np.arange(40.0))


def other_calendar(data):
    return data.convert_calendar("360_day", use_cftime=True, align_on="date")


def all_nan(data):
    return data.assign(t2m=data["t2m"] * np.nan)


def at(data, name, value):
    changed = data[name].copy()
    changed[5, 3, 4] = value
    return data.assign({name: changed})


SPOILED = {
    "unknown variable": (lambda d: d.drop_vars("t2m"), {}, "there is no variable '2m_temperature'"),
    "misspelled source": (lambda d: d, {"variables": [{"name": "x", "source": "t2mm"}]}, "did you mean 't2m'?"),
    "two candidates": (lambda d: d.assign(tas=d["t2m"]), {}, "may be any of ['t2m', 'tas']"),
    "missing units": (lambda d: d.assign(t2m=d["t2m"].drop_attrs()), {}, "does not say its units; expected K"),
    "impossible units": (
        lambda d: d.assign(t2m=d["t2m"].assign_attrs(units="m")), {},
        "in 'm', which cannot be converted to 'K'",
    ),
    "no time": (lambda d: d.isel(time=0, drop=True), {}, "without time"),
    "forcing without time": (
        lambda d: d, {"variables": ["t2m", {"name": "lsm", "role": "forcing"}]},
        "Give it `role: static`",
    ),
    "only static": (lambda d: d, {"variables": [{"name": "lsm", "role": "static"}]}, "no variable is prognostic"),
    "one time": (lambda d: d.isel(time=[3]), {}, "found 1 times"),
    "unsorted times": (lambda d: spoiled_times(d, swap), {}, "times do not ascend: 2001-01-07"),
    "repeated time": (lambda d: spoiled_times(d, repeat), {}, "the time 2001-01-07 occurs twice"),
    "missing day": (
        lambda d: spoiled_times(d, leave_out), {},
        "1 times of the train period 2001-01-01 to 2001-01-20 are missing, the first 2001-01-11. Fill them",
    ),
    "uneven times": (
        lambda d: spoiled_times(d, shift), {},
        "2 of 39 steps between times are no multiple of the usual one, the first from 2001-01-10",
    ),
    "times without units": (no_calendar, {}, "nobody can tell what day it is"),
    "calendar of equal months": (other_calendar, {}, "is in the calendar '360_day'"),
    "no latitude": (lambda d: d.drop_vars("latitude").rename(latitude="row"), {}, "there is no latitude"),
    "no longitude": (lambda d: d.drop_vars("longitude").rename(longitude="col"), {}, "there is no longitude"),
    "latitude in metres": (
        lambda d: d.assign_coords(latitude=("latitude", d.latitude.values * 1e5)), {},
        "beyond -90..90",
    ),
    "huge longitude": (
        lambda d: d.assign_coords(longitude=("longitude", d.longitude.values * 1e6)), {},
        "no angle in degrees",
    ),
    "unsorted latitude": (lambda d: d.isel(latitude=[1, 0, *range(2, 8)]), {}, "latitude 'latitude' is not in order"),
    "unsorted longitude": (
        lambda d: d.isel(longitude=[1, 0, *range(2, 12)]), {},
        "longitude 'longitude' is not in order",
    ),
    "NaN latitude": (
        lambda d: d.assign_coords(latitude=[np.nan, *range(7)]), {},
        "must hold at least two finite numbers",
    ),
    "0-d variable": (lambda d: d.assign(t2m=((), 280.0, {"units": "K"})), {}, "it is no map"),
    "text variable": (
        lambda d: d.assign(t2m=(("time", "latitude", "longitude"), np.full((40, 8, 12), "warm"))), {},
        "holds no numbers",
    ),
    "extra dimension": (lambda d: d.expand_dims(number=3), {}, "also depends on ['number']"),
    "levels not chosen": (lambda d: d.expand_dims(level=[500.0, 850.0]), {}, "has levels 500, 850; choose some"),
    "missing level": (
        lambda d: d.expand_dims(level=[500.0, 850.0]), {"variables": [{"name": "t2m", "levels": [700]}]},
        "level 700 is not there",
    ),
    "levels of a flat variable": (lambda d: d, {"variables": [{"name": "t2m", "levels": [500]}]}, "has no levels"),
    "all NaN": (all_nan, {}, "'2m_temperature' has no value at all"),
    "infinite value": (lambda d: at(d, "t2m", np.inf), {}, "looks like a missing value"),
    "undeclared fill value": (lambda d: at(d, "flux", 9.96921e36), {}, "looks like a missing value"),
    "region at sea": (lambda d: d, {"region": {"latitude": [1, 2]}}, "fewer than two cells"),
    "region upside down": (lambda d: d, {"region": {"latitude": [2, 1]}}, "latitude is (south, north)"),
    "step that is none": (lambda d: d, {"step": "fortnight"}, "expected for example '6 h', '1 d', 'month' or 'year'"),
    "step between the times": (lambda d: d, {"step": "36 h"}, "no multiple"),
    "finer grid": (
        lambda d: d, {"grid": {"latitudes": 90, "longitudes": 180}},
        "averaging only makes a grid coarser",
    ),
    "no variables": (lambda d: d, {"variables": []}, "key 'data.variables'"),
    "unknown derived forcing": (lambda d: d, {"derive": ["moonlight"]}, "key 'data.derive.0.kind'"),
    "unknown kind": (lambda d: d, {"kind": "grided"}, "key 'data"),
    "unknown role": (lambda d: d, {"variables": [{"name": "t2m", "role": "hero"}]}, "role"),
    "wrong splits": (
        lambda d: d, {"splits": {"train": ["2001-01-01", "2001-02-09"]}},
        "key 'data.splits.valid' is missing",
    ),
    "leaking splits": (
        lambda d: d,
        {"splits": {"train": ["2001-01-01", "2001-01-25"], "valid": ["2001-01-24", "2001-01-29"],
                    "test": ["2001-02-02", "2001-02-09"]}},
        "overlaps train",
    ),
    "descending times": (lambda d: d.isel(time=slice(None, None, -1)), {}, "times do not ascend: 2001-02-08"),
    "missing time": (
        lambda d: spoiled_times(d, forget), {},
        "time 'time' has no value at 1 of 40 places, the first at index 7",
    ),
    "repeated latitude": (
        lambda d: d.isel(latitude=[0, 1, 1, *range(2, 7)]), {},
        "latitude 'latitude' is not in order",
    ),
    "one row": (lambda d: d.isel(latitude=[3]), {}, "is a single value, -11.25; a map has at least two rows"),
    "text latitude": (
        lambda d: d.assign_coords(latitude=("latitude", [f"{x}N" for x in range(8)])), {},
        "must hold at least two finite numbers; found 8 of type",
    ),
    "no place at all": (lambda d: d.drop_vars(["latitude", "longitude"]), {}, "there is no latitude"),
    "forcing with holes": (lambda d: at(d, "flux", np.nan), {}, "variable 'flux' has no value at 2001-01-06"),
    "beyond the files": (
        lambda d: d.isel(time=slice(0, 35)), {}, "the test period 2001-02-02 to 2001-02-09 reaches beyond",
    ),
    "gap too short": (lambda d: d, {"gap": 4}, "a gap of 4, one window of the model"),
    "wind speed of one component": (
        lambda d: d, {"derive": [{"kind": "wind_speed", "of": ["t2m"]}]},
        "wind_speed is computed of 2 variables",
    ),
    "vorticity of temperature": (
        lambda d: d, {"derive": [{"kind": "vorticity", "of": ["2m_temperature", "sst"]}]},
        "vorticity needs '2m_temperature' in m s-1, found K",
    ),
    "anomaly of nothing": (
        lambda d: d, {"derive": [{"kind": "anomaly", "of": "ssst"}]},
        "which is not among data.variables; did you mean 'sst'?",
    ),
    "negative memory": (lambda d: d, {"memory_mb": -1}, "key 'data.memory_mb'"),
    "no units of its own": (
        lambda d: d, {"variables": [{"name": "t2m", "units": "furlong"}]},
        "in 'K', which cannot be converted to 'furlong'",
    ),
    "repeated variable": (lambda d: d, {"variables": ["t2m", "t2m"]}, "['t2m'] occur more than once"),
}  # fmt: skip
"""What is done to sound files, what the recipe says besides, what the message says."""


@pytest.mark.parametrize("case", list(SPOILED))
def test_a_malformed_file_or_recipe_is_one_clear_line(refused, tmp_path, case):
    spoil, changes, expected = SPOILED[case]
    path = write(tmp_path / "spoiled.nc", spoil(dataset()))
    assert expected in refused(path, **changes)


def test_times_before_the_year_1678(refused, tmp_path):
    data = dataset().assign_coords(time=("time", np.arange(40), {"units": "days since 0001-01-01"}))
    line = refused(write(tmp_path / "old.nc", data))
    assert "cannot be counted in nanoseconds, which reach from 1678 to 2262" in line


def test_files_of_two_calendars(refused, tmp_path):
    write(tmp_path / "1.nc", dataset().isel(time=slice(0, 20)))
    write(tmp_path / "2.nc", other_calendar(dataset().isel(time=slice(20, None))))
    line = refused(tmp_path / "[12].nc")
    assert f"{tmp_path / '2.nc'}: time 'time' is in the calendar '360_day'" in line


def test_a_curvilinear_grid(refused, tmp_path):
    data = dataset().rename(latitude="y", longitude="x").drop_vars(["y", "x"])
    lat, lon = np.meshgrid(np.arange(8.0), np.arange(12.0), indexing="ij")
    data = data.assign_coords(latitude=(("y", "x"), lat), longitude=(("y", "x"), lon))
    line = refused(write(tmp_path / "curved.nc", data))
    assert (
        "'latitude, longitude' are those of a curvilinear grid of 8 x 12 cells. Say data.grid"
        in line
    )


def test_truncated_and_foreign_files(refused, tmp_path):
    path = write(tmp_path / "cut.nc", dataset())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "it ends too early" in refused(path)
    path.write_bytes(b"fields" + bytes(100))
    assert "The file is damaged or of another format" in refused(path)
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)


def test_a_grib_file_without_messages(refused, tmp_path):
    pytest.importorskip("cfgrib")
    path = tmp_path / "a.nc"
    path.write_bytes(b"GRIB" + bytes(100))
    assert "there is no GRIB message of edition 1 or 2 in it; the file is damaged" in refused(path)


def test_paths_that_are_nothing(refused, tmp_path):
    (tmp_path / "folder").mkdir()
    assert "there is no such file or folder" in refused(tmp_path / "nothing.nc")
    assert "no file matches the pattern" in refused(tmp_path / "*.nc")
    assert "data.path: found []; expected the names of files" in refused([])
    assert "data.path: found ['']; expected the names of files" in refused("")
    assert "a folder that is no Zarr group" in refused(tmp_path / "folder")
    assert "no data of that name comes with the package" in refused("shipped:nothing")
    assert "'quux://' is not read; known are http, https, s3" in refused("quux://bucket/a.zarr")


def test_zarr_with_missing_chunks(refused, command, tmp_path):
    path = tmp_path / "a.zarr"
    dataset().drop_encoding().to_zarr(
        path, zarr_format=3, consolidated=False, encoding={"t2m": {"chunks": (10, 8, 12)}}
    )
    shutil.rmtree(path / "t2m" / "c" / "1")
    assert "1 of 4 chunks of variable 't2m' are missing" in refused(path)
    assert "has no value at 2001-01-20" in refused(path, missing_chunks="fill")


@pytest.mark.parametrize("name", ["time", "latitude"])
def test_zarr_with_a_lost_coordinate(refused, tmp_path, name):
    path = tmp_path / "a.zarr"
    dataset().drop_encoding().to_zarr(path, zarr_format=3, consolidated=False)
    shutil.rmtree(path / name / "c")
    assert f"1 of 1 chunks of the coordinate '{name}' are missing and would read as" in refused(
        path
    )


def test_packing_that_is_no_number(refused, tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].scale_factor = "two"
    line = refused(path)
    assert "variable 't2m' has the attribute scale_factor 'two', which is no number" in line


def test_an_address_that_cannot_be_reached(refused):
    pytest.importorskip("aiohttp")
    line = refused("http://127.0.0.1:9/none.zarr")
    assert "http://127.0.0.1:9/none.zarr: cannot be reached (" in line
    assert "Check the address and the network" in line


def test_a_damaged_zarr_chunk(refused, tmp_path):
    path = tmp_path / "a.zarr"
    dataset().to_zarr(path, zarr_format=3, consolidated=False)
    (chunk,) = (file for file in (path / "t2m" / "c").rglob("*") if file.is_file())
    chunk.write_bytes(chunk.read_bytes()[:50])
    assert "variable 't2m' cannot be read" in refused(path)


def test_files_that_do_not_belong_together(refused, tmp_path):
    data = dataset()
    write(tmp_path / "1.nc", data.isel(time=slice(0, 20)))
    write(tmp_path / "2.nc", data.isel(time=slice(20, None), longitude=slice(0, 6)))
    assert "Put files of one grid into one recipe" in refused(tmp_path / "[12].nc")
    write(tmp_path / "2.nc", data.isel(time=slice(18, None)))
    assert "times do not ascend" in refused(tmp_path / "[12].nc")
    write(tmp_path / "2.nc", data.isel(time=slice(20, None)).drop_vars("flux"))
    assert "they have to be the same" in refused(tmp_path / "[12].nc")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(refused, tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    path.chmod(0)
    assert "may not be read" in refused(path)


def test_a_file_without_permission_as_anyone(refused, tmp_path, monkeypatch):
    path = write(tmp_path / "secret.nc", dataset())
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: "secret" not in str(p) and allowed(p, mode))
    assert "may not be read" in refused(path)


def test_a_channel_array_that_does_not_fit(refused, tmp_path):
    path = tmp_path / "a.h5"
    xr.Dataset({"fields": (("a", "b", "c", "d"), np.zeros((3, 2, 4, 5), np.float32))}).to_netcdf(
        path
    )
    array = {"name": "fields", "channels": ["a"], "latitude": [0, 3], "longitude": [0, 4],
             "start": "2001", "step_hours": 24}  # fmt: skip
    assert "has 2 channels, but data.array.channels names 1" in refused(path, array=array)
    assert "there is no array 'field'" in refused(path, array={**array, "name": "field"})
    assert "there is no latitude" in refused(path)


def test_workers_that_cannot_be(refused, command, tmp_path, monkeypatch):
    path = write(tmp_path / "a.nc", dataset())
    assert "--workers: expected at least 1, found 0." in refused(path, "--workers", 0)
    both = refused(path, "--workers", 2, "--dask", "tcp://127.0.0.1:1")
    assert "--workers and --dask exclude each other" in both
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "needs the package distributed. Install it" in refused(path, "--workers", 2)
    simulated = command("prepare", "turbulence_small", "--workers", 2, "--out", tmp_path / "t.zarr")
    assert simulated.code == 2
    assert "only gridded data is prepared in several processes" in simulated.err


def test_a_full_disk(command, tmp_path, monkeypatch):
    """From the beginning; `test_prepare_gridded.py` beside the module has one that fills up later."""
    path = write(tmp_path / "a.nc", dataset())
    recipe = write_recipe(tmp_path / "recipe.yaml", path)

    async def full(*what):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zarr.storage.LocalStore, "set", full)
        outcome = command("-q", "prepare", recipe, "--out", tmp_path / "a.zarr")
    assert outcome.code == 2, outcome
    (line,) = outcome.err.splitlines()
    assert "a.zarr.partial cannot be written (No space left on device). Make room" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nc", "recipe.yaml"]


def test_an_existing_store_stays(command, tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    recipe, store = write_recipe(tmp_path / "recipe.yaml", path), tmp_path / "a.zarr"
    assert command("prepare", recipe, "--out", store).code == 0
    before = files_below(store)
    again = command("prepare", recipe, "--out", store)
    assert again.code == 2
    assert "exists already" in again.err
    assert files_below(store) == before
    assert command("prepare", recipe, "--out", store, "--overwrite").code == 0
    assert TrainingStore.open(store).content_hash


@pytest.mark.parametrize("name", ["era5.grib", "era5.grb2"])
def test_grib_without_its_package(refused, tmp_path, name, monkeypatch):
    monkeypatch.setattr(xr.backends, "list_engines", dict)
    (tmp_path / name).write_bytes(b"GRIB" + bytes(100))
    assert "reading GRIB needs the package cfgrib" in refused(tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_costs_nothing(tmp_path, workers):
    """SIGKILL in the middle of a piece; the finished store has the same bytes as one made in one go."""
    if workers > 1:
        pytest.importorskip("distributed")
    days = 4000
    last = str(np.datetime64("2001-01-01") + days - 1)
    splits = {"train": ["2001-01-01", "2003-12-31"], "valid": ["2004-02-01", "2004-10-31"],
              "test": ["2005-01-01", last]}  # fmt: skip
    recipe = write_recipe(
        tmp_path / "recipe.yaml",
        write(tmp_path / "a.nc", dataset(days)),
        splits=splits,
        memory_mb=1.0,
    )
    words = [sys.executable, "-m", "triton_earth", "-q", "prepare", str(recipe)]
    words += ["--workers", str(workers), "--out"]
    subprocess.run([*words, str(tmp_path / "whole.zarr")], check=True)
    cut = tmp_path / "cut.zarr"
    process = subprocess.Popen([*words, str(cut)])
    fields = tmp_path / "cut.zarr.partial" / "state" / "c"
    while process.poll() is None and not (
        fields.exists() and len([file for file in fields.rglob("*") if file.is_file()]) > 5
    ):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not cut.exists()
    subprocess.run([*words, str(cut), "--resume"], check=True)
    one, other = files_below(tmp_path / "whole.zarr"), files_below(cut)
    assert one.keys() == other.keys()
    assert all(one[name].replace(b"whole.zarr", b"cut.zarr") == other[name] for name in one)
