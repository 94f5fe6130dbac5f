"""Files as the original system has them: nameless channel arrays by year, and packed altimetry."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import source
from triton_earth.core.errors import UserError

PRESSURES = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
LEAP = {
    "train": ["1999-12-01", "2000-03-01"],
    "valid": ["2000-04-01", "2000-06-30"],
    "test": ["2000-10-01", "2001-01-20"],
}
SURFACE = [
    "10m_u_component_of_wind", "10m_v_component_of_wind", "2m_temperature", "mean_sea_level_pressure",
]  # fmt: skip
UPPER = [
    "u_component_of_wind", "v_component_of_wind", "temperature", "geopotential", "specific_humidity",
]  # fmt: skip
WEATHER = {
    "name": "atmosphere_variables",
    "channels": [
        *({"name": name, "units": "1"} for name in SURFACE),
        *({"name": name, "units": "1", "levels": PRESSURES} for name in UPPER),
    ],
    "latitude": [67.5, -67.5],
    "longitude": [0, 315],
    "start": "{year}-01-01T12",
    "step_hours": 24,
}


def yearly_weather(folder):
    """`{year}_norm.nc` with 69 normalised channels; each value tells its year, day and channel."""
    for year, days in ((1999, 365), (2000, 366), (2001, 365)):
        day, channel = np.arange(days)[:, None], np.arange(69)
        values = (1000 * (year - 1999) + day + channel / 100)[:, :, None, None]
        fields = np.broadcast_to(values, (days, 69, 4, 8)).astype(np.float32)
        dims = ("time", "channel", "lat", "lon")
        xr.Dataset({"atmosphere_variables": (dims, fields)}).to_netcdf(folder / f"{year}_norm.nc")


def test_yearly_weather_files(tmp_path):
    yearly_weather(tmp_path)
    opened = source(
        tmp_path / "*_norm.nc",
        array=WEATHER,
        variables=[
            {"name": "2m_temperature", "units": "1"},
            {"name": "temperature", "levels": [850, 500], "units": "1"},
            {"name": "specific_humidity", "levels": [1000], "units": "1"},
        ],
        splits=LEAP,
    )
    names = ["2m_temperature", "temperature_850", "temperature_500", "specific_humidity_1000"]
    assert opened.variables.names == names
    assert [variable.level for variable in opened.variables] == [None, 850, 500, 1000]
    # Channels 2, 30 + 10, 30 + 7 and 68, on 29 February and on New Year's Day.
    for day, expected in (("2000-02-29", 1059), ("2001-01-01", 2000), ("1999-12-31", 364)):
        (index,) = np.flatnonzero(opened.times == np.datetime64(day) + np.timedelta64(12, "h"))
        values = opened.read(slice(int(index), int(index) + 1))[0, :, 0, 0]
        np.testing.assert_allclose(values, expected + np.array([0.02, 0.4, 0.37, 0.68]), atol=1e-3)
    assert opened.grid.y[0] == -67.5


def test_a_missing_year_is_a_gap_and_no_shift(tmp_path):
    yearly_weather(tmp_path)
    (tmp_path / "2000_norm.nc").unlink()
    variables = [{"name": "2m_temperature", "units": "1"}]
    splits = {**LEAP, "valid": ["1999-06-01", "1999-09-01"], "train": ["1999-01-02", "1999-03-01"],
              "test": ["2001-02-01", "2001-06-01"]}  # fmt: skip
    opened = source(tmp_path / "*_norm.nc", array=WEATHER, variables=variables, splits=splits)
    missing = opened.times[~opened.recorded]
    assert len(missing) == 366
    assert set(missing.astype("datetime64[Y]")) == {np.datetime64("2000")}
    (index,) = np.flatnonzero(opened.times == np.datetime64("2001-01-02T12"))
    fields = opened.read(slice(int(index) - 3, int(index) + 1))[:, 0, 0, 0]
    np.testing.assert_allclose(fields, [np.nan, np.nan, 2000.02, 2001.02])


def test_a_name_without_a_year(tmp_path):
    yearly_weather(tmp_path)
    (tmp_path / "1999_norm.nc").rename(tmp_path / "first_norm.nc")
    with pytest.raises(UserError, match="but the file's name has no year"):
        source(tmp_path / "first_norm.nc", array=WEATHER, variables=["2m_temperature"])


def test_levels_of_a_channel_array_are_the_same_for_all():
    from tests.gridded import recipe_values
    from triton_earth.data.sources.config import GriddedData

    channels = [{"name": "t", "levels": [1, 2]}, {"name": "u", "levels": [1, 3]}]
    values = recipe_values("a.nc", array={**WEATHER, "channels": channels})["data"]
    with pytest.raises(UserError, match="need the same ones; found 2 different lists"):
        GriddedData.parse(values, "recipe")


def test_ocean_files_in_plain_hdf5(tmp_path):
    """`{year}.h5` with `fields` [time, 97, y, x], NaN over land, written without names for its dimensions."""
    h5py = pytest.importorskip("h5py")
    depths = [
        0,
        2,
        5,
        7,
        11,
        15,
        21,
        29,
        40,
        55,
        77,
        92,
        109,
        130,
        155,
        186,
        222,
        266,
        318,
        380,
        453,
        541,
        643,
    ]
    fields = np.random.default_rng(0).normal(size=(365, 97, 4, 8)).astype(np.float32)
    fields[:, :93, 1, 2:4] = np.nan
    with h5py.File(tmp_path / "1999.h5", "w") as file:
        file["fields"] = fields
    opened = source(
        tmp_path / "1999.h5",
        array={
            **WEATHER,
            "name": "fields",
            "start": "{year}-01-01",
            "channels": [
                *({"name": name, "levels": depths, "units": units}
                  for name, units in (("so", "psu"), ("uo", "m/s"), ("vo", "m/s"), ("thetao", "K"))),
                {"name": "zos", "units": "m"},
                *({"name": name, "units": "m s-1"} for name in ("u10", "v10")),
                {"name": "t2m", "units": "K"}, {"name": "msl", "units": "Pa"},
            ],
        },
        allow_implausible=["potential_temperature"],
        variables=[
            {"name": "potential_temperature", "levels": [0, 643]},
            "sea_surface_height",
            {"name": "10m_u_component_of_wind", "role": "forcing"},
        ],
        splits={"train": ["1999-01-01", "1999-05-31"], "valid": ["1999-07-01", "1999-08-01"],
                "test": ["1999-10-01", "1999-12-31"]},
    )  # fmt: skip
    found = opened.read(slice(40, 41))[0]
    np.testing.assert_array_equal(found, fields[40, [69, 91, 92, 93], ::-1])
    assert np.isnan(found[:3, 2, 2:4]).all()


def test_packed_altimetry(tmp_path):
    """`KURO.nc`: geostrophic currents in packed integers, days since 1950, land as fill value."""
    latitude, longitude = 10.0625 + 0.125 * np.arange(16), 123.0625 + 0.125 * np.arange(24)
    generator = np.random.default_rng(0)
    velocity = generator.normal(0, 0.3, (40, 16, 24))
    velocity[:, :3, :5] = np.nan
    dims, attrs = ("time", "latitude", "longitude"), {"units": "m/s"}
    data = xr.Dataset(
        {"ugos": (dims, velocity, attrs), "vgos": (dims, -velocity, attrs)},
        coords={
            "time": ("time", 18628 + np.arange(40), {"units": "days since 1950-01-01"}),
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )
    packed = {"dtype": "int32", "scale_factor": 1e-4, "_FillValue": -2147483647}
    data.to_netcdf(tmp_path / "KURO.nc", encoding={"ugos": packed, "vgos": packed})
    opened = source(
        tmp_path / "KURO.nc",
        variables=["surface_geostrophic_eastward_velocity", "surface_geostrophic_northward_velocity"],
    )  # fmt: skip
    assert opened.times[0] == np.datetime64("2001-01-01")
    np.testing.assert_allclose(opened.read(slice(0, 40))[:, 0], velocity, atol=6e-5)
