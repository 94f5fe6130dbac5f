import math
import re

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.grid import ClosedGrid, Grid, LatLonGrid, PeriodicGrid, grid_from_dict


def global_grid(step):
    return LatLonGrid(
        tuple(np.arange(-90 + step / 2, 90, step)), tuple(np.arange(step / 2, 360, step))
    )


def test_a_periodic_grid_holds_its_left_border_and_not_its_right_one():
    grid = PeriodicGrid(4, 8, length_y=2.0, length_x=4.0)
    np.testing.assert_allclose(grid.y, [0.0, 0.5, 1.0, 1.5])
    assert grid.x[-1] == 3.5
    assert grid.shape == (4, 8)
    assert grid.axes == ("y", "x")
    assert grid.padding == ("periodic", "periodic")
    np.testing.assert_array_equal(grid.cell_area_weights, np.ones((4, 8)))
    assert str(grid) == "periodic box 4 x 8, sides 2 x 4"


def test_a_closed_grid_keeps_half_a_cell_from_its_walls():
    grid = ClosedGrid(4, 8, length_y=2.0, length_x=4.0)
    np.testing.assert_allclose(grid.y, [0.25, 0.75, 1.25, 1.75])
    assert grid.x[-1] == 3.75
    assert grid.padding == ("zero", "zero")
    assert str(grid) == "closed box 4 x 8, sides 2 x 4"


def test_cell_areas_of_a_global_grid_are_those_of_the_sphere():
    grid = global_grid(30.0)
    # A band between two latitudes takes (sin φ_north − sin φ_south)/2 of the sphere.
    borders = np.sin(np.deg2rad(np.arange(-90.0, 91.0, 30.0)))
    fractions = grid.cell_area_weights.sum(axis=1) / grid.cell_area_weights.sum()
    np.testing.assert_allclose(fractions, np.diff(borders) / 2, rtol=1e-14)


def test_cell_areas_of_a_grid_with_poles_end_at_the_poles():
    grid = LatLonGrid((-90.0, -45.0, 0.0, 45.0, 90.0), (0.0, 90.0, 180.0, 270.0))
    fractions = grid.cell_area_weights.sum(axis=1) / grid.cell_area_weights.sum()
    borders = np.sin(np.deg2rad([-90.0, -67.5, -22.5, 22.5, 67.5, 90.0]))
    np.testing.assert_allclose(fractions, np.diff(borders) / 2, rtol=1e-14)


@pytest.mark.parametrize(
    "grid", [global_grid(10.0), LatLonGrid((10.0, 11.0, 14.0), (100.0, 101.0))]
)
def test_weights_have_mean_one(grid):
    assert grid.cell_area_weights.mean() == pytest.approx(1, abs=1e-14)
    assert grid.cos_latitude_weights.mean() == pytest.approx(1, abs=1e-14)


def test_cos_latitude_weights_are_the_cosine():
    grid = LatLonGrid((0.0, 60.0), (0.0, 1.0))
    np.testing.assert_allclose(grid.cos_latitude_weights[0] / grid.cos_latitude_weights[1], 2.0)


def test_a_global_integral_of_a_smooth_field_converges():
    grid = global_grid(2.0)
    # ∫ sin²φ over the sphere / 4π = 1/3
    field = np.sin(np.deg2rad(grid.y))[:, None] ** 2 * np.ones(grid.shape)
    assert np.mean(grid.cell_area_weights * field) == pytest.approx(1 / 3, abs=2e-4)


def test_a_grid_all_around_is_periodic_in_longitude_and_a_regional_one_is_not():
    around = global_grid(10.0)
    assert around.is_global_in_longitude
    assert around.padding == ("zero", "periodic")
    regional = LatLonGrid(around.latitude, around.longitude[:-1])
    assert not regional.is_global_in_longitude
    assert regional.padding == ("zero", "zero")


def test_a_repeated_meridian_is_not_global():
    closed = LatLonGrid((0.0, 10.0), tuple(np.arange(0.0, 361.0, 10.0)))
    assert not closed.is_global_in_longitude


@pytest.mark.parametrize(
    "grid", [PeriodicGrid(3, 5, 1.0, math.pi), ClosedGrid(3, 5, 1.0, 2.0), global_grid(30.0)]
)
def test_a_grid_survives_json(grid):
    again = grid_from_dict(grid.to_dict())
    assert again == grid
    assert isinstance(again, Grid)


def test_the_axes_of_a_grid_are_coordinates_that_xarray_takes():
    grid = global_grid(30.0)
    dataset = xr.Dataset(coords={"latitude": grid.latitude, "longitude": grid.longitude})
    assert dataset.sel(latitude=grid.latitude[1]).sizes == {"longitude": 12}
    with pytest.raises(ValueError, match="read-only"):
        grid.latitude[0] = 3.0


def test_equal_grids_have_equal_hashes():
    grid, same = global_grid(30.0), global_grid(30.0)
    assert (grid == same, hash(grid) == hash(same)) == (True, True)
    zero, signed = LatLonGrid((0.0, 1.0), (0.0, 1.0)), LatLonGrid((-0.0, 1.0), (0.0, 1.0))
    assert (zero == signed, hash(zero) == hash(signed)) == (True, True)
    assert grid != LatLonGrid(grid.latitude, grid.longitude[:-1])
    assert grid != PeriodicGrid(*grid.shape)


def test_a_latlon_grid_says_what_it_is():
    assert str(global_grid(90.0)) == (
        "latitude-longitude 2 x 4, latitude -45..45, longitude 45..315"
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: PeriodicGrid(0, 4), "a grid needs at least one cell each way; found 0 x 4."),
        (lambda: PeriodicGrid(4, 4, 0.0), "box sides must be positive; found 0.0 and"),
        (lambda: PeriodicGrid(4, 4, math.nan), "box sides must be positive; found nan and"),
        (
            lambda: LatLonGrid((10.0, 0.0), (0.0, 1.0)),
            "latitude must ascend and hold at least two values; found 10..0. Sort the data first",
        ),
        (lambda: LatLonGrid((0.0, 1.0), (5.0,)), "longitude must ascend and hold at least two"),
        (lambda: LatLonGrid((), (0.0, 1.0)), "found nothing."),
        (
            lambda: LatLonGrid((0.0, 91.0), (0.0, 1.0)),
            "latitude must lie within -90..90; found 0..91.",
        ),
    ],
)
def test_an_impossible_grid_is_refused(make, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        make()


def test_an_unknown_kind_of_grid_is_refused():
    with pytest.raises(UserError, match=r"unknown kind of grid 'cubed_sphere'; known are"):
        grid_from_dict({"kind": "cubed_sphere"})
