"""Files on curvilinear grids as sources: NEMO, staggered components, nominal axes, rotated poles, WRF."""

import numpy as np
import pytest
import xarray as xr

from tests.curvilinear import along, on_mesh, rotated, rotation, smooth, tripolar
from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files

GRID = {"latitudes": 14, "longitudes": 36}
SST = {"units": "degC", "standard_name": "sea_surface_temperature"}
FIRST = slice(0, 1)


def places(opened):
    return np.meshgrid(opened.grid.y, opened.grid.x, indexing="ij")


def test_nemo_is_regridded_and_inspected(tmp_path):
    lat, lon = tripolar()
    land = np.abs(np.mod(lon - 100, 360)) < 40
    temperature = np.where(land, np.nan, 10 + 5 * smooth(lat, lon))
    path = write(tmp_path / "nemo.nc", on_mesh(lat, lon, {"tos": (temperature, SST)}))
    with pytest.raises(
        UserError,
        match=r"'nav_lat, nav_lon' are those of a curvilinear grid of 55 x 74 cells\. Say data\.grid=\{latitudes: 49",
    ):
        source(path, variables=["sea_surface_temperature"])
    # At a coast the mean is that of the part of the cell that has values.
    for method in ("conservative", "bilinear"):
        opened = source(
            path, variables=["sea_surface_temperature"], grid={**GRID, "method": method}
        )
        made = opened.read(FIRST)[0, 0]
        there = np.isfinite(made)
        assert 0.8 < there.mean() < 0.95
        true = 283.15 + 5 * smooth(*places(opened))
        assert np.abs(made - true)[there].max() < 0.5
        assert np.median(np.abs(made - true)[there]) < 0.05
        assert method.split("-")[0] in opened.regridding
        assert "from 55 x 74 curvilinear cells" in opened.regridding
    found = inspect_files(str(path))
    (finding,) = [one for one in found.findings if one.kind == "curvilinear"]
    assert not found.is_fatal
    assert "data.grid={latitudes: 49, longitudes: 106}" in finding.remedy
    assert found.facts["grid"].startswith("curvilinear, 55 x 74 cells about 3.4 degrees apart")


def velocities(shift):
    """Places, and components of a rotation along the rows and columns there."""
    lat, lon = tripolar(shift=shift)
    around = (tripolar(shift=shift - 0.01), tripolar(shift=shift + 0.01))
    return lat, lon, along(*around, *rotation(lat, lon))


@pytest.mark.parametrize("told", [True, False])
def test_staggered_components_point_east_and_north(tmp_path, told):
    for name, shift, which in (("uo", 0.4, 0), ("vo", 0.0, 1)):
        lat, lon, components = velocities(shift)
        axis = "xy"[which]
        attributes = {"units": "m s-1"}
        if told:
            attributes["standard_name"] = f"sea_water_{axis}_velocity"
        write(tmp_path / f"{name}.nc", on_mesh(lat, lon, {name: (components[which], attributes)}))
    variables = ["eastward_sea_water_velocity", "northward_sea_water_velocity"]
    path = str(tmp_path / "[uv]o.nc")
    if not told:
        with pytest.raises(UserError, match=r"nothing says whether it points east or north"):
            source(path, variables=variables, grid=GRID)
    rotate = {} if told else {"rotate": [variables]}
    derive = [{"kind": "wind_speed", "of": variables}]
    opened = source(
        path, variables=variables, derive=derive, grid={**GRID, "method": "bilinear"}, **rotate
    )
    made = opened.read(FIRST)[0]
    lat, lon = places(opened)
    true = rotation(lat, lon)
    # Around the two poles of the cap directions turn by much from cell to cell.
    away = (lat < 45) & np.isfinite(made).all(axis=0)
    assert away.mean() > 0.6
    for number in (0, 1):
        assert np.abs(made[number] - true[number])[away].max() < 0.03
    np.testing.assert_allclose(made[2][away], np.hypot(*true)[away], atol=0.03)
    assert "turned to east and north" in opened.regridding
    as_it_is = source(path, variables=variables, grid=GRID, rotate=[])
    assert "turned" not in as_it_is.regridding
    if told:
        with pytest.raises(UserError, match=r"lies along the rows .* Add it, with `keep: false`"):
            source(tmp_path / "uo.nc", variables=variables[:1], grid=GRID)
        with pytest.raises(
            UserError, match=r"lies along the columns .* Add it, with `keep: false`"
        ):
            source(tmp_path / "vo.nc", variables=variables[1:], grid=GRID)
    with pytest.raises(UserError, match=r"data\.rotate: 'u' is not among the variables on curvil"):
        source(path, variables=variables, grid=GRID, rotate=[["u", "v"]])


def nominal(bend=25.0):
    """Nominal axes beside true places that leave them north of 60 N."""
    lat, lon = np.linspace(-85, 85, 18), np.arange(36) * 10.0 + 5
    true_lat, true_lon = np.meshgrid(lat, lon, indexing="ij")
    arctic = true_lat > 60
    turned = true_lon + bend * np.sin(np.deg2rad(2 * true_lon))
    true_lon = np.where(arctic, turned, true_lon)
    true_lat = np.where(arctic & (bend > 0), 60 + 0.6 * (true_lat - 60), true_lat)
    days = dataset()["time"].values
    return xr.Dataset(
        {"tos": (("time", "lat", "lon"), np.broadcast_to(10 + 5 * smooth(true_lat, true_lon), (40, 18, 36)), SST)},
        coords={
            "time": days,
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
            "latitude": (("lat", "lon"), true_lat, {"units": "degrees_north"}),
            "longitude": (("lat", "lon"), true_lon, {"units": "degrees_east"}),
        },
    )  # fmt: skip


def test_nominal_axes_are_not_taken_for_places(tmp_path):
    path = write(tmp_path / "a.nc", nominal())
    with pytest.raises(UserError, match=r"which are nominal: up to [\d.]+ degrees off"):
        source(path, variables=["tos"])
    assert "curvilinear" in inspect_files(str(path)).kinds
    south = source(path, variables=["tos"], region={"latitude": [-90, 58]})
    np.testing.assert_allclose(
        south.read(FIRST)[0, 0], 283.15 + 5 * smooth(*places(south)), rtol=1e-5
    )
    whole = source(path, variables=["tos"], grid={**GRID, "method": "bilinear"})
    made = whole.read(FIRST)[0, 0]
    there = np.isfinite(made)
    assert np.abs(made - 283.15 - 5 * smooth(*places(whole)))[there].max() < 0.2
    same = write(tmp_path / "b.nc", nominal(bend=0.0))
    assert source(same, variables=["tos"]).grid.shape == (18, 36)
    assert "curvilinear" not in inspect_files(str(same)).kinds


def test_axes_that_call_themselves_nominal_are_named(tmp_path, caplog):
    """As those of MOM6, whose true places may lie in another file."""
    data = nominal().drop_vars(["latitude", "longitude"])
    data["lat"].attrs["long_name"] = "h point nominal latitude"
    path = write(tmp_path / "a.nc", data)
    source(path, variables=["tos"])
    assert caplog.text.count("latitudes call themselves nominal, and north of 60 N") == 1
    (finding,) = [one for one in inspect_files(str(path)).findings if one.kind == "nominal"]
    assert "reach 85 N" in finding.message
    assert "geolat and geolon" in finding.remedy
    caplog.clear()
    source(path, variables=["tos"], region={"latitude": [-90, 58]})
    assert "nominal" not in caplog.text
    data = nominal(bend=0.0)
    data["lat"].attrs["long_name"] = "nominal latitude"
    true = write(tmp_path / "b.nc", data)
    assert "nominal" not in inspect_files(str(true)).kinds


@pytest.mark.parametrize("with_places", [True, False])
def test_a_rotated_pole_with_and_without_true_places(tmp_path, with_places):
    rlat, rlon = np.arange(-20.0, 20, 1.0), np.arange(-25.0, 25, 1.0)
    lat, lon = rotated(rlat, rlon)
    data = xr.Dataset(
        {
            "tas": (("time", "rlat", "rlon"), np.broadcast_to(280 + smooth(lat, lon), (40, 40, 50)),
                    {"units": "K", "grid_mapping": "rotated_pole"}),
            "rotated_pole": ((), 0, {"grid_north_pole_latitude": 39.25, "grid_north_pole_longitude": -162.0,
                                     "grid_mapping_name": "rotated_latitude_longitude"}),
        },
        coords={
            "time": dataset()["time"].values,
            "rlat": ("rlat", rlat, {"units": "degrees", "standard_name": "grid_latitude"}),
            "rlon": ("rlon", rlon, {"units": "degrees", "standard_name": "grid_longitude"}),
        },
    )  # fmt: skip
    if with_places:
        data = data.assign_coords(
            lat=(("rlat", "rlon"), lat, {"units": "degrees_north"}),
            lon=(("rlat", "rlon"), lon, {"units": "degrees_east"}),
        )
    path = write(tmp_path / "a.nc", data)
    region = {"latitude": [40, 60], "longitude": [5, 30]}
    grid = {"latitudes": 10, "longitudes": 12, "method": "bilinear"}
    opened = source(path, variables=["2m_temperature"], region=region, grid=grid)
    np.testing.assert_allclose(opened.grid.y, np.arange(41.0, 60, 2))
    made = opened.read(FIRST)[0, 0]
    np.testing.assert_allclose(made, 280 + smooth(*places(opened)), atol=1e-3)
    with pytest.raises(UserError, match=r"no cell of the curvilinear grid .* lies in data\.region"):
        source(path, variables=["2m_temperature"], region={"latitude": [-60, -50]}, grid=grid)


def test_degrees_west_with_corners_are_not_mirrored(tmp_path):
    """Places in degrees west, with the outlines of the cells in the same sense."""
    lat, lon = rotated(np.arange(-10.0, 10, 1.0), np.arange(-10.0, 10, 1.0))
    sides = [rotated(np.arange(-10.0, 10, 1.0) + y, np.arange(-10.0, 10, 1.0) + x)
             for y, x in ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))]  # fmt: skip
    data = on_mesh(
        lat, -lon, {"tas": (280 + smooth(lat, lon), {"units": "K"})}, names=("lat", "lon")
    )
    data["lon"].attrs["units"] = "degrees_west"
    for name, which, sign in (("lat", 0, 1), ("lon", 1, -1)):
        data[name].attrs["bounds"] = f"{name}_bnds"
        data[f"{name}_bnds"] = (
            ("y", "x", "nv"),
            np.stack([sign * one[which] for one in sides], -1),
        )
    path = write(tmp_path / "a.nc", data)
    region = {"latitude": [45, 55], "longitude": [13, 23]}
    opened = source(
        path, variables=["2m_temperature"], region=region, grid={"latitudes": 5, "longitudes": 5}
    )
    made = opened.read(FIRST)[0, 0]
    np.testing.assert_allclose(made, 280 + smooth(*places(opened)), atol=0.02)


def test_wrf_has_places_that_depend_on_time_and_times_in_words(tmp_path):
    lat, lon = rotated(np.arange(-10.0, 10, 0.5), np.arange(-10.0, 10, 0.5))
    days = dataset()["time"].values
    moments = np.array(
        [f"{str(day)[:10]}_00:00:00" for day in days.astype("datetime64[D]")], dtype="S19"
    )
    dims = ("Time", "south_north", "west_east")
    data = xr.Dataset(
        {
            "T2": (dims, np.broadcast_to(280 + smooth(lat, lon), (40, 40, 40)).astype("f4"),
                   {"units": "K", "coordinates": "XLONG XLAT"}),
            "Times": (("Time",), moments),
            "XLAT": (dims, np.broadcast_to(lat, (40, 40, 40)).astype("f4"), {"units": "degree_north"}),
            "XLONG": (dims, np.broadcast_to(lon, (40, 40, 40)).astype("f4"), {"units": "degree_east"}),
        }
    )  # fmt: skip
    path = tmp_path / "wrfout.nc"
    data.to_netcdf(path)
    choice = [{"name": "2m_temperature", "source": "T2"}]
    grid = {"latitudes": 12, "longitudes": 16, "method": "bilinear"}
    opened = source(path, variables=choice, grid=grid)
    np.testing.assert_array_equal(opened.times, days[:40])
    made = opened.read(FIRST)[0, 0]
    there = np.isfinite(made)
    assert there.mean() > 0.5
    assert np.abs(made - 280 - smooth(*places(opened)))[there].max() < 1e-3
    moving = data.assign(XLAT=data["XLAT"] + np.arange(40)[:, None, None] * 0.1)
    moving["XLAT"].attrs = data["XLAT"].attrs
    moving.to_netcdf(tmp_path / "moving.nc")
    with pytest.raises(UserError, match="latitude 'XLAT' changes in time: its grid moves"):
        source(tmp_path / "moving.nc", variables=choice, grid=grid)


def test_velocities_of_a_rotated_pole_point_east_and_north_beside_land(tmp_path):
    rlat, rlon = np.arange(-15.0, 15, 0.5), np.arange(-18.0, 18, 0.5)
    lat, lon = rotated(rlat, rlon)
    around = (rotated(rlat, rlon - 0.01), rotated(rlat, rlon + 0.01))
    land = np.hypot(lat - 55, lon - 25) < 4
    wind = [np.where(land, np.nan, one) for one in along(*around, *rotation(lat, lon))]
    names = ("grid_eastward_wind", "grid_northward_wind")
    fields = {
        name: (one, {"units": "m s-1", "standard_name": standard_name})
        for name, one, standard_name in zip(("uas", "vas"), wind, names, strict=True)
    }
    path = write(tmp_path / "a.nc", on_mesh(lat, lon, fields, names=("lat", "lon")))
    variables = [{"name": name, "source": name} for name in ("uas", "vas")]
    region = {"latitude": [44, 60], "longitude": [8, 32]}
    for method, error in (("conservative", 0.02), ("bilinear", 0.005)):
        grid = {"latitudes": 8, "longitudes": 12, "method": method}
        opened = source(path, variables=variables, region=region, grid=grid)
        made = opened.read(FIRST)[0]
        true_lat, true_lon = places(opened)
        far = np.hypot(true_lat - 55, true_lon - 25) > 7
        assert np.isnan(made[:, np.hypot(true_lat - 55, true_lon - 25) < 2]).all()
        for one, true in zip(made, rotation(true_lat, true_lon), strict=True):
            assert np.abs(one - true)[far].max() < error
        along_grid = source(path, variables=variables, region=region, grid=grid, rotate=[])
        turned_by = np.abs(along_grid.read(FIRST)[0] - made)[:, far].max()
        assert turned_by > 0.1
