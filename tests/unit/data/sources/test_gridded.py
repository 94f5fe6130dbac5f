"""Whatever way files are turned, cut and packed, the same canonical fields come out."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, recipe_values, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.values.derived import derived_fields

EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("plain") / "plain.nc", dataset())
    opened = source(path)
    return opened, opened.read(EVERYTHING)


def same(opened, plain):
    expected, fields = plain
    assert opened.grid == expected.grid
    assert opened.variables == expected.variables
    np.testing.assert_array_equal(opened.times, expected.times)
    np.testing.assert_allclose(opened.read(EVERYTHING), fields, rtol=1e-6)


def test_names_units_and_roles(plain):
    opened, fields = plain
    assert opened.variables.names == ["2m_temperature", "sst", "flux"]
    assert [variable.units for variable in opened.variables] == ["K", "K", "W m-2"]
    assert [str(variable.role) for variable in opened.variables] == ["prognostic"] * 2 + ["forcing"]
    data = dataset()
    np.testing.assert_allclose(fields[:, 0], data["t2m"], rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], data["sst"] + 273.15, rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(fields[:, 1]), np.isnan(data["sst"]))
    assert fields.dtype == np.float32


def test_only_a_name_that_is_clear_is_put_into_words(tmp_path):
    data = dataset()
    data = data.assign(u=data["flux"].assign_attrs(units="m/s", long_name="eastward current"))
    variables = ["2m_temperature", "u"]
    opened = source(write(tmp_path / "a.nc", data), variables=variables)
    words = [variable.long_name for variable in opened.variables]
    assert words == ["2 metre temperature", "eastward current"]


@pytest.mark.parametrize(
    "turn",
    [
        lambda data: data.isel(latitude=slice(None, None, -1)),
        lambda data: data.assign_coords(longitude=(data.longitude + 180) % 360 - 180).sortby("longitude"),
        lambda data: data.roll(longitude=5, roll_coords=True),
        lambda data: data.transpose("longitude", "time", "latitude"),
        lambda data: data.rename(latitude="lat", longitude="lon", time="valid_time"),
        lambda data: data.rename(latitude="y", longitude="x"),
        lambda data: data.expand_dims(height=[2.0]),
        lambda data: xr.concat(
            [data, data.isel(longitude=0).assign_coords(longitude=360.0)], "longitude", data_vars="minimal"
        ),
        lambda data: data.rename(t2m="tas"),
        lambda data: xr.Dataset(
            {"reference": ("time", np.zeros(40), {"units": "days since 1990-01-01"})}
        ).merge(
            data
        ),
        lambda data: data.rename(t2m="x1").assign(x1=data.t2m.assign_attrs(standard_name="tas")),
    ],
    ids=["north-first", "180-west", "rolled", "transposed", "renamed", "by units", "one level", "cyclic", "CMIP",
         "two times", "CF"],
)  # fmt: skip
def test_orientation_and_names_do_not_matter(plain, tmp_path, turn):
    same(source(write(tmp_path / "turned.nc", turn(dataset()))), plain)


def test_many_files_are_one_record(plain, tmp_path):
    data = dataset()
    write(tmp_path / "b.nc", data.isel(time=slice(0, 17)))
    write(tmp_path / "a.nc", data.isel(time=slice(17, None)))
    opened = source(tmp_path / "*.nc")
    same(opened, plain)
    np.testing.assert_allclose(opened.read(slice(15, 20)), plain[1][15:20], rtol=1e-6)


def test_variables_may_lie_in_different_files(plain, tmp_path):
    data = dataset()
    write(tmp_path / "t2m.nc", data[["t2m"]])
    write(tmp_path / "rest.nc", data[["sst", "flux"]])
    same(source([tmp_path / "t2m.nc", tmp_path / "rest.nc"]), plain)


@pytest.mark.parametrize("version", [2, 3])
def test_zarr(plain, tmp_path, version):
    dataset().to_zarr(tmp_path / "data.zarr", zarr_format=version, consolidated=version == 2)
    same(source(tmp_path / "data.zarr"), plain)


def test_packed_integers(plain, tmp_path):
    packed = {"dtype": "int16", "_FillValue": -32768}
    dataset().to_netcdf(
        tmp_path / "packed.nc",
        encoding={
            "t2m": {**packed, "scale_factor": 0.002, "add_offset": 280.0},
            "sst": {**packed, "scale_factor": 0.002},
            "flux": {**packed, "scale_factor": 0.01},
        },
    )
    fields = source(tmp_path / "packed.nc").read(EVERYTHING)
    assert np.nanmax(np.abs(fields - plain[1])) < 0.006
    np.testing.assert_array_equal(np.isnan(fields), np.isnan(plain[1]))


def test_a_nameless_channel_array(plain, tmp_path):
    data = dataset()
    fields = np.stack([data["t2m"], data["sst"], data["flux"]], axis=1)[:, :, ::-1].astype(
        np.float32
    )
    for name, part in (("2001.h5", fields[:25]), ("2002.h5", fields[25:])):
        xr.Dataset({"fields": (("a", "b", "c", "d"), part)}).to_netcdf(tmp_path / name)
    array = {
        "name": "fields", "channels": ["t2m", "sst", "flux"], "latitude": [78.75, -78.75],
        "longitude": [0, 330], "start": "2001-01-01", "step_hours": 24,
    }  # fmt: skip
    variables = [
        {"name": "2m_temperature", "source_units": "K"},
        {"name": "sst", "source_units": "degC"},
        {"name": "flux", "source_units": "W m-2", "role": "forcing"},
    ]
    opened = source(tmp_path / "*.h5", array=array, variables=variables)
    np.testing.assert_allclose(opened.read(EVERYTHING), plain[1], rtol=1e-6)
    assert opened.grid == plain[0].grid


def test_levels_become_channels(tmp_path):
    data = dataset()
    three = xr.concat([data["t2m"] - 10 * level for level in range(3)], "plev").assign_coords(
        plev=("plev", [100000.0, 85000.0, 50000.0], {"units": "Pa", "positive": "down"})
    )
    path = write(tmp_path / "levels.nc", xr.Dataset({"ta": three.assign_attrs(units="K")}))
    opened = source(path, variables=[{"name": "temperature", "levels": [500, 850]}])
    assert opened.variables.names == ["temperature_500", "temperature_850"]
    assert [variable.level for variable in opened.variables] == [500, 850]
    fields = opened.read(slice(3, 5))
    np.testing.assert_allclose(fields[:, 0], data["t2m"][3:5] - 20, rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], data["t2m"][3:5] - 10, rtol=1e-6)


@pytest.mark.parametrize("shift", [0, -180])
def test_a_region_is_cut_out_across_the_seam(tmp_path, shift):
    data = dataset()
    if shift:
        data = data.assign_coords(longitude=(data.longitude + 180) % 360 - 180).sortby("longitude")
    opened = source(
        write(tmp_path / "a.nc", data), region={"latitude": [-40, 40], "longitude": [-60, 60]}
    )
    np.testing.assert_allclose(opened.grid.x, [-60, -30, 0, 30, 60])
    np.testing.assert_allclose(opened.grid.y, [-33.75, -11.25, 11.25, 33.75])
    expected = dataset()["t2m"].sel(longitude=[300, 330, 0, 30, 60], latitude=slice(-40, 40))
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 0], expected, rtol=1e-6)


def test_a_region_across_the_date_line(tmp_path):
    opened = source(write(tmp_path / "a.nc", dataset()), region={"longitude": [150, 210]})
    np.testing.assert_allclose(opened.grid.x, [150, 180, 210])
    assert opened.grid.padding == ("zero", "zero")


def test_every_other_day(tmp_path):
    data = dataset(41)
    splits = {"train": ["2001-01-01", "2001-01-20"], "valid": ["2001-01-24", "2001-01-29"],
              "test": ["2001-02-02", "2001-02-10"]}  # fmt: skip
    variables = ["2m_temperature", {"name": "flux", "role": "forcing", "aggregate": "sample"}]
    path = write(tmp_path / "a.nc", data)
    opened = source(path, step="2 d", splits=splits, variables=variables)
    assert len(opened.times) == 21
    np.testing.assert_allclose(opened.read(slice(4, 6))[:, 0], data["t2m"][8:12:2], rtol=1e-6)


def test_calendar_months_are_stamped_in_mean_months(tmp_path):
    data = dataset(36)
    months = np.arange("1999-01", "2002-01", dtype="datetime64[M]").astype("datetime64[ns]")
    path = write(tmp_path / "a.nc", data.assign_coords(time=months))
    splits = {"train": [1999, 1999], "valid": ["2000-04", "2000-09"], "test": ["2001-01", 2001]}
    opened = source(path, step="month", splits=splits)
    assert len(opened.times) == 36
    assert set(np.diff(opened.times)) == {np.timedelta64(2629746, "s")}
    assert opened.recorded.all()
    np.testing.assert_array_equal(
        opened.times.astype("datetime64[M]"), months.astype("datetime64[M]")
    )
    middles = months + ((months.astype("datetime64[M]") + 1).astype("datetime64[ns]") - months) // 2
    assert np.abs(opened.times - middles).max() < np.timedelta64(3, "D")
    with pytest.raises(UserError, match="Calendar months need `data"):
        source(path, splits=splits)


def test_static_and_derived_channels(tmp_path):
    variables = ["t2m", {"name": "land_sea_mask", "role": "static"}]
    opened = source(
        write(tmp_path / "a.nc", dataset()),
        variables=variables,
        derive=["insolation", "sine_of_latitude"],
    )
    assert opened.variables.names == ["t2m", "land_sea_mask", "insolation", "sine_of_latitude"]
    fields = opened.read(slice(5, 8))
    np.testing.assert_array_equal(fields[:, 1], np.stack([dataset()["lsm"]] * 3))
    expected = derived_fields(["insolation", "sine_of_latitude"], opened.times[5:8], opened.grid)
    np.testing.assert_array_equal(fields[:, 2:], expected)


@pytest.mark.parametrize("version", [2, 3])
def test_remote_zarr_is_read_through_fsspec(plain, version):
    fsspec = pytest.importorskip("fsspec")
    # Consolidated metadata are not part of version 3 yet.
    dataset().to_zarr("memory://bucket/era5.zarr", zarr_format=version, consolidated=version == 2)
    try:
        same(source("memory://bucket/era5.zarr"), plain)
    finally:
        fsspec.filesystem("memory").rm("/bucket", recursive=True)


def test_shipped_data_are_named():
    with pytest.raises(UserError, match="shipped:nothing: no data of that name comes with"):
        source("shipped:nothing")


def test_a_recipe_is_strict():
    with pytest.raises(UserError, match="unknown key 'paths'; did you mean 'path'"):
        GriddedData.parse({**recipe_values("a")["data"], "paths": "b"}, "recipe")
