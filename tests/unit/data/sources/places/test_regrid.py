import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.sources.places.regrid import bilinear, conservative, equal_angle_grid

FINE = LatLonGrid(tuple(-88.125 + 3.75 * np.arange(48)), tuple(3.75 * np.arange(96)))
REGION = LatLonGrid(tuple(20.25 + 0.5 * np.arange(40)), tuple(130.25 + 0.5 * np.arange(60)))


def onto(latitudes, longitudes, *, source=FINE, method=conservative):
    target = equal_angle_grid(source, latitudes, longitudes)
    return method(source, target)


@pytest.mark.parametrize("method", [conservative, bilinear])
def test_a_constant_stays_a_constant(method):
    regrid = onto(32, 64, method=method)
    np.testing.assert_allclose(regrid(np.full((2, *FINE.shape), 7.0)), 7.0, rtol=1e-12)
    assert regrid.target.shape == (32, 64)
    assert regrid.target.is_global_in_longitude


@pytest.mark.parametrize("shape", [(32, 64), (24, 48), (10, 12)])
def test_the_mean_over_the_globe_is_kept(shape):
    regrid = onto(*shape)
    field = np.random.default_rng(0).normal(size=FINE.shape)
    before = np.mean(field * FINE.cell_area_weights)
    after = np.mean(regrid(field) * regrid.target.cell_area_weights)
    assert after == pytest.approx(before, abs=1e-13)


def test_the_mean_over_a_region_is_kept():
    regrid = onto(7, 11, source=REGION)
    assert (regrid.target.y[0], regrid.target.x[-1]) == pytest.approx((20 + 10 / 7, 160 - 15 / 11))
    field = np.random.default_rng(0).normal(size=REGION.shape)
    before = np.mean(field * REGION.cell_area_weights)
    after = np.mean(regrid(field) * regrid.target.cell_area_weights)
    assert after == pytest.approx(before, abs=1e-13)


def test_whole_cells_are_averaged_exactly():
    # 96 longitudes onto 32: cell k covers 3k-1, 3k, 3k+1
    regrid = onto(48, 32)
    field = np.random.default_rng(1).normal(size=FINE.shape)
    expected = np.stack(
        [field[:, [3 * k - 1, 3 * k, 3 * k + 1]].mean(axis=1) for k in range(32)], axis=1
    )
    np.testing.assert_allclose(regrid(field), expected, rtol=1e-12)


def test_masked_cells_do_not_count_and_half_makes_a_value():
    regrid = onto(48, 32)
    field = np.full(FINE.shape, 5.0)
    field[0, 0] = np.nan  # one of three
    field[1, 0:2] = np.nan  # two of three
    averaged = regrid(field)
    assert averaged[0, 0] == pytest.approx(5.0)
    assert np.isnan(averaged[1, 0])
    assert np.isnan(averaged).sum() == 1


def test_rows_end_where_the_data_does():
    # 80 S to 80 N: the polar rows of the target lie beyond.
    source = LatLonGrid(tuple(np.arange(-79.0, 80, 2)), tuple(3.75 * np.arange(96)))
    target = LatLonGrid(tuple(np.arange(-85.0, 90, 10)), tuple(10.0 * np.arange(36)))
    averaged = conservative(source, target)(np.ones(source.shape))
    assert np.isnan(averaged[[0, -1]]).all()
    np.testing.assert_allclose(averaged[1:-1], 1.0)


def test_a_grid_covers_the_area_of_the_files():
    source = LatLonGrid(tuple(np.arange(-59.0, 60, 2)), tuple(3.75 * np.arange(96)))
    rows = equal_angle_grid(source, 12, 36).y
    np.testing.assert_allclose(rows, np.arange(-55.0, 60, 10))


def test_averages_do_not_refine():
    with pytest.raises(UserError, match="averaging only makes a grid coarser"):
        onto(64, 64)


@given(latitudes=st.integers(2, 60), longitudes=st.integers(4, 120), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_bilinear_is_what_scipy_interpolates(latitudes, longitudes, seed):
    field = np.random.default_rng(seed).normal(size=FINE.shape)
    regrid = onto(latitudes, longitudes, method=bilinear)
    around = np.concatenate([field, field[:, :1]], axis=1)
    reference = RegularGridInterpolator((FINE.y, np.append(FINE.x, 360.0)), around)
    rows = np.clip(regrid.target.y, FINE.y[0], FINE.y[-1])
    points = np.stack(np.meshgrid(rows, regrid.target.x, indexing="ij"), axis=-1)
    np.testing.assert_allclose(regrid(field), reference(points), atol=1e-12)


def test_bilinear_in_a_region_is_exact_for_a_plane_and_keeps_to_its_borders():
    regrid = onto(80, 90, source=REGION, method=bilinear)
    plane = 2 * REGION.y[:, None] - REGION.x
    rows = np.clip(regrid.target.y, REGION.y[0], REGION.y[-1])
    columns = np.clip(regrid.target.x, REGION.x[0], REGION.x[-1])
    np.testing.assert_allclose(regrid(plane), 2 * rows[:, None] - columns, rtol=1e-12)


def test_bilinear_leaves_out_masked_cells():
    source = LatLonGrid((0.0, 1.0), (0.0, 1.0, 2.0))
    regrid = bilinear(source, LatLonGrid((0.25, 0.75), (0.5, 1.25)))
    field = np.array([[1.0, 2.0, 3.0], [np.nan, np.nan, 7.0]])
    found = regrid(field)
    # (0.25, 0.5): three quarters of the weight have values, half of it each is 1 and 2.
    assert found[0, 0] == pytest.approx(1.5)
    # (0.75, 0.5): a quarter has.
    assert np.isnan(found[1, 0])
    # (0.75, 1.25): weights 3/16 of 2, 1/16 of 3, 3/16 of 7, and 9/16 of nothing.
    assert np.isnan(found[1, 1])
    # (0.25, 1.25): weights 9/16 of 2, 3/16 of 3, 1/16 of 7
    assert found[0, 1] == pytest.approx((9 * 2 + 3 * 3 + 7) / 13)


@pytest.mark.parametrize("method", [conservative, bilinear])
@pytest.mark.parametrize("masks", ["none", "one", "several"])
def test_maps_together_are_each_what_it_is_alone(method, masks):
    regrid = onto(10, 12, method=method)
    fields = np.random.default_rng(2).normal(size=(3, 2, *FINE.shape))
    if masks != "none":
        fields[..., :20, 30:60] = np.nan
    if masks == "several":
        fields[1, 0, 30:, :9] = np.nan
    together = regrid(fields)
    for time in range(3):
        for channel in range(2):
            np.testing.assert_array_equal(
                together[time, channel], regrid(fields[time, channel]), strict=True
            )
    there = np.isfinite(fields)
    weights = regrid.rows @ there @ regrid.columns.T
    sums = regrid.rows @ np.where(there, fields, 0.0) @ regrid.columns.T
    expected = np.where(weights >= 0.5 - 1e-9, sums / np.maximum(weights, 1e-300), np.nan)
    np.testing.assert_array_equal(together, expected)
