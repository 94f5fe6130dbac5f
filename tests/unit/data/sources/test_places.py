"""Places by what they mean: degrees west and south, rounding, edges, staggered axes, conventions, single levels."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.sources.attributes import direction_of
from triton_earth.data.sources.places.coordinates import find_axis, latitude_axis, longitude_axis

T2M = ["2m_temperature"]


def axes(latitude, longitude, units=("degrees_north", "degrees_east")):
    return xr.Dataset(
        coords={
            "lat": ("lat", np.asarray(latitude), {"units": units[0]}),
            "lon": ("lon", np.asarray(longitude), {"units": units[1]}),
        }
    )


def test_degrees_west_and_south_are_turned(tmp_path):
    data = dataset()
    backwards = data.assign_coords(
        latitude=("latitude", -data["latitude"].values, {"units": "degrees_south"}),
        longitude=("longitude", (-data["longitude"].values) % 360, {"units": "degrees_west"}),
    )
    opened = source(write(tmp_path / "a.nc", backwards), variables=T2M)
    np.testing.assert_allclose(opened.grid.x, data["longitude"])
    np.testing.assert_allclose(opened.read(slice(0, 1))[0, 0], data["t2m"][0], rtol=1e-6)


@pytest.mark.parametrize(
    ("units", "direction"),
    [
        ("degrees_north", "north"), ("degreeN", "north"), ("Degrees North", "north"), ("deg_n", "north"),
        ("°N", "north"), ("degree_east", "east"), ("degE", "east"), ("degrees west", "west"), ("degW", "west"),
        ("° W", "west"),
        ("degrees_W", "west"), ("degreesS", "south"), ("degrees south", "south"), ("degree_S", "south"),
        ("degrees", None), ("degree", None), ("degs", None), ("deg", None), ("radians", None), ("", None), ("s", None),
    ],
)  # fmt: skip
def test_units_say_where_angles_count_to(units, direction):
    assert direction_of(xr.Variable((), 0.0, {"units": units})) == direction


@pytest.mark.parametrize(
    "attributes",
    [
        {"units": "degrees west"},
        {"units": "degW"},
        {"units": "degrees", "long_name": "Longitude (positive west)"},
    ],
)
def test_a_map_is_not_mirrored(tmp_path, attributes):
    data = dataset()
    west = data.assign_coords(longitude=("longitude", -data["longitude"].values % 360, attributes))
    opened = source(write(tmp_path / "a.nc", west), variables=T2M)
    np.testing.assert_allclose(opened.read(slice(0, 1))[0, 0], data["t2m"][0], rtol=1e-6)


@pytest.mark.parametrize(
    "longitude",
    [np.arange(12) * 30 - 1e-5, (np.arange(12) * 30 - 1e-5) % 360, np.arange(12) * 30 + 360.00001,
     np.cumsum(np.full(3600, 0.1, "f4")) - np.float32(0.1)],
)  # fmt: skip
def test_the_zero_meridian_comes_first_whatever_the_rounding(longitude):
    axis = longitude_axis(axes([0.0, 1.0], longitude), "a.nc", None)
    assert axis.values[0] == pytest.approx(0.0, abs=1e-4)
    assert len(axis.values) == len(longitude)
    assert (np.diff(axis.values) > 0).all()
    np.testing.assert_allclose(
        np.mod(np.asarray(longitude, float)[axis.order] - axis.values + 180, 360), 180, atol=0.02
    )


def test_poles_by_rounding_are_poles():
    step = np.float32(0.1)
    rows = np.cumsum(np.full(1801, step, "f4"), dtype="f4") - step - np.float32(90)
    assert rows[-1] > 90
    axis = latitude_axis(axes(rows, [0.0, 1.0]), "a.nc", None)
    assert axis.values[-1] == 90.0
    with pytest.raises(UserError, match=r"reaches from 0 to 91, beyond -90\.\.90"):
        latitude_axis(axes(np.arange(92.0), [0.0, 1.0]), "a.nc", None)


def test_edges_of_a_region_belong_to_it_in_single_precision(tmp_path):
    data = dataset()
    rows = np.linspace(19.9, 20.6, 8).astype("f4")
    columns = (np.arange(12) * np.float32(0.1) + np.float32(359.3)).astype("f4")
    path = write(tmp_path / "a.nc", data.assign_coords(latitude=rows, longitude=columns))
    region = {"latitude": [19.9, 20.6], "longitude": [-0.7, 0.4]}
    opened = source(path, variables=T2M, region=region)
    assert opened.grid.shape == (8, 12)
    np.testing.assert_allclose(opened.grid.x, np.arange(12) * 0.1 - 0.7, atol=1e-4)


def test_two_conventions_of_longitude_are_the_same_cells(tmp_path):
    data = dataset().assign_coords(longitude=280.0 + np.arange(12))
    write(tmp_path / "a.nc", data.isel(time=slice(0, 20)))
    write(
        tmp_path / "b.nc",
        data.isel(time=slice(20, None)).assign_coords(longitude=np.arange(12) - 80.0),
    )
    opened = source(tmp_path / "[ab].nc", variables=T2M)
    np.testing.assert_allclose(opened.grid.x, data["longitude"])
    np.testing.assert_allclose(opened.read(slice(None))[:, 0], data["t2m"], rtol=1e-6)
    assert "grid-differs" not in inspect_files(str(tmp_path / "[ab].nc")).kinds


def test_staggered_axes_are_those_of_other_variables(tmp_path):
    data = dataset().rename(latitude="lat", longitude="lon")
    between = 0.5 * (data["lat"].values[1:] + data["lat"].values[:-1])
    data = data.assign_coords(slat=("slat", between, {"units": "degrees_north"}))
    data["us"] = (("time", "slat", "lon"), np.zeros((40, 7, 12)), {"units": "m s-1"})
    path = write(tmp_path / "a.nc", data)
    opened = source(path, variables=T2M)
    np.testing.assert_allclose(opened.grid.y, data["lat"])
    both = [*T2M, {"name": "us"}]
    with pytest.raises(UserError, match=r"'slat' is not that of .* Put files of one grid into one"):
        source(path, variables=both)
    together = source(path, variables=both, grid={"latitudes": 4, "longitudes": 6})
    fields = together.read(slice(0, 1))[0]
    assert np.isfinite(fields).all()
    np.testing.assert_allclose(fields[1], 0.0)


def by_level(tmp_path, levels=(850.0, 500.0, 300.0), **attributes):
    """One file for each level, which is a single value, with temperatures that are lower above."""
    data = dataset()
    for level in levels:
        fields = (data["t2m"] - (850 - level) / 10).assign_attrs(units="K")
        one = xr.Dataset({"t": fields}).assign_coords(isobaricInhPa=((), level, attributes))
        write(tmp_path / f"t{level:g}.nc", one)
    return tmp_path / "t*.nc"


def test_one_file_for_each_level(tmp_path):
    files = by_level(tmp_path)
    opened = source(files, variables=[{"name": "temperature", "levels": [500, 850]}])
    assert list(opened.variables.names) == ["temperature_500", "temperature_850"]
    fields = opened.read(slice(None))
    data = dataset()["t2m"].values[: len(fields)]
    np.testing.assert_allclose(fields[:, 0], data - 35, rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], data, rtol=1e-6)
    found = inspect_files(str(files))
    assert not found.is_fatal
    assert {row["level"] for row in found.variables} == {850.0, 500.0, 300.0}
    with pytest.raises(
        UserError, match=r"level 700 is in none of 3 files; they have 300, 500, 850"
    ):
        source(files, variables=[{"name": "temperature", "levels": [700]}])
    with pytest.raises(UserError, match=r"'t' is at level .* Choose one with `levels"):
        source(files, variables=["temperature"])
    one = source(tmp_path / "t850.nc", variables=[{"name": "temperature", "levels": [850]}])
    assert list(one.variables.names) == ["temperature_850"]
    with pytest.raises(UserError, match="level 500 is not there; the file has 850"):
        source(tmp_path / "t850.nc", variables=[{"name": "temperature", "levels": [500]}])


def test_levels_are_known_by_units_of_pressure():
    data = xr.Dataset(
        {"t": (("lvl", "lat", "lon"), np.zeros((2, 3, 4)))},
        coords={"lvl": ("lvl", [50000.0, 85000.0], {"units": "Pa"})},
    )
    assert find_axis(data, "level", data["t"].dims) == "lvl"
    coefficients = xr.Dataset(
        {"a": ("lev", [0.0, 1.0], {"units": "Pa"})}, coords={"lev": ("lev", [1.0, 2.0])}
    )
    assert find_axis(coefficients, "level", ("lev",)) == "lev"


def stack(name, coordinate=None):
    """Temperatures of two levels along a dimension of this name."""
    data = dataset()
    fields = xr.concat([data["t2m"], data["t2m"] - 30], name).transpose("time", name, ...)
    stacked = fields.assign_attrs(units="K").to_dataset(name="t")
    return stacked if coordinate is None else stacked.assign_coords({name: coordinate})


@pytest.mark.parametrize("units", ["m", "cm", "km", "dbar", "hPa"])
def test_levels_are_known_by_their_units_only(tmp_path, units):
    path = write(tmp_path / "a.nc", stack("k", ("k", [10.0, 500.0], {"units": units})))
    height = {"cm": 0.01, "km": 1000.0}.get(units, 1.0)
    opened = source(path, variables=[{"name": "t", "levels": [500 * height], "units": "K"}])
    np.testing.assert_allclose(opened.read(slice(0, 1))[0, 0], dataset()["t2m"][0] - 30, rtol=1e-6)


def test_distances_on_a_map_are_no_levels():
    data = dataset().rename(latitude="row", longitude="column")
    metres = {"units": "m"}
    flat = xr.Dataset(
        {"t2m": data["t2m"]},
        coords={
            "row": ("row", 1000.0 * np.arange(8), metres),
            "column": ("column", 1000.0 * np.arange(12), {**metres, "axis": "X"}),
            "lat": (("row", "column"), np.zeros((8, 12)), {"units": "degrees_north"}),
        },
    )
    assert find_axis(flat, "level", flat["t2m"].dims) is None
    assert find_axis(flat.drop_vars("lat"), "level", ("row",)) == "row"
    assert find_axis(flat.drop_vars("lat").rename(row="y"), "level", ("y",)) is None


def test_levels_without_coordinate_are_named(tmp_path):
    path = write(tmp_path / "a.nc", stack("lev"))
    with pytest.raises(
        UserError, match=r"'lev' of 2 fields, but the file has no coordinate .*lev="
    ):
        source(path, variables=[{"name": "temperature", "levels": [500, 850]}])


def test_the_surface_is_a_level_of_the_sea(tmp_path):
    for depth in (0.0, 10.0):
        attributes = {"units": "m", "positive": "down"}
        one = (dataset()[["sst"]] - depth / 10).assign_coords(depth=((), depth, attributes))
        one["sst"].attrs["units"] = "degC"
        write(tmp_path / f"sst{depth:g}.nc", one.rename(sst="thetao"))
    found = inspect_files(str(tmp_path / "*.nc"))
    assert not found.is_fatal
    assert [row["level"] for row in found.variables] == [0.0, 10.0]
    levels = [{"name": "potential_temperature", "levels": [0, 10]}]
    opened = source(tmp_path / "*.nc", variables=levels)
    np.testing.assert_allclose(
        np.diff(opened.read(slice(0, 1)), axis=1)[..., 0, :, 0], -1, atol=1e-4
    )


def test_a_map_of_depths_that_others_name_is_a_field(tmp_path):
    data = dataset()
    data["depth"] = data["lsm"].assign_attrs(units="m", positive="down")
    path = write(tmp_path / "a.nc", data.set_coords("depth"))
    opened = source(path, variables=[*T2M, {"name": "depth", "role": "static"}])
    np.testing.assert_allclose(opened.read(slice(0, 1))[0, 1], data["lsm"])


@pytest.mark.parametrize("method", ["bilinear", "conservative"])
def test_a_regional_file_keeps_its_area_on_another_grid(tmp_path, method):
    data = dataset().assign_coords(latitude=30.0 + np.arange(8), longitude=10.0 + np.arange(12))
    grid = {"latitudes": 4, "longitudes": 6, "method": method}
    opened = source(write(tmp_path / "a.nc", data), variables=T2M, grid=grid)
    np.testing.assert_allclose(opened.grid.y, [30.5, 32.5, 34.5, 36.5])
    assert np.isfinite(opened.read(slice(0, 1))).all()
