"""The recipes on data behind a network, with stand-ins of the same layout in its place."""

import json
import sys
import types

import numpy as np
import pytest
import torch
import xarray as xr

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.workflow.recipes.recipe import load_recipe

LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]


def periods(*dates):
    train, valid, test = dates[0:2], dates[2:4], dates[4:6]
    splits = {"train": list(train), "valid": list(valid), "test": list(test)}
    return f"data.splits={json.dumps(splits)}"


def weatherbench(times=60):
    """Dimensions, names and coordinates as in WeatherBench 2; whether it states units is not known, so it does not."""
    generator = np.random.default_rng(0)
    longitude, latitude = 5.625 * np.arange(64), -87.1875 + 5.625 * np.arange(32)
    surface, upper = ("time", "longitude", "latitude"), ("time", "level", "longitude", "latitude")
    values = {"temperature": 250, "geopotential": 5e4, "specific_humidity": 0.01,
              "u_component_of_wind": 5, "v_component_of_wind": 0}  # fmt: skip
    flat = {"2m_temperature": 280, "10m_u_component_of_wind": 1, "10m_v_component_of_wind": 0,
            "mean_sea_level_pressure": 101000}  # fmt: skip

    def field(mean, *shape):
        values = mean + 0.01 * (1 + abs(mean)) * generator.normal(size=shape)
        return np.where(0 < mean < 1, np.abs(values), values).astype(
            np.float32
        )  # no negative humidity

    return xr.Dataset(
        {name: (upper, field(mean, times, 13, 64, 32)) for name, mean in values.items()}
        | {name: (surface, field(mean, times, 64, 32)) for name, mean in flat.items()}
        | {
            name: (surface[1:], generator.uniform(size=(64, 32)).astype(np.float32))
            for name in ("land_sea_mask", "geopotential_at_surface")
        },
        coords={
            "time": np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h"),
            "level": LEVELS,
            "longitude": longitude,
            "latitude": latitude,
        },
    )


def test_weatherbench(command, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    data = weatherbench()
    data.to_zarr("memory://weatherbench2/era5.zarr", zarr_format=2, consolidated=True)
    made = command(
        "prepare", "weather", "--out", tmp_path / "a.zarr",
        "data.path=memory://weatherbench2/era5.zarr", "data.storage_options={}", "data.gap=2", "train.curriculum=[]",
        periods("2001-01-01T12", "2001-01-06T12", "2001-01-09T12", "2001-01-10T12", "2001-01-13T12", "2001-01-15T12"),
    )  # fmt: skip
    fsspec.filesystem("memory").rm("/weatherbench2", recursive=True)
    assert made.code == 0, made.err
    store = TrainingStore.open(tmp_path / "a.zarr")
    assert len(store.variables) == 5 * 13 + 4 + 6
    assert store.grid.shape == (32, 64)
    assert store.times[1] == np.datetime64("2001-01-02T12")
    (channel,) = store.variables.indices(["geopotential_500"])
    expected = data["geopotential"].sel(level=500)[2::4].transpose("time", "latitude", "longitude")
    np.testing.assert_array_equal(store.read(0, slice(None))[:, channel], expected)


ARCO_LEVELS = [
    1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700,
    750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000,
]  # fmt: skip


def arco(times=96):
    """As ARCO ERA5: hourly, 37 levels, latitudes from pole to pole and from the north."""
    generator = np.random.default_rng(0)
    data = weatherbench(2)
    latitude, longitude = np.arange(90.0, -91, -10), np.arange(0.0, 360, 10)
    shape = (latitude.size, longitude.size)
    variables = {}
    for name in set(data.data_vars) - {"land_sea_mask", "geopotential_at_surface"}:
        levels = [37] if "level" in data[name].dims else []
        dims = ("time", *["level" for _ in levels], "latitude", "longitude")
        mean = np.float32(data[name].mean())
        noise = generator.normal(size=(times, *levels, *shape)).astype(np.float32)
        values = mean + 0.01 * (1 + abs(mean)) * noise
        variables[name] = (dims, np.abs(values) if 0 < mean < 1 else values)
    time = np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(1, "h")
    coordinates = {"time": time, "level": ARCO_LEVELS, "latitude": latitude, "longitude": longitude}
    return xr.Dataset(variables, coords=coordinates)


def test_arco(command, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    data = arco()
    data.chunk(time=24).to_zarr("memory://arco/full_37.zarr", zarr_format=2, consolidated=True)
    made = command(
        "prepare", "weather_arco", "--out", tmp_path / "a.zarr", "data.path=memory://arco/full_37.zarr",
        "data.storage_options={}", "data.gap=2", "train.curriculum=[]", "data.grid={latitudes: 6, longitudes: 12}",
        periods("2001-01-01", "2001-01-02T06", "2001-01-03T00", "2001-01-03T06", "2001-01-04T00", "2001-01-04T18"),
    )  # fmt: skip
    fsspec.filesystem("memory").rm("/arco", recursive=True)
    assert made.code == 0, made.err
    store = TrainingStore.open(tmp_path / "a.zarr")
    assert store.grid.shape == (6, 12)
    assert store.grid.y[0] == -75
    assert store.time_step == np.timedelta64(6, "h")
    assert len(store.variables) == 5 * 13 + 4 + 6
    # The mean over the globe survives averaging: 10 degrees onto 30.
    (channel,) = store.variables.indices(["temperature_850"])
    edges = np.clip(np.arange(95.0, -96, -10), -90, 90)
    weights = -np.diff(np.sin(np.deg2rad(edges)))
    expected = data["temperature"].sel(level=850).values[6].mean(axis=1) @ weights / 2
    found = (store.grid.cell_area_weights * store.read(0, slice(1, 2))[0, channel]).mean()
    assert found == pytest.approx(expected, rel=1e-6)


def marine(names, *, depth, step, times=90):
    """A data set as `copernicusmarine.open_dataset` gives it: decoded times, NaN on land, regular cells."""
    generator = np.random.default_rng(0)
    latitude = np.arange(-80 + step / 2, 90, step)
    longitude = np.arange(-180 + step / 2, 180, step)
    land = np.zeros((latitude.size, longitude.size), dtype=bool)
    land[-4:, : longitude.size // 2] = True
    variables = {}
    for name, (units, has_depth) in names.items():
        shape = (times, *([len(depth)] if has_depth else []), *land.shape)
        dims = ("time", *(["depth"] if has_depth else []), "latitude", "longitude")
        mean = 35.0 if name == "so" else 0.0
        fields = np.where(land, np.nan, mean + generator.normal(size=shape)).astype(np.float32)
        variables[name] = (dims, fields, {"units": units})
    coordinates = {
        "time": np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(1, "D"),
        "latitude": ("latitude", latitude, {"units": "degrees_north"}),
        "longitude": ("longitude", longitude, {"units": "degrees_east"}),
    }
    if depth:
        coordinates["depth"] = ("depth", depth, {"units": "m", "positive": "down"})
    return xr.Dataset(variables, coords=coordinates)


@pytest.fixture
def service(monkeypatch):
    """A package `copernicusmarine` that hands out a data set and remembers what it was asked for."""
    module = types.ModuleType("copernicusmarine")
    module.asked = {}

    def give(dataset):
        module.open_dataset = lambda **what: module.asked.update(what) or dataset
        monkeypatch.setitem(sys.modules, "copernicusmarine", module)
        return module

    return give


QUARTER = periods(
    "2001-01-01", "2001-01-31", "2001-02-10", "2001-02-20", "2001-03-01", "2001-03-31"
)


def test_glorys(command, service, tmp_path):
    names = {"thetao": ("degrees_C", True), "so": ("1e-3", True), "uo": ("m s-1", True),
             "vo": ("m s-1", True), "zos": ("m", False)}  # fmt: skip
    depth = [0.494025, 1.541375, 5.078224, 21.598820, 55.764290, 109.729300, 222.475200, 453.937700]
    asked = service(marine(names, depth=depth, step=5.0)).asked
    made = command(
        "prepare", "ocean", "data.grid={latitudes: 18, longitudes: 36}", "data.gap=3", QUARTER,
        "--out", tmp_path / "a.zarr",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert asked["dataset_id"] == "cmems_mod_glo_phy_my_0.083deg_P1D-m"
    assert asked["variables"] == ["thetao", "so", "uo", "vo", "zos"]
    store = TrainingStore.open(tmp_path / "a.zarr")
    assert len(store.variables) == 4 * 7 + 1 + 6
    assert store.grid.shape == (18, 36)
    assert not store.valid_mask[0, 0].any()  # beyond 80 S
    assert not store.valid_mask[0, -2:, 19:].any()  # land west of Greenwich
    assert 270 < np.nanmean(store.read(0, slice(0, 1))[0, 0]) < 276


def test_duacs(command, service, tmp_path):
    asked = service(
        marine({"ugos": ("m/s", False), "vgos": ("m/s", False)}, depth=[], step=1.0)
    ).asked
    made = command(
        "prepare",
        "kuroshio",
        "model.history=2",
        "data.gap=4",
        QUARTER,
        "--out",
        tmp_path / "a.zarr",
    )
    assert made.code == 0, made.err
    assert asked["dataset_id"] == "cmems_obs-sl_glo_phy-ssh_my_allsat-l4-duacs-0.125deg_P1D"
    store = TrainingStore.open(tmp_path / "a.zarr")
    assert store.grid.shape == (32, 32)
    assert (store.grid.y[0], store.grid.x[0]) == (10.5, 123.5)


def test_published_turbulence(command, monkeypatch, tmp_path):
    path = tmp_path / "data.pt"
    torch.save({"vorticity": torch.randn(6, 5, 16, 16)}, path)
    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = lambda **what: str(path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    made = command(
        "prepare", "turbulence_published", "data.splits={train: 4, valid: 1, test: 1}", "--out", tmp_path / "a.zarr",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert TrainingStore.open(tmp_path / "a.zarr").split[:, 0].tolist() == ["train"] * 4 + [
        "valid",
        "test",
    ]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("weather", "reading 'gs://' needs a package that is not here"),
        ("weather_arco", "reading 'gs://' needs a package that is not here"),
        ("ocean", "needs the package copernicusmarine"),
        ("kuroshio", "needs the package copernicusmarine"),
        ("turbulence_published", "needs the package huggingface_hub"),
    ],
)
def test_without_the_package_the_message_says_so(command, monkeypatch, tmp_path, recipe, expected):
    for name in ("gcsfs", "copernicusmarine", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, name, None)
    outcome = command("prepare", recipe, "--out", tmp_path / "a.zarr")
    assert outcome.code == 2
    assert expected in outcome.err
    assert "Install it" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_or_an_account_the_message_says_so(command, service, tmp_path):
    def unreachable(**what):
        raise ConnectionError("no route to host")

    service(None).open_dataset = unreachable
    outcome = command("prepare", "kuroshio", "--out", tmp_path / "a.zarr")
    assert outcome.code == 2
    assert "It takes a network and a free account" in outcome.err


def test_every_online_recipe_leaves_a_gap_of_a_window():
    for name in ("weather", "weather_arco", "ocean", "kuroshio"):
        recipe = load_recipe(name)
        assert recipe.data.gap >= recipe.window
