import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.region import WELL_KNOWN, Region, find_cut

GLOBE = LatLonGrid(tuple(np.arange(-75.0, 90.0, 30.0)), tuple(np.arange(0.0, 360.0, 30.0)))


def test_a_cut_is_the_part_of_the_grid_inside():
    cut = Region.parse("-50:20,25:100").cut(GLOBE)
    assert cut.rows.tolist() == [1, 2, 3]
    assert cut.columns.tolist() == [1, 2, 3]
    assert cut.grid == LatLonGrid((-45.0, -15.0, 15.0), (30.0, 60.0, 90.0))


def test_a_cut_across_the_meridian_goes_from_west_to_east():
    cut = Region.parse("-50:20,300:35").cut(GLOBE)
    assert cut.columns.tolist() == [10, 11, 0, 1]
    assert cut.grid.longitude.tolist() == [-60.0, -30.0, 0.0, 30.0]
    found = find_cut(GLOBE, cut.grid)
    assert found.columns.tolist() == cut.columns.tolist()
    assert found.rows.tolist() == cut.rows.tolist()


def test_what_is_no_part_is_none():
    assert find_cut(GLOBE, LatLonGrid((-45.0, -14.0), (30.0, 60.0))) is None
    assert find_cut(GLOBE, PeriodicGrid(4, 4)) is None
    assert find_cut(PeriodicGrid(8, 8), PeriodicGrid(4, 4)) is None


def test_a_region_of_one_row_is_refused():
    with pytest.raises(UserError, match=r"holds 1 x 12 cells of the grid .* Make it larger"):
        Region.parse("0:20,0:360").cut(GLOBE)


def test_a_region_may_have_a_name():
    named, plain = Region.parse("kuroshio=20:45,120:165"), Region.parse("20:45,120:165")
    assert (named.name, str(named)) == ("kuroshio", "kuroshio (20:45,120:165)")
    assert (plain.name, str(plain)) == ("", "20:45,120:165")
    assert (named.south, named.east) == (20, 165)


def test_well_known_regions_cover_the_globe():
    tropics = Region.parse("tropics")
    assert str(tropics) == "tropics (-20:20,0:360)"
    inside = [Region.parse(name).cells(GLOBE) for name in WELL_KNOWN]
    assert (np.sum(inside, axis=0) == 1).all()
    with pytest.raises(UserError, match="or one of tropics, northern_extratropics, southern_extra"):
        Region.parse("the tropics")
