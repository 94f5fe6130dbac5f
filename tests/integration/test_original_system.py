"""From the original system's own weights and data files to scores, on the command line."""

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from tests.gridded import TINY_MODEL
from tests.unit.exchange.test_convert import (
    original_network,
    original_weights,
    write_ocean_files,
)
from triton_earth.interop.experiments import DEPTHS, PRESSURES

DAYS = 80
SPLITS = {
    "train": ["1999-01-01", "1999-01-20"],
    "valid": ["1999-01-26", "1999-02-08"],
    "test": ["1999-02-14", "1999-03-20"],
}
GLOBE = {"latitude": [90, -75], "longitude": [0, 345], "step_hours": 24}
SURFACE = (
    ("10m_u_component_of_wind", "m s-1"),
    ("10m_v_component_of_wind", "m s-1"),
    ("2m_temperature", "K"),
    ("mean_sea_level_pressure", "Pa"),
)
UPPER = (
    "u_component_of_wind", "v_component_of_wind", "temperature", "geopotential", "specific_humidity",
)  # fmt: skip
OCEAN = (
    ("salinity", "psu"), ("eastward_sea_water_velocity", "m s-1"),
    ("northward_sea_water_velocity", "m s-1"), ("potential_temperature", "degC"),
)  # fmt: skip


def recipe(path, data):
    values = {
        "title": "files of the original system",
        "data": data,
        "model": TINY_MODEL,
        "train": {"steps": 1, "batch_size": 1, "warmup_steps": 1},
        "forecast": {"steps": 10, "init_every": 20},
    }
    path.write_text(yaml.safe_dump(values))
    return path


def waves(shape, seed):
    """Smooth fields that move: [time, y, x], of mean 0 and spread of about 1."""
    times, rows, columns = shape
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    t, y, x = np.ogrid[:times, :rows, :columns]
    east = np.sin(2 * np.pi * x / columns - 0.2 * t + phase[0])
    return east + 0.5 * np.cos(3 * y / rows + 0.1 * t + phase[1]) + 0.01 * phase[2]


def weather(folder):
    """Normalised fields by year: nothing but an array of 69 channels, rows from the North Pole."""
    channels = [waves((DAYS, 12, 24), seed) for seed in range(69)]
    dims = ("time", "channel", "lat", "lon")
    fields = np.stack(channels, axis=1).astype(np.float32)
    xr.Dataset({"atmosphere_variables": (dims, fields)}).to_netcdf(folder / "1999_norm.nc")
    torch.save(
        {
            f"module.{key}": value
            for key, value in original_weights(original_network(1, 69, 69)).items()
        },
        folder / "weights.pth",
    )
    upper = [{"name": name, "levels": list(PRESSURES), "units": "1"} for name in UPPER]
    surface = [{"name": name, "units": "1"} for name, _ in SURFACE]
    data = {
        "kind": "gridded",
        "path": str(folder / "*_norm.nc"),
        "array": {
            **GLOBE,
            "name": "atmosphere_variables",
            "start": "{year}-01-01T12",
            "channels": [*surface, *upper],
        },
        "variables": [*surface, *upper],
        "splits": {name: [f"{end}T12" for end in ends] for name, ends in SPLITS.items()},
        "gap": 5,
    }
    return data, ["--normalised", "--shape", "12x24"]


def ocean(folder):
    """Plain HDF5 by year: `fields` with 93 channels of the sea, NaN on land, and 4 of the air; a row too many."""
    h5py = pytest.importorskip("h5py")
    files = write_ocean_files(folder)
    size = (DAYS, 13, 24)
    means = {"salinity": (35, 0.5), "potential_temperature": (10, 2)}
    channels = []
    for number, (name, _) in enumerate(OCEAN):
        mean, spread = means.get(name, (0, 0.2))
        channels += [mean + spread * waves(size, 30 * number + level) for level in range(23)]
    channels.append(0.3 * waves(size, 200))
    channels += [5 * waves(size, 201), 5 * waves(size, 202)]
    channels += [280 + 5 * waves(size, 203), 101000 + 900 * waves(size, 204)]
    fields = np.stack(channels, axis=1).astype(np.float32)
    fields[:, :93, 3, :5] = np.nan
    with h5py.File(folder / "1999.h5", "w") as file:
        file["fields"] = fields
    # Beside the sea's, the air's channels are defined on land too.
    mask = np.ones((97, 13, 24), np.uint8)
    mask[:93, 3, :5] = 0
    np.save(folder / "mask.npy", mask)
    checkpoint = {
        "iters": 1,
        "epoch": 2,
        "model_state": {
            f"module.{key}": value
            for key, value in original_weights(original_network(1, 97, 93)).items()
        },
    }
    torch.save(checkpoint, folder / "weights.tar")
    sea = [{"name": name, "levels": list(DEPTHS), "units": units} for name, units in OCEAN]
    height = {"name": "sea_surface_height", "units": "m"}
    air = [{"name": name, "units": units} for name, units in SURFACE]
    wanted = [*({"name": one["name"], "levels": one["levels"]} for one in sea), height["name"]]
    data = {
        "kind": "gridded",
        "path": str(folder / "1999.h5"),
        "array": {
            **GLOBE,
            "latitude": [90, -90],
            "name": "fields",
            "start": "{year}-01-01",
            "channels": [*sea, height, *air],
        },
        "variables": [*wanted, *({"name": name, "role": "forcing"} for name, _ in SURFACE)],
        "region": {"latitude": [-80, 90]},
        "holes": "mask",
        "splits": SPLITS,
        "gap": 5,
    }
    options = [f"--{name}={files[name]}" for name in ("mean", "std", "climatology")]
    return data, [*options, f"--mask={folder / 'mask.npy'}", "--shape", "12x24"]


def kuroshio(folder):
    """`KURO.nc`: packed integers with fill values on land, days since 1950, every fourth cell."""
    axis = 0.125 * np.arange(256)[::4]
    velocity = 0.3 * waves((DAYS, 64, 64), 0)
    velocity[:, :4, :6] = np.nan
    dims, words = ("time", "latitude", "longitude"), {"units": "m/s"}
    since = np.datetime64("1999-01-01") - np.datetime64("1950-01-01")
    dataset = xr.Dataset(
        {"ugos": (dims, velocity, words), "vgos": (dims, -0.5 * velocity, words)},
        coords={
            "time": ("time", since.astype(int) + np.arange(DAYS), {"units": "days since 1950-01-01"}),
            "latitude": ("latitude", 10.0625 + axis, {"units": "degrees_north"}),
            "longitude": ("longitude", 123.0625 + axis, {"units": "degrees_east"}),
        },
    )  # fmt: skip
    packed = {"dtype": "int32", "scale_factor": 1e-4, "_FillValue": -2147483647}
    dataset.to_netcdf(folder / "KURO.nc", encoding={"ugos": packed, "vgos": packed})
    mask = np.ones((2, 64, 64), bool)
    mask[:, :4, :6] = False
    np.save(folder / "mask.npy", mask)
    network = original_network(10, 2, 2, num_temporal_layers=3, blocks="uniformer")
    torch.save(original_weights(network), folder / "weights.pth")
    data = {
        "kind": "gridded",
        "path": str(folder / "KURO.nc"),
        "variables": [
            {"name": "surface_geostrophic_eastward_velocity", "source": "ugos"},
            {"name": "surface_geostrophic_northward_velocity", "source": "vgos"},
        ],
        "holes": "mask",
        "splits": SPLITS,
        "gap": 5,
    }
    return data, [f"--mask={folder / 'mask.npy'}", "--shape", "64x64"]


def turbulence(folder):
    """A dict as torch saves it: vorticity and other fields [sample, time, y, x], and states of random numbers."""
    x = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    t = 0.055 * np.arange(24)[:, None, None]
    samples = [np.sin(x - t + n) + np.cos(x[:, None] + n + t) for n in range(8)]
    vorticity = torch.tensor(np.stack(samples), dtype=torch.float32)
    others = {key: torch.zeros_like(vorticity) for key in ("stream", "vort_t", "residual")}
    states = torch.arange(8)
    torch.save({"vorticity": vorticity, **others, "random_states": states}, folder / "data.pt")
    torch.save(
        {
            f"module.{key}": value
            for key, value in original_weights(original_network(1, 1, 1)).items()
        },
        folder / "weights.pth",
    )
    data = {
        "kind": "trajectories",
        "path": str(folder / "data.pt"),
        "key": "vorticity",
        "start": 4.5,
        "interval": 0.055,
        "splits": {"train": 4, "valid": 2, "test": 2},
    }
    return data, ["--shape", "16x16"]


EXPERIMENTS = {"weather": weather, "ocean": ocean, "kuroshio": kuroshio, "turbulence": turbulence}

STORED = {
    "weather": "2m_temperature,*_500",
    "ocean": "sea_surface_height,*_541",
    "kuroshio": "surface_*",
    "turbulence": "vorticity",
}
"""What is stored and scored of each: few of many levels."""


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("weather", "ocean") else name
        for name in EXPERIMENTS
    ],
)
def test_ten_scored_steps_from_the_originals_files(experiment, command, tmp_path):
    data, options = EXPERIMENTS[experiment](tmp_path)
    (weights,) = tmp_path.glob("weights.*")
    model, store = tmp_path / "model", tmp_path / "truth.zarr"
    forecast = tmp_path / "forecast.zarr"
    converted = command("convert", weights, "--to", model, *options)
    assert (converted.code, converted.err) == (0, "")
    made = command("prepare", recipe(tmp_path / "recipe.yaml", data), "--out", store)
    assert made.code == 0, made.err
    words = ["--steps", 10, "--variables", STORED[experiment]]
    forecasted = command("forecast", model, store, *words, "--out", forecast)
    assert forecasted.code == 0, forecasted.err
    judged = command("evaluate", forecast, store, "--resamples", 10)
    assert judged.code == 0, judged.err
    with xr.open_zarr(forecast) as found:
        assert found.sizes["lead_time"] == 10
    table = [line.split() for line in judged.out.splitlines() if "persistence" in line]
    assert any("10" in row for row in table), judged.out
    assert "nan" not in judged.out
    assert "inf" not in judged.out.replace("information", "")
