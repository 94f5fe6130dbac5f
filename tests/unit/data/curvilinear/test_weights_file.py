"""Weights of ESMF, SCRIP and CDO: fields on a mesh onto the grid that the file says, and files that do not fit."""

import numpy as np
import pytest
import xarray as xr

from tests.curvilinear import on_mesh, smooth, tripolar
from tests.gridded import source, write
from triton_earth.core.errors import UserError

LATITUDE, LONGITUDE = (
    np.arange(85.0, -90, -10),
    np.arange(-175.0, 180, 10),
)  # north to south, from 175 W on
SST = {"units": "degC", "standard_name": "sea_surface_temperature"}


@pytest.fixture(scope="module")
def nemo(tmp_path_factory):
    lat, lon = tripolar()
    path = tmp_path_factory.mktemp("nemo") / "nemo.nc"
    return write(path, on_mesh(lat, lon, {"tos": (10 + 5 * smooth(lat, lon), SST)}))


def nearest(latitude=LATITUDE, longitude=LONGITUDE, **changes):
    """Numbers of target and mesh cells, from 1 on, and weights: all of the nearest cell, as ESMF names them."""
    lat, lon = tripolar()
    target_lat, target_lon = (
        one.ravel() for one in np.meshgrid(latitude, longitude, indexing="ij")
    )
    phi, lam = np.deg2rad(lat).ravel(), np.deg2rad(lon).ravel()
    closest = [
        int(
            np.argmax(
                np.cos(phi) * np.cos(np.deg2rad(one)) * np.cos(lam - np.deg2rad(other))
                + np.sin(phi) * np.sin(np.deg2rad(one))
            )
        )
        for one, other in zip(target_lat, target_lon, strict=True)
    ]
    degrees = {"units": "degrees"}
    return xr.Dataset(
        {
            "col": ("n_s", np.array(closest, np.int32) + 1),
            "row": ("n_s", np.arange(1, len(closest) + 1, dtype=np.int32)),
            "S": ("n_s", np.ones(len(closest))),
            "src_grid_dims": ("src_grid_rank", np.array(lat.shape[::-1], np.int32)),
            "dst_grid_dims": (
                "dst_grid_rank",
                np.array([len(longitude), len(latitude)], np.int32),
            ),
            "yc_a": ("n_a", lat.ravel(), degrees),
            "xc_a": ("n_a", lon.ravel(), degrees),
            "yc_b": ("n_b", target_lat, degrees),
            "xc_b": ("n_b", target_lon, degrees),
        },
        attrs={"map_method": "Nearest source to destination"},
    ).assign(**changes)


def scrip(esmf):
    """The same in the words of SCRIP and CDO: radians, and room for weights of gradients."""
    names = {
        "col": "src_address", "row": "dst_address", "yc_a": "src_grid_center_lat", "xc_a": "src_grid_center_lon",
        "yc_b": "dst_grid_center_lat", "xc_b": "dst_grid_center_lon",
    }  # fmt: skip
    made = esmf.rename(names)
    for name in list(names.values())[2:]:
        made[name] = (made[name].dims, np.deg2rad(made[name].values), {"units": "radians"})
    three = np.stack([esmf["S"].values, np.full(esmf.sizes["n_s"], 7.0)], axis=1)
    return made.drop_vars("S").assign(remap_matrix=(("n_s", "num_wgts"), three))


def opened_with(nemo, weights, tmp_path, **changes):
    path = tmp_path / "weights.nc"
    weights.to_netcdf(path)
    return source(nemo, variables=["sea_surface_temperature"], weights=str(path), **changes)


@pytest.mark.parametrize("form", [lambda one: one, scrip])
def test_fields_are_where_the_weights_put_them(nemo, tmp_path, form):
    opened = opened_with(nemo, form(nearest()), tmp_path)
    np.testing.assert_allclose(opened.grid.y, LATITUDE[::-1])
    np.testing.assert_allclose(opened.grid.x, np.arange(5.0, 360, 10))
    made = opened.read(slice(0, 1))[0, 0]
    lat, lon = np.meshgrid(opened.grid.y, opened.grid.x, indexing="ij")
    south = lat < -77  # no mesh cell is near
    error = np.abs(made - 283.15 - 5 * smooth(lat, lon))[~south]
    assert error.max() < 0.8
    assert np.median(error) < 0.2
    assert "weights of weights.nc, from 55 x 74 curvilinear cells" in opened.regridding


def test_a_region_keeps_its_order(nemo, tmp_path):
    weights = nearest(np.arange(-20.0, 25, 5), np.arange(340.0, 385, 5) % 360)
    opened = opened_with(nemo, weights, tmp_path)
    np.testing.assert_allclose(opened.grid.x, np.arange(340.0, 385, 5))
    lat, lon = np.meshgrid(opened.grid.y, opened.grid.x, indexing="ij")
    made = opened.read(slice(0, 1))[0, 0]
    assert np.abs(made - 283.15 - 5 * smooth(lat, lon)).max() < 0.8


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda one: one.drop_vars("yc_a"),
            r"expected weights with both grids, of ESMF \(col, row",
        ),
        (
            lambda one: one.assign(src_grid_dims=("src_grid_rank", np.array([37, 110], np.int32))),
            r"is for a mesh of 110 x 37 cells, but 'nav_lat, nav_lon' of the files has 55 x 74",
        ),
        (
            lambda one: one.assign(yc_a=("n_a", one["yc_a"].values[::-1], {"units": "degrees"})),
            r"of the mesh at .* N .* E, the files have it at .* N .* E\. Make weights of these files",
        ),
        (
            lambda one: one.assign(col=("n_s", one["col"].values + 4000)),
            r"speaks of cells of the mesh \d+ to \d+, of which there are 4070",
        ),
        (
            lambda one: one.assign(row=("n_s", one["row"].values - 1)),
            r"speaks of cells of the grid 0 to 647, of which there are 648",
        ),
        (
            lambda one: one.assign(
                yc_b=("n_b", one["yc_b"].values[::-1] + 0.1 * one["xc_b"].values)
            ),
            r"leads onto 18 x 36 cells that are no latitudes times longitudes",
        ),
        (
            lambda one: one.assign(dst_grid_dims=("dst_grid_rank", np.array([36, 17], np.int32))),
            r"leads onto a grid of \[36, 17\] cells, 648 in all; expected latitudes times longitudes",
        ),
        (lambda one: one.assign(S=one["S"] * np.nan), r"holds weights that are no numbers"),
        (
            lambda one: one.assign_attrs(map_method="Bicubic remapping"),
            r"needs gradients of the fields",
        ),
    ],
)
def test_weights_that_do_not_fit(nemo, tmp_path, spoil, message):
    with pytest.raises(UserError, match=message):
        opened_with(nemo, spoil(nearest()), tmp_path)


def test_what_weights_contradict(nemo, tmp_path):
    with pytest.raises(UserError, match=r"leads onto 18 x 36 cells, but data\.grid is 14 x 36"):
        opened_with(nemo, nearest(), tmp_path, grid={"latitudes": 14, "longitudes": 36})
    with pytest.raises(UserError, match=r"data\.weights says where .*, and so does data\.region"):
        opened_with(nemo, nearest(), tmp_path, region={"latitude": [0, 30]})
    with pytest.raises(UserError, match=r"data\.weights: there is no file nowhere\.nc"):
        source(nemo, variables=["sea_surface_temperature"], weights="nowhere.nc")
    plain = xr.Dataset(
        {"tos": (("time", "lat", "lon"), np.full((40, 4, 8), 15.0), SST)},
        coords={
            "time": np.datetime64("2001-01-01", "ns") + np.arange(40) * np.timedelta64(1, "D"),
            "lat": ("lat", [-60.0, -20, 20, 60], {"units": "degrees_north"}),
            "lon": ("lon", np.arange(0.0, 360, 45), {"units": "degrees_east"}),
        },
    )
    with pytest.raises(
        UserError, match=r"lies on latitudes times longitudes; expected a curvilinear"
    ):
        opened_with(write(tmp_path / "plain.nc", plain), nearest(), tmp_path)
