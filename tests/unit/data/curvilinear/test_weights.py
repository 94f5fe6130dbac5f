"""Fields on tripolar and rotated grids put onto latitudes times longitudes, against the formulas they are made from."""

import builtins

import numpy as np
import pytest

from tests.curvilinear import along, rotated, rotation, smooth, tripolar
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.curvilinear.mesh import Mesh, unit_vectors
from triton_earth.data.curvilinear.weights import mesh_regrid

COARSE = LatLonGrid(tuple(np.arange(-65.0, 90, 10)), tuple(10.0 * np.arange(36)))


def places(grid):
    return np.meshgrid(grid.y, grid.x, indexing="ij")


@pytest.fixture(scope="module", params=[True, False], ids=["halo", "no halo"])
def orca(request):
    return Mesh("nav_lat, nav_lon", *tripolar(halo=request.param))


def test_seams_are_found(orca):
    has_halo = orca.shape[1] == 74
    assert orca.is_periodic is not has_halo
    assert orca.is_folded is not has_halo
    assert orca.is_first.sum() == 54 * 72
    assert orca.area(None)[1:] == (90.0, None)


@pytest.mark.parametrize(("method", "error"), [("conservative", 0.02), ("bilinear", 0.006)])
def test_a_smooth_field_from_a_tripolar_grid(orca, method, error):
    regrid = mesh_regrid(orca, COARSE, method)
    made = regrid(smooth(orca.latitude, orca.longitude)[None])[0]
    assert np.abs(made - smooth(*places(COARSE))).max() < error  # at the pole too
    np.testing.assert_allclose(regrid(np.ones((1, *orca.shape))), 1.0, rtol=1e-12)


def test_averages_keep_the_mean(orca):
    regrid = mesh_regrid(orca, COARSE, "conservative")
    covered = np.asarray(regrid.weights.sum(axis=1)).reshape(COARSE.shape)
    np.testing.assert_allclose(covered, 1.0, atol=2e-3)
    sphere = Mesh(
        "lat, lon", *np.meshgrid(np.arange(-88.5, 90, 3), 3.0 * np.arange(120), indexing="ij")
    )
    whole = LatLonGrid(tuple(np.arange(-80.0, 90, 20)), tuple(20.0 * np.arange(18)))
    values = np.random.default_rng(0).standard_normal(sphere.shape)
    borders = np.sin(np.deg2rad(np.arange(-90.0, 91, 3)))
    expected = (values * np.diff(borders)[:, None]).sum() / (2 * 120)
    made = mesh_regrid(sphere, whole, "conservative")(values[None])[0]
    assert (made * whole.cell_area_weights).mean() == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("method", ["conservative", "bilinear"])
def test_masked_cells_are_left_out(orca, method):
    field = smooth(orca.latitude, orca.longitude)
    land = np.abs(np.mod(orca.longitude - 100, 360)) < 60
    made = mesh_regrid(orca, COARSE, method)(np.where(land, np.nan, field)[None])[0]
    longitude = places(COARSE)[1]
    low = np.abs(places(COARSE)[0]) < 50
    assert np.isnan(made[low & (longitude > 105) & (longitude < 155)]).all()
    there = low & ~((longitude > 95) & (longitude < 165))
    np.testing.assert_allclose(made[there], smooth(*places(COARSE))[there], atol=0.02)


def test_a_regional_grid_has_no_values_beyond_its_border():
    lat, lon = rotated(np.arange(-20.0, 20, 0.5), np.arange(-25.0, 25, 0.5))
    mesh = Mesh("lat, lon", lat, lon)
    *_, sides = mesh.area(None)
    assert sides is not None
    target = LatLonGrid(tuple(np.arange(30.0, 75, 2)), tuple(np.arange(-40.0, 60, 2)))
    for method, error in (("conservative", 0.01), ("bilinear", 1e-4)):
        made = mesh_regrid(mesh, target, method)(smooth(lat, lon)[None])[0]
        there = np.isfinite(made)
        assert 0.2 < there.mean() < 0.9
        inner = (
            there & (np.abs(places(target)[0] - 51) < 14) & (np.abs(places(target)[1] - 18) < 12)
        )
        assert inner.sum() > 80
        assert np.abs(made - smooth(*places(target)))[inner].max() < error


def test_angles_are_those_of_the_rows(orca):
    halo = orca.shape[1] == 74
    before, after = (tripolar(halo=halo, shift=shift) for shift in (-0.01, 0.01))
    eastward, northward = rotation(orca.latitude, orca.longitude)
    u, v = along(before, after, eastward, northward)
    angle = orca.angle
    inner = (slice(0, -1), slice(1, -1)) if halo else (slice(None), slice(None))
    # Around the two poles of the cap rows turn by much from cell to cell.
    poles = np.stack([unit_vectors(np.array(60.0), np.array(lon)) for lon in (80.0, 260.0)])
    away = (orca.points[inner] @ poles.T).max(axis=-1) < np.cos(np.deg2rad(15))
    for made, true in (
        (u * np.cos(angle) - v * np.sin(angle), eastward),
        (u * np.sin(angle) + v * np.cos(angle), northward),
    ):
        assert np.abs(made - true)[inner][away].max() < 0.03


def test_many_more_cells_than_the_files_have_are_refused(orca):
    fine = LatLonGrid(tuple(np.arange(-89.75, 90, 0.5)), tuple(0.5 * np.arange(720)))
    with pytest.raises(UserError, match=r"averaging only makes a grid coarser\. Take fewer"):
        mesh_regrid(orca, fine, "conservative")


def test_missing_packages_are_named(orca, monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "shapely":
            raise ImportError("no shapely")
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"needs the packages scipy and shapely.*\[curvilinear\]"):
        mesh_regrid(orca, COARSE, "bilinear")
