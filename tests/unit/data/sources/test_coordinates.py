"""Axes are found by what they say about themselves, and told apart from what only looks like them."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.sources.places.coordinates import find_axis, latitude_axis, longitude_axis

T2M = ["2m_temperature"]


def with_bounds(data, declared):
    """Add bounds of latitude that carry its units, before the axis itself."""
    edges = np.stack([data.latitude.values - 11, data.latitude.values + 11], axis=1)
    bounds = xr.Dataset({"a_bnds": (("latitude", "bnds"), edges, {"units": "degrees_north"})})
    data = bounds.merge(data)
    if declared:
        data["latitude"].attrs["bounds"] = "a_bnds"
    return data


@pytest.mark.parametrize("declared", [False, True])
def test_bounds_are_no_axis(tmp_path, declared):
    data = with_bounds(dataset(), declared)
    assert find_axis(data, "latitude") == "latitude"
    opened = source(write(tmp_path / "a.nc", data), variables=T2M)
    np.testing.assert_allclose(opened.grid.y, dataset().latitude)


def test_a_coordinate_of_one_dimension_comes_first():
    data = dataset().assign(
        area_latitude=(("latitude", "longitude"), np.zeros((8, 12)), {"standard_name": "latitude"})
    )
    data = data.drop_attrs()
    assert find_axis(data, "latitude") == "latitude"
    assert find_axis(data.drop_vars("latitude"), "latitude") is None


@pytest.mark.parametrize("units", ["radian", "radians", "rad"])
def test_radians_become_degrees(tmp_path, units):
    data = dataset()
    for name in ("latitude", "longitude"):
        values = np.deg2rad(data[name].values)
        data = data.assign_coords({name: (name, values, {"units": units, "standard_name": name})})
    opened = source(write(tmp_path / "a.nc", data), variables=T2M)
    np.testing.assert_allclose(opened.grid.y, dataset().latitude)
    np.testing.assert_allclose(opened.grid.x, dataset().longitude)
    assert opened.grid.is_global_in_longitude
    single = xr.Dataset(coords={
        "longitude": ("longitude", np.deg2rad(30.0 * np.arange(12)).astype(np.float32), {"units": units})
    })  # fmt: skip
    found = longitude_axis(single, "a.nc", None).values
    np.testing.assert_array_equal(found, 30.0 * np.arange(12))


def test_other_units_of_axes_are_refused():
    data = dataset()
    data["latitude"].attrs["units"] = "km"
    with pytest.raises(
        UserError, match="latitude 'latitude' is in 'km'; expected degrees or radians"
    ):
        latitude_axis(data, "a.nc", None)
    for units in ("degrees", "deg", "Degrees_North", "°"):
        data["latitude"].attrs["units"] = units
        assert latitude_axis(data, "a.nc", None).values[0] == -78.75


@pytest.mark.parametrize(
    "attributes",
    [{"standard_name": "air_pressure", "units": "hPa"}, {"axis": "Z"}, {"positive": "up", "units": "m"},
     {"standard_name": "depth"}, {"standard_name": "altitude"}, {"standard_name": "height"}],
    ids=lambda attributes: next(iter(attributes.values())),
)  # fmt: skip
def test_levels_are_found_by_what_they_say(tmp_path, attributes):
    data = dataset()
    fields = xr.concat([data["t2m"], data["t2m"] - 50], "k").assign_coords(
        k=("k", [850.0, 500.0], attributes)
    )
    path = write(tmp_path / "a.nc", xr.Dataset({"warmth": fields.assign_attrs(units="K")}))
    opened = source(path, variables=[{"name": "warmth", "levels": [500]}])
    np.testing.assert_allclose(opened.read(slice(0, 2))[:, 0], data["t2m"][:2] - 50, rtol=1e-6)


def test_levels_are_those_of_the_variable(tmp_path):
    """A file with two vertical axes; the scalar height of a near-surface variable is none."""
    data = dataset()
    depth = xr.concat([data["sst"], data["sst"] - 1], "depth").assign_coords(
        depth=("depth", [0.005, 0.1], {"units": "km", "positive": "down"})
    )
    level = xr.concat([data["t2m"], data["t2m"] - 9], "level").assign_coords(level=[1000.0, 900.0])
    both = xr.Dataset({"thetao": depth.assign_attrs(units="degC"), "ta": level.assign_attrs(units="K"),
                       "tas": data["t2m"].assign_coords(height=((), 2.0, {"standard_name": "height"}))})  # fmt: skip
    opened = source(
        write(tmp_path / "a.nc", both),
        variables=[{"name": "potential_temperature", "levels": [100]}, {"name": "temperature", "levels": [900]}, "tas"],
    )  # fmt: skip
    assert opened.variables.names == ["potential_temperature_100", "temperature_900", "tas"]
    fields = opened.read(slice(0, 3))
    np.testing.assert_allclose(fields[:, 0], data["sst"][:3] + 272.15, rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], data["t2m"][:3] - 9, rtol=1e-6)


def unstructured():
    cells = {"lat": ("cell", np.linspace(-60, 60, 12), {"units": "degrees_north"}),
             "lon": ("cell", np.linspace(0, 330, 12), {"units": "degrees_east"})}  # fmt: skip
    fields = 280 + np.zeros((40, 12), np.float32)
    time = {"time": dataset()["time"].values}
    return xr.Dataset({"t2m": (("time", "cell"), fields, {"units": "K"})}, coords={**time, **cells})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (unstructured, "'lat' and 'lon' both lie along 'cell': these are points of an unstructured grid"),
        (lambda: dataset().isel(latitude=3), "latitude 'latitude' is a single value, -11.25"),
    ],
    ids=["unstructured", "one latitude"],
)  # fmt: skip
def test_no_grid_is_one_line_for_prepare_and_inspect(tmp_path, data, expected):
    path = write(tmp_path / "a.nc", data())
    with pytest.raises(UserError, match=expected):
        source(path, variables=T2M)
    found = inspect_files(str(path))
    assert any(expected in finding.message for finding in found.findings)


def test_units_that_are_several_numbers_are_no_traceback(tmp_path):
    data = dataset()
    data["flux"].attrs["units"] = np.array([1.0, 2.0])
    assert inspect_files(str(write(tmp_path / "a.nc", data))).kinds == ["units-missing"]
