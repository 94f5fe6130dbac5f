"""Small gridded files and recipes for tests, sound unless a test spoils them."""

from pathlib import Path

import numpy as np
import xarray as xr
import yaml

TINY_MODEL = {
    "network": {
        "name": "triton",
        "spatial_hidden_dim": 8,
        "temporal_hidden_dim": 8,
        "num_spatial_layers": 2,
        "num_temporal_layers": 2,
    }
}


def dataset(times: int = 40, *, start: str = "2001-01-01", seed: int = 0) -> xr.Dataset:
    """Two metre temperature in K, sea surface temperature in degC with land, heat flux, land mask; daily, 8 x 12."""
    latitude = -78.75 + 22.5 * np.arange(8)
    longitude = 30.0 * np.arange(12)
    days = np.datetime64(start, "ns") + np.arange(times) * np.timedelta64(1, "D")
    generator = np.random.default_rng([seed, times])
    shape = (times, 8, 12)
    land = np.zeros((8, 12), dtype=bool)
    land[2:5, 3:6] = True
    phase = np.arange(times)[:, None, None] / 5 + np.deg2rad(longitude)
    warmth = 25 * np.cos(np.deg2rad(latitude))[:, None] + 2 * np.sin(phase)
    dims = ("time", "latitude", "longitude")
    return xr.Dataset(
        {
            "t2m": (dims, 265 + warmth + generator.normal(0, 0.5, shape), {"units": "K"}),
            "sst": (
                dims,
                np.where(land, np.nan, warmth + generator.normal(0, 0.1, shape)),
                {"units": "degC"},
            ),
            "flux": (dims, generator.normal(0, 50, shape), {"units": "W m-2"}),
            "lsm": (dims[1:], land.astype(float), {"units": "1"}),
        },
        coords={
            "time": ("time", days),
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )


def write(path: Path, data: xr.Dataset) -> Path:
    """Write a NetCDF file in single precision."""
    encoding = {
        str(name): {"dtype": "float32", "_FillValue": np.float32(-9999)}
        for name, array in data.data_vars.items()
        if array.dtype == np.float64
    }
    data.to_netcdf(path, encoding=encoding)
    return path


def recipe_values(path: Path | str | list[str], **data) -> dict:
    """A recipe for `dataset`: 20 days of training, 6 of validation, 8 of test, gaps of 3."""
    return {
        "title": "tiny weather",
        "data": {
            "kind": "gridded",
            "path": [str(one) for one in path] if isinstance(path, list) else str(path),
            "variables": ["2m_temperature", "sst", {"name": "flux", "role": "forcing"}],
            "splits": {
                "train": ["2001-01-01", "2001-01-20"],
                "valid": ["2001-01-24", "2001-01-29"],
                "test": ["2001-02-02", "2001-02-09"],
            },
            **data,
        },
        "model": TINY_MODEL,
        "train": {"steps": 6, "batch_size": 4, "warmup_steps": 2, "validate_every": 3},
        "forecast": {"steps": 3, "init_every": 2},
    }


def write_recipe(path: Path, files: Path | str | list[str], **data) -> Path:
    """Write that recipe as YAML."""
    path.write_text(yaml.safe_dump(recipe_values(files, **data)))
    return path


def source(path, **data):
    """Open a gridded source as its recipe says."""
    from triton_earth.data.sources.config import GriddedData
    from triton_earth.data.sources.gridded import GriddedSource

    return GriddedSource(GriddedData.parse(recipe_values(path, **data)["data"], "recipe"))
