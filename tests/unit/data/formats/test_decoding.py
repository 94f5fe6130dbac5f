"""Attributes of files: missing values, valid ranges and flags as CF has them, of fields and never of coordinates."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr

from tests.gridded import dataset, source
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.sources.files import open_files

PLACE = (slice(None), 3, 4)
EVERYTHING = slice(None)


def written(path, stored, attributes, *, units="degC", name="sst"):
    """Write a field as it is to be stored, with these attributes, and sound axes."""
    axes = dataset(stored.shape[0]).drop_vars(["t2m", "sst", "flux", "lsm"])
    axes.to_netcdf(path)
    with netCDF4.Dataset(path, "a") as out:
        fill = attributes.pop("_FillValue", False)
        field = out.createVariable(
            name, stored.dtype, ("time", "latitude", "longitude"), fill_value=fill
        )
        field.set_auto_maskandscale(False)
        field.setncatts({"units": units, **attributes})
        field[:] = stored
    return path


def values(path, name="sst"):
    """What `prepare` reads, a temperature in degC."""
    choice = {"name": name, **({"units": "degC"} if name == "sst" else {})}
    return source(path, variables=[choice]).read(EVERYTHING)[:, 0]


def field(kind="f4"):
    return np.random.default_rng(0).uniform(10, 20, (40, 8, 12)).astype(kind)


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        (np.float32(-9999.9), np.float64(-9999.9)),
        (np.float32(1e20), np.float64(1e20)),
        (np.float32(-9999), "-9999"),
        (np.float32(-9999), np.int32(-9999)),
        (np.float32(-999), np.array([-9999.0, -999.0], "f4")),
    ],
)
def test_a_missing_value_of_another_type(tmp_path, stored, declared):
    data = field()
    data[PLACE] = stored
    found = values(written(tmp_path / "a.nc", data, {"missing_value": declared}))
    assert np.isnan(found[PLACE]).all()
    assert int(np.isnan(found).sum()) == 40


def test_a_missing_value_that_is_no_number_declares_nothing(tmp_path):
    found = values(written(tmp_path / "a.nc", field(), {"missing_value": "none"}))
    np.testing.assert_allclose(found, field(), rtol=1e-6)


PACKED = {"scale_factor": 0.01, "add_offset": 0.0}


@pytest.mark.parametrize(
    ("kind", "attributes", "outside"),
    [
        ("i2", {**PACKED, "valid_range": np.array([-200, 4000], "i2")}, 4500),
        ("i2", {**PACKED, "valid_max": np.int16(4000)}, 4500),
        ("i2", {**PACKED, "valid_min": np.int16(-200)}, -201),
        ("i2", {**PACKED, "valid_max": np.int32(4000)}, 4001),
        ("i2", {**PACKED, "valid_range": np.array([-2.0, 40.0], "f4")}, 4500),
        ("i2", {**PACKED, "valid_range": "-2, 40"}, 4500),
        ("i2", {**PACKED, "valid_range": np.array([-2, 40], "i2")}, 4500),  # meant for unpacked
        ("f4", {"valid_range": np.array([-2.0, 40.0], "f4")}, 45.0),
        ("f4", {"valid_min": np.float64(-2.0)}, -5.0),
        ("i2", {**PACKED, "flag_values": np.array([4500], "i2"), "flag_meanings": "land"}, 4500),
    ],
)
def test_what_is_outside_the_valid_range_is_missing(tmp_path, kind, attributes, outside):
    data = field() if kind == "f4" else (100 * field()).astype(kind)
    data[PLACE] = outside
    path = written(tmp_path / "a.nc", data, dict(attributes))
    found = values(path)
    assert np.isnan(found[PLACE]).all()
    assert int(np.isnan(found).sum()) == 40
    (note,) = [one for one in inspect_files(str(path)).findings if one.kind == "declared-missing"]
    assert note.severity == "note"
    assert note.message.startswith("40 values are missing by its attributes (")


@pytest.mark.parametrize(
    "attributes",
    [
        {"valid_range": np.array([15.0, 5.0], "f4")},
        {"valid_range": np.array([0.0, 0.0], "f4")},
        {"valid_range": "of the sensor"},
        {"valid_min": np.float32(np.nan)},
        {"valid_range": np.array([5.0, 10.0, 20.0], "f4")},
    ],
)
def test_limits_that_are_none_declare_nothing(tmp_path, attributes):
    found = values(written(tmp_path / "a.nc", field(), attributes))
    np.testing.assert_allclose(found, field(), rtol=1e-6)


def test_limits_themselves_are_valid(tmp_path):
    data = (100 * field()).astype("i2")
    data[PLACE] = 4000
    path = written(tmp_path / "a.nc", data, {**PACKED, "valid_range": np.array([-200, 4000], "i2")})
    np.testing.assert_allclose(values(path)[PLACE], 40.0, rtol=1e-6)


def test_a_range_that_leaves_nothing_is_named(tmp_path):
    path = written(tmp_path / "a.nc", field(), {"valid_range": np.array([50.0, 60.0], "f4")})
    found = inspect_files(str(path))
    assert "no-values" in found.kinds
    notes = [one.message for one in found.findings if one.kind == "declared-missing"]
    assert notes == ["3840 values are missing by its attributes (valid_range [50. 60.])."]


def test_coordinates_keep_what_lies_outside_their_valid_range(tmp_path):
    """A real file gives its latitudes valid_min -89 and holds -90; another declares its first time as missing."""
    data = dataset()
    data["latitude"] = data["latitude"] * (90 / 78.75)
    data["latitude"].attrs.update(units="degrees_north", valid_min=-89.0, valid_max=89.0)
    data["longitude"].attrs["missing_value"] = 0.0
    data["time"].encoding.update(units="days since 2001-01-01", dtype="i4", _FillValue=0)
    data["time"].attrs["valid_min"] = 5
    data.to_netcdf(tmp_path / "a.nc")
    opened = source(tmp_path / "a.nc")
    assert opened.grid.latitude[0] == -90
    assert opened.grid.longitude[0] == 0
    assert str(opened.times[0])[:10] == "2001-01-01"


def test_flags_of_a_mask_are_its_values(tmp_path):
    """All values of a mask are flags; they are what it says."""
    data = dataset()
    mask = (
        data["lsm"]
        .astype("i1")
        .assign_attrs(units="1", flag_values=np.array([0, 1], "i1"), flag_meanings="sea land")
    )
    data.assign(lsm=mask).to_netcdf(tmp_path / "a.nc")
    choice = ["2m_temperature", {"name": "land_sea_mask", "role": "static"}]
    found = source(tmp_path / "a.nc", variables=choice).read(EVERYTHING)[0, 1]
    np.testing.assert_array_equal(found, data["lsm"])


def test_flags_among_numbers_are_missing(tmp_path):
    """As in sea ice records: 0 to 100, and 120 for land."""
    data = np.random.default_rng(0).integers(0, 100, (40, 8, 12)).astype("i1")
    data[PLACE] = 120
    flags = {"flag_values": np.array([120], "i1"), "flag_meanings": "land"}
    path = written(tmp_path / "a.nc", data, flags, units="%", name="siconc")
    found = values(path, "siconc")
    assert np.isnan(found[PLACE]).all()
    assert int(np.isnan(found).sum()) == 40


@pytest.mark.parametrize("dtype", ["f4", "i2", "bool"])
def test_a_fill_value_of_0_of_zarr_2_is_a_value(tmp_path, dtype):
    data = dataset()
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    land = data["lsm"].values.astype(dtype)
    for name, stored, axes, units in (
        ("t2m", data["t2m"].values, ["time", "latitude", "longitude"], "K"),
        ("time", np.arange(40), ["time"], "days since 2001-01-01"),
        ("latitude", data["latitude"].values, ["latitude"], "degrees_north"),
        ("longitude", data["longitude"].values, ["longitude"], "degrees_east"),
        ("lsm", land, ["latitude", "longitude"], "1"),
    ):
        array = group.create_array(
            name, shape=stored.shape, dtype=stored.dtype, chunks=stored.shape, fill_value=0
        )
        array[:] = stored
        array.attrs.update(units=units, _ARRAY_DIMENSIONS=axes)
    choice = ["2m_temperature", {"name": "land_sea_mask", "role": "static"}]
    found = source(tmp_path / "a.zarr", variables=choice).read(EVERYTHING)
    np.testing.assert_array_equal(found[0, 1], land)
    if dtype == "f4":  # where the file itself says so, 0 is missing
        group["lsm"].attrs["missing_value"] = 0
        again = source(tmp_path / "a.zarr", variables=choice).read(EVERYTHING)
        assert (np.isnan(again[0, 1]) == (land == 0)).all()


@pytest.mark.parametrize("versions", [[1, 5], [5, 1], ["0001", "0005"]])
def test_final_and_preliminary_data(tmp_path, versions):
    data = dataset()["t2m"]
    both = np.full((40, 2, 8, 12), np.nan)
    final, preliminary = (int(str(one)) for one in ("1", "5"))
    order = [int(one) for one in versions]
    both[:30, order.index(final)] = data[:30]
    both[28:, order.index(preliminary)] = (
        data[28:] + np.where(np.arange(28, 40) < 30, 50, 0)[:, None, None]
    )
    coordinates = {name: dataset()[name] for name in ("time", "latitude", "longitude")}
    xr.Dataset(
        {"t2m": (("time", "expver", "latitude", "longitude"), both, {"units": "K"})},
        coords={**coordinates, "expver": versions},
    ).to_netcdf(tmp_path / "a.nc")
    found = values(tmp_path / "a.nc", "2m_temperature")
    np.testing.assert_array_equal(found, data.astype("f4"))
    inspected = inspect_files(str(tmp_path / "a.nc"))
    assert not inspected.is_fatal
    assert "versions" in inspected.kinds


def test_other_versions_are_to_be_put_together(tmp_path):
    data = dataset()[["t2m"]].expand_dims(expver=[3, 4])
    data.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(UserError, match=r"\['expver'\]\. Put .*together.*combine_first"):
        source(tmp_path / "a.nc", variables=["2m_temperature"])
    assert any(
        "combine_first" in one.remedy for one in inspect_files(str(tmp_path / "a.nc")).findings
    )


def test_fields_are_read_in_parts(tmp_path):
    """What attributes declare is applied to what is asked for, however it is asked for."""
    data = (100 * field()).astype("i2")
    data[5, 3, 4] = 4500
    path = written(tmp_path / "a.nc", data, {**PACKED, "valid_max": np.int16(4000)})
    ((_, opened),) = open_files(str(path))
    whole = opened["sst"].values
    assert np.isnan(whole[5, 3, 4])
    part = opened["sst"].isel(time=slice(4, 9, 2), latitude=[3, 1], longitude=4)
    np.testing.assert_array_equal(part.values, whole[4:9:2][:, [3, 1], 4])
    np.testing.assert_array_equal(opened["sst"][5, ::-1].values, whole[5, ::-1])
