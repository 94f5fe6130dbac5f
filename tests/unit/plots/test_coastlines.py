import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.path import Path

from triton_earth.core.coastlines import coastlines
from triton_earth.plots.coastlines import coastlines_within, extent_of, is_geographic, outline
from triton_earth.plots.colour_range import field_range
from triton_earth.plots.maps import draw_map, height_for_width, height_of_degree, label_degrees
from triton_earth.plots.style import style


def field(latitude, longitude, values=None):
    shape = (len(latitude), len(longitude))
    return xr.DataArray(
        np.zeros(shape) if values is None else values,
        coords={"latitude": latitude, "longitude": longitude},
        dims=("latitude", "longitude"),
    )


@pytest.mark.parametrize(
    "extent", [(0.0, 360.0, -90.0, 90.0), (-180.0, 180.0, -90.0, 90.0), (170.0, 530.0, -90.0, 90.0)]
)
def test_every_turn_of_the_globe_has_all_coasts(extent):
    """However the map is cut, the same points lie on it."""
    points = np.concatenate(coastlines_within(extent))
    inside = points[(points[:, 0] > extent[0]) & (points[:, 0] < extent[1])]
    found = np.unique(np.round(np.mod(inside, [360.0, np.inf]), 3), axis=0)
    all_points = np.unique(
        np.round(np.mod(np.concatenate(coastlines()), [360.0, np.inf]), 3), axis=0
    )
    assert len(found) > 0.995 * len(all_points)


def test_a_region_has_only_its_own():
    assert 3 < len(coastlines_within((120.0, 165.0, 20.0, 45.0))) < 40
    assert coastlines_within((-35.0, -25.0, -30.0, -20.0)) == []


def test_borders_lie_half_a_cell_outside_the_centres():
    assert extent_of(field([-45.0, 45.0], [45.0, 135.0, 225.0, 315.0])) == (0.0, 360.0, -90.0, 90.0)


def test_a_box_has_no_coasts():
    box = xr.DataArray(np.zeros((4, 4)), dims=("y", "x"), coords={"y": range(4), "x": range(4)})
    assert not is_geographic(box)
    assert height_of_degree(box) == 1.0
    box["y"].attrs["long_name"], box["x"].attrs["long_name"] = "latitude", "longitude"
    assert is_geographic(box)


def test_a_region_is_drawn_as_wide_as_on_the_ground():
    at_sixty = field(np.linspace(55.5, 64.5, 10), np.linspace(0.5, 9.5, 10))
    assert height_of_degree(at_sixty) == pytest.approx(2.0)
    assert height_for_width(at_sixty) == pytest.approx(2.0)
    globe = field(np.linspace(-87.5, 87.5, 36), np.linspace(2.5, 357.5, 72))
    assert height_for_width(globe) == pytest.approx(0.5)


def test_land_is_shaded_where_the_variable_does_not_exist():
    sea = field(
        np.linspace(20, 50, 8),
        np.linspace(120, 150, 8),
        np.random.default_rng(0).normal(size=(8, 8)),
    )
    undefined = np.zeros((8, 8), dtype=bool)
    undefined[:4, :4] = True
    with style():
        figure = Figure()
        grid = figure.subplots(1, 1, squeeze=False)
        draw_map(grid[0, 0], sea, field_range(sea), undefined)
        label_degrees(grid)
        figure.savefig("/dev/null", format="svg")
    values, land = grid[0, 0].images
    assert values.get_array().shape == (8, 8)
    np.testing.assert_array_equal(np.isfinite(np.ma.filled(land.get_array(), np.nan)), undefined)
    (land_outline,) = grid[0, 0].patches  # and no coastline through the sea
    assert (land_outline.get_path().codes == Path.MOVETO).sum() == 4 + 4
    assert grid[0, 0].get_xlim() == extent_of(sea)[:2]


def test_the_outline_of_undefined_cells():
    undefined = np.zeros((3, 4), bool)
    undefined[1, 2] = True
    sides = outline(undefined, (0.0, 8.0, -3.0, 3.0))
    ends = {tuple(sorted(map(tuple, side.tolist()))) for side in sides}
    assert ends == {
        ((4.0, -1.0), (4.0, 1.0)),
        ((6.0, -1.0), (6.0, 1.0)),
        ((4.0, -1.0), (6.0, -1.0)),
        ((4.0, 1.0), (6.0, 1.0)),
    }
    assert outline(np.ones((3, 4), bool), (0.0, 8.0, -3.0, 3.0)) == []


def test_the_date_line_has_no_side():
    globe = field(np.linspace(-85, 85, 18), np.linspace(5, 355, 36))
    with style():
        figure = Figure()
        grid = figure.subplots(1, 1, squeeze=False)
        draw_map(grid[0, 0], globe, field_range(globe))
        label_degrees(grid)
        figure.savefig("/dev/null", format="svg")
    labels = [text.get_text() for text in grid[0, 0].get_xticklabels()]
    assert "180°" in labels
    assert "90°W" in labels
