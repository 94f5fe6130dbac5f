import numpy as np
import pytest

from triton_earth.core.coastlines import coastlines, land_cells
from triton_earth.core.grid import LatLonGrid


def test_lines_lie_on_the_earth_and_never_jump():
    lines = coastlines()
    points = np.concatenate(lines)
    assert len(lines) > 100
    assert np.abs(points[:, 0]).max() <= 180
    assert np.abs(points[:, 1]).max() <= 90
    assert max(np.abs(np.diff(line[:, 0])).max() for line in lines) < 20


@pytest.mark.parametrize(
    ("place", "longitude", "latitude"),
    [("Cape Agulhas", 20.0, -34.8), ("Cape Horn", -67.3, -55.9), ("Nordkapp", 25.7, 71.1)],
)
def test_known_capes_are_there(place, longitude, latitude):
    points = np.concatenate(coastlines())
    away = np.hypot(
        (points[:, 0] - longitude) * np.cos(np.deg2rad(latitude)), points[:, 1] - latitude
    )
    assert away.min() < 1.0, place


@pytest.mark.parametrize(
    ("place", "latitude", "longitude", "is_land"),
    [
        ("Madrid", 40.4, -3.7, True),
        ("Timbuktu", 16.8, -3.0, True),
        ("Alice Springs", -23.7, 133.9, True),
        ("Yakutsk", 62.0, 129.7, True),
        ("east of the date line", 66.5, -179.0, True),
        ("west of the date line", 67.5, 179.5, True),
        ("the south pole", -90.0, 0.0, True),
        ("Antarctica beside the date line", -85.0, 179.9, True),
        ("the north pole", 90.0, 0.0, False),
        ("Bay of Biscay", 45.0, -6.0, False),
        ("Caspian Sea", 42.0, 50.5, False),
        ("Tasman Sea", -40.0, 160.0, False),
        ("Ross Sea", -76.0, -178.0, False),
    ],
)
@pytest.mark.parametrize("turn", [0.0, 360.0])
def test_known_places_are_on_land_or_at_sea(place, latitude, longitude, is_land, turn):
    towards_equator = -np.copysign(1e-6, latitude)
    latitudes = sorted([latitude, latitude + towards_equator])
    cell = LatLonGrid(tuple(latitudes), (longitude + turn, longitude + turn + 1e-6))
    assert (land_cells(cell) == is_land).all(), place


def test_land_is_29_percent_of_the_earth():
    grid = LatLonGrid(tuple(np.arange(-89.5, 90)), tuple(np.arange(0.5, 360)))
    part = (land_cells(grid) * grid.cell_area_weights).mean()
    assert part == pytest.approx(0.29, abs=0.005)


def test_the_meridian_where_longitudes_begin_does_not_matter():
    latitude = tuple(np.arange(-87.5, 90, 5))
    east = LatLonGrid(latitude, tuple(np.arange(0.0, 360, 5)))
    both = LatLonGrid(latitude, tuple(np.arange(-180.0, 180, 5)))
    np.testing.assert_array_equal(np.roll(land_cells(east), 36, axis=1), land_cells(both))
