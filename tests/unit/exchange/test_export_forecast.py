"""Stored forecasts in the layouts of other tools: what these read is what was stored, bit by bit."""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

from tests.builders import weather_store
from triton_earth.cli import main
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.outputs.claim import MARK, begin_folder
from triton_earth.core.outputs.files import sync_all, sync_tree, write_json
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.data.sources.files import open_files
from triton_earth.evaluation.foreign.forecasts import XarrayForecasts, forecasts_from_xarray
from triton_earth.evaluation.foreign.joined import joined
from triton_earth.exchange import export_forecast as module
from triton_earth.exchange.export_forecast import export_forecast
from triton_earth.exchange.exported import join_levels
from triton_earth.rollout.storage.forecast_store import (
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
    open_for_writing,
)

DAY = np.timedelta64(1, "D").astype("timedelta64[ns]")
GRID = LatLonGrid((-60.0, -20.0, 20.0, 60.0), (0.0, 90.0, 180.0, 270.0))
AIR = Variables(
    (
        Variable("2m_temperature", "K", "temperature at 2 m"),
        Variable("temperature_850", "K", "temperature at 850 hPa", 850.0),
        Variable("temperature_500", "K", "temperature at 500 hPa", 500.0),
        Variable("geopotential_500", "m2 s-2", "geopotential at 500 hPa", 500.0),
        Variable("geopotential_850", "m2 s-2", "geopotential at 850 hPa", 850.0),
    )
)
SEA = Variables(
    (
        Variable("sea_surface_height", "m", "sea surface height"),
        Variable("potential_temperature_0", "K", "temperature", 0.0),
        Variable("potential_temperature_47", "K", "temperature", 47.0),
    )
)


def stored(path, variables=AIR, grid=GRID, *, members=1, leads=(1, 2, 3), calendar=True):
    """A forecast of three starts whose fields are random."""
    starts = np.array(["2001-01-01", "2001-01-06", "2001-01-11"], "datetime64[ns]")
    create_forecast_store(
        path,
        variables=variables,
        grid=grid,
        init_times=starts if calendar else np.arange(3.0),
        trajectories=np.zeros(3, np.int64),
        time_step=DAY if calendar else 0.5,
        steps=list(leads),
        provenance={"model": "triton"},
        members=members,
    )
    generator = np.random.default_rng(0)
    shape = (3, members, len(leads), *grid.shape) if members > 1 else (3, len(leads), *grid.shape)
    for array in open_for_writing(path, variables.names):
        array[:] = generator.normal(280, 5, shape).astype(np.float32)
    finish_forecast_store(path)
    return path


def fields_of(path, lead):
    store = ForecastStore.open(path)
    return store.read_members(slice(0, 3), lead), store.variables.names


def test_levels_are_joined_ascending():
    joined = join_levels(AIR)
    assert [(one.name, one.levels, one.channels) for one in joined] == [
        ("2m_temperature", (), (0,)),
        ("temperature", (500.0, 850.0), (2, 1)),
        ("geopotential", (500.0, 850.0), (3, 4)),
    ]


@pytest.mark.parametrize("members", [1, 2])
def test_weatherbench_has_its_names_dimensions_and_the_same_bits(tmp_path, members):
    path = stored(tmp_path / "f.zarr", members=members)
    made = export_forecast(path, tmp_path / "wb.zarr", layout="weatherbench")
    dataset = xr.open_zarr(made, decode_timedelta=True)
    number = ["number"] if members > 1 else []
    assert list(dataset["temperature"].dims) == [
        "time", "prediction_timedelta", *number, "level", "latitude", "longitude",
    ]  # fmt: skip
    assert dataset["level"].values.tolist() == [500, 850]
    assert dataset["prediction_timedelta"].dtype == "timedelta64[ns]"
    assert dataset["temperature"].attrs["standard_name"] == "air_temperature"
    assert dataset["time"].values[1] == np.datetime64("2001-01-06")
    for lead in range(3):
        fields, names = fields_of(path, lead)
        here = dataset.isel(prediction_timedelta=lead)
        for name, level in (("temperature", 850), ("geopotential", 500)):
            found = here[name].sel(level=level).values.reshape(3, members, 4, 4)
            np.testing.assert_array_equal(found, fields[:, :, names.index(f"{name}_{level}")])


def test_weatherbench_is_read_again_as_the_same_forecast(tmp_path):
    path = stored(tmp_path / "f.zarr")
    made = export_forecast(path, tmp_path / "wb.zarr", layout="weatherbench")
    again = forecasts_from_xarray(xr.open_zarr(made, decode_timedelta=True))
    own = ForecastStore.open(path)
    np.testing.assert_array_equal(again.lead_times, own.lead_times)
    order = [again.variables.names.index(name) for name in own.variables.names]
    np.testing.assert_array_equal(again.read(slice(0, 3), 1)[:, order], own.read(slice(0, 3), 1))


def test_lead_zero_is_the_initial_state(tmp_path):
    truth = weather_store(tmp_path / "truth.zarr", times=12, splits=("train",))
    path = tmp_path / "f.zarr"
    create_forecast_store(
        path,
        variables=truth.variables.select([truth.variables.names[0]]),
        grid=truth.grid,
        init_times=truth.times[2:4],
        trajectories=np.zeros(2, np.int64),
        time_step=truth.time_step,
        steps=2,
        provenance={"model": "triton"},
    )
    (array,) = open_for_writing(path, truth.variables.names[:1])
    array[:] = 1.0
    finish_forecast_store(path)
    made = export_forecast(
        path, tmp_path / "wb.zarr", layout="weatherbench", initial=tmp_path / "truth.zarr"
    )
    dataset = xr.open_zarr(made, decode_timedelta=True)
    assert dataset["prediction_timedelta"].values[0] == np.timedelta64(0)
    np.testing.assert_array_equal(
        dataset[truth.variables.names[0]].isel(prediction_timedelta=0).values,
        truth.read(0, slice(2, 4))[:, 0],
    )


def test_oceanbench_counts_forecast_days_and_turns_longitudes(tmp_path):
    path = stored(tmp_path / "f.zarr", SEA)
    made = export_forecast(path, tmp_path / "ob", layout="oceanbench")
    dataset = xr.open_zarr(made / "challenger.zarr")
    assert dataset["first_day_datetime"].values[0] == np.datetime64("2001-01-02")
    assert dataset["lead_day_index"].values.tolist() == [0, 1, 2]
    assert dataset["longitude"].values.tolist() == [-180.0, -90.0, 0.0, 90.0]
    assert dataset["thetao"].dims[2] == "depth"
    assert dataset["thetao"].attrs["standard_name"] == "sea_water_potential_temperature"
    fields, _ = fields_of(path, 1)
    turned = fields[:, 0][..., [2, 3, 0, 1]]
    here = dataset.isel(lead_day_index=1)
    np.testing.assert_array_equal(here["zos"], turned[:, 0])
    np.testing.assert_allclose(here["thetao"].sel(depth=47.0), turned[:, 2] - 273.15, rtol=1e-5)
    assert "challenger_dataset" in (made / "challenger.py").read_text()


def test_cmip_has_a_file_for_each_variable_start_and_member(tmp_path):
    path = stored(tmp_path / "f.zarr", members=2)
    made = export_forecast(path, tmp_path / "cmip", layout="cmip")
    names = sorted(file.name for file in made.glob("*.nc"))
    assert len(names) == 3 * 3 * 2
    assert "ta_day_triton_forecast_r2i1p1f2_gn_20010107-20010109.nc" in names
    with xr.open_dataset(made / "zg_day_triton_forecast_r1i1p1f1_gn_20010102-20010104.nc") as file:
        assert file["plev"].values.tolist() == [50000.0, 85000.0]
        assert file["zg"].attrs["units"] == "m"
        fields, _ = fields_of(path, 0)
        np.testing.assert_allclose(file["zg"][0, 1], fields[0, 0, 4] / 9.80665, rtol=1e-6)
        assert file["time"].values[0] == np.datetime64("2001-01-02")
    with xr.open_dataset(made / "tas_day_triton_forecast_r1i1p1f2_gn_20010102-20010104.nc") as file:
        np.testing.assert_array_equal(file["tas"][0], fields[0, 1, 0])


@pytest.mark.parametrize("members", [1, 2])
def test_cmip_is_read_again_as_the_same_forecast(tmp_path, members):
    path = stored(tmp_path / "f.zarr", members=members)
    made = export_forecast(path, tmp_path / "cmip", layout="cmip")
    parts = joined(open_files(f"{made}/*.nc"))
    again = XarrayForecasts(parts, "theirs", rename={}, wanted=None)
    own = ForecastStore.open(path)
    assert again.members == members
    np.testing.assert_array_equal(again.lead_times, own.lead_times)
    np.testing.assert_array_equal(again.init_times, own.init_times)
    assert set(again.variables.names) == set(own.variables.names)
    for name in own.variables.names:
        found = again.read_members(slice(0, 3), 1)[:, :, again.variables.names.index(name)]
        expected = own.read_members(slice(0, 3), 1)[:, :, own.variables.names.index(name)]
        if name.startswith("geopotential"):  # as a height in m in between
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        else:
            np.testing.assert_array_equal(found, expected)
    twice = made / "tas_again.nc"
    twice.write_bytes(min(made.glob("tas_*.nc")).read_bytes())
    with pytest.raises(UserError, match="the variable 'tas' of this start is in more than one of"):
        joined(open_files(f"{made}/*.nc"))


@pytest.mark.parametrize("calendar", [True, False])
def test_netcdf_holds_any_grid_with_its_valid_times(tmp_path, calendar):
    variables = Variables((VORTICITY,))
    path = stored(tmp_path / "f.zarr", variables, PeriodicGrid(4, 4), calendar=calendar, members=2)
    made = export_forecast(path, tmp_path / "nc", layout="netcdf")
    files = sorted(made.glob("*.nc"))
    assert len(files) == 3
    with xr.open_dataset(files[1], decode_timedelta=True) as file:
        fields, _ = fields_of(path, 2)
        np.testing.assert_array_equal(file["vorticity"][:, 2], fields[1, :, 0])
        expected = np.datetime64("2001-01-09") if calendar else 2.5
        assert file["valid_time"].values[2] == expected
        assert file.attrs["Conventions"].startswith("CF")


@pytest.mark.parametrize("layout", ["weatherbench", "netcdf"])
def test_lead_times_are_lengths_of_time_without_being_asked_for(tmp_path, layout):
    made = export_forecast(stored(tmp_path / "f.zarr"), tmp_path / "x.zarr", layout=layout)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = (
            xr.open_zarr(made)
            if layout == "weatherbench"
            else xr.open_dataset(min(made.glob("*.nc")))
        )
        with opened as dataset:
            name = "prediction_timedelta" if layout == "weatherbench" else "lead_time"
            np.testing.assert_array_equal(dataset[name], DAY * np.arange(1, 4))
            assert dataset.attrs["Conventions"].startswith("CF")
            assert dataset["latitude"].attrs["axis"] == "Y"
            assert dataset["2m_temperature"].attrs["standard_name"] == "air_temperature"
            assert dataset["2m_temperature"].attrs["units"] == "K"


def test_an_export_that_was_stopped_goes_on_and_has_the_same_files(tmp_path, monkeypatch):
    path = stored(tmp_path / "f.zarr")
    whole = export_forecast(path, tmp_path / "whole.zarr", layout="weatherbench")
    layout = module.LAYOUTS["weatherbench"]
    write = layout.write

    def stopping(folder, exported, init):
        if init == 2:
            raise KeyboardInterrupt
        return write(folder, exported, init)

    monkeypatch.setattr(type(layout), "write", lambda self, *arguments: stopping(*arguments))
    with pytest.raises(KeyboardInterrupt):
        export_forecast(path, tmp_path / "part.zarr", layout="weatherbench")
    assert not (tmp_path / "part.zarr").exists()
    written = []

    def noting(self, folder, exported, init):
        written.append(init)
        return write(folder, exported, init)

    monkeypatch.setattr(type(layout), "write", noting)
    with pytest.raises(UserError, match="unfinished output"):
        export_forecast(path, tmp_path / "part.zarr", layout="weatherbench")
    again = export_forecast(path, tmp_path / "part.zarr", layout="weatherbench", resume=True)
    assert written == [2]
    xr.testing.assert_identical(
        xr.open_zarr(whole, decode_timedelta=True).load(),
        xr.open_zarr(again, decode_timedelta=True).load(),
    )
    assert not (again / "written.json").exists()


def test_an_overwriting_export_that_was_killed_before_it_created_anything_goes_on(tmp_path):
    path = stored(tmp_path / "f.zarr")
    export_forecast(path, tmp_path / "out", layout="netcdf")
    identity = json.loads((tmp_path / "out" / module.ABOUT).read_text())
    begin_folder(tmp_path / "out.partial", {"kind": "export", "identity": identity})
    export_forecast(path, tmp_path / "out", layout="netcdf", resume=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["f.zarr", "out"]


@pytest.mark.parametrize("layout", sorted(module.LAYOUTS))
def test_what_is_said_to_be_written_is_on_the_disk(tmp_path, monkeypatch, layout):
    """When the second start is noted, every file but the notes has been synced since it was written."""
    path = stored(tmp_path / "f.zarr", SEA if layout == "oceanbench" else AIR)
    synced = {}

    def note(folder):
        sync_tree(folder)
        synced.update({file: file.stat().st_mtime_ns for file in folder.rglob("*")})

    def sync_and_note(paths):
        sync_all(paths)
        synced.update({path: path.stat().st_mtime_ns for path in paths})

    def check(file, done):
        if done == 2:
            working = {file, file.parent / module.ABOUT, file.parent / MARK}
            files = {one for one in file.parent.rglob("*") if one.is_file()} - working
            assert len(files) >= 2
            assert {one for one in files if synced.get(one) != one.stat().st_mtime_ns} == set()
            folders = {one.parent for one in files} - {file.parent}
            assert {one for one in folders if synced.get(one) != one.stat().st_mtime_ns} == set()
        write_json(file, done)

    monkeypatch.setattr(module, "sync_all", sync_and_note)
    monkeypatch.setattr(module, "sync_tree", note)
    monkeypatch.setattr(module, "write_json", check)
    export_forecast(path, tmp_path / "out", layout=layout)


OTHER_LEVELS = Variables((*AIR, Variable("specific_humidity_850", "kg kg-1", "humidity", 850.0)))
REFUSALS = {
    "unknown": ({}, {"layout": "grib"}, "--layout: unknown 'grib'"),
    "box": (
        {"variables": Variables((VORTICITY,)), "grid": PeriodicGrid(4, 4)},
        {"layout": "weatherbench"},
        "--layout weatherbench: holds fields on latitude and longitude; the forecast is on a periodic box",
    ),
    "numbers": ({"calendar": False}, {"layout": "cmip"}, "--layout cmip: wants dates"),
    "levels": (
        {"variables": OTHER_LEVELS},
        {"layout": "weatherbench"},
        r"'specific_humidity' has \[850.0\], others \[500.0, 850.0\]",
    ),
    "members": (
        {"variables": SEA, "members": 2},
        {"layout": "oceanbench"},
        "this one has 2 members",
    ),
    "leads": (
        {"variables": SEA, "leads": (2, 4)},
        {"layout": "oceanbench"},
        "wants every day from the first on",
    ),
    "air": ({}, {"layout": "oceanbench"}, "--layout oceanbench: evaluates"),
    "vorticity": (
        {"variables": Variables((VORTICITY,))},
        {"layout": "cmip"},
        r"--layout cmip: has no names for \['vorticity'\]",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_layout_cannot_hold_is_refused_before_anything_is_written(tmp_path, case):
    options, arguments, message = REFUSALS[case]
    path = stored(tmp_path / "f.zarr", **options)
    with pytest.raises(UserError, match=message):
        export_forecast(path, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()


def test_initial_states_of_another_store_are_refused(tmp_path):
    path = stored(tmp_path / "f.zarr")
    weather_store(tmp_path / "truth.zarr", times=4, splits=("train",))
    with pytest.raises(UserError, match=r"--initial .*: lacks the forecast's variables"):
        export_forecast(
            path, tmp_path / "out", layout="weatherbench", initial=tmp_path / "truth.zarr"
        )


def test_the_command_exports_and_says_where(tmp_path, capsys, monkeypatch):
    path = stored(tmp_path / "f.zarr")
    command = [
        "export-forecast",
        str(path),
        "--out",
        str(tmp_path / "wb.zarr"),
        "--layout",
        "weatherbench",
    ]
    monkeypatch.setattr("sys.argv", ["triton-earth", *command])
    main()
    assert "weatherbench: " in capsys.readouterr().out
    assert xr.open_zarr(tmp_path / "wb.zarr", decode_timedelta=True).sizes["time"] == 3
