import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.regrid import ConservativeRegrid

FINE = LatLonGrid(tuple(-88.125 + 3.75 * np.arange(48)), tuple(3.75 * np.arange(96)))


def test_a_constant_stays_a_constant():
    regrid = ConservativeRegrid.to_global(FINE, 32, 64)
    np.testing.assert_allclose(regrid(np.full((2, *FINE.shape), 7.0)), 7.0, rtol=1e-12)
    assert regrid.target.shape == (32, 64)


@pytest.mark.parametrize("shape", [(32, 64), (24, 48), (10, 12)])
def test_the_mean_over_the_globe_is_kept(shape):
    regrid = ConservativeRegrid.to_global(FINE, *shape)
    field = np.random.default_rng(0).normal(size=FINE.shape)
    before = np.mean(field * FINE.cell_area_weights)
    after = np.mean(regrid(field) * regrid.target.cell_area_weights)
    assert after == pytest.approx(before, abs=1e-13)


def test_whole_cells_are_averaged_exactly():
    # 96 longitudes onto 32: cell k covers 3k-1, 3k, 3k+1
    regrid = ConservativeRegrid.to_global(FINE, 48, 32)
    field = np.random.default_rng(1).normal(size=FINE.shape)
    expected = np.stack(
        [field[:, [3 * k - 1, 3 * k, 3 * k + 1]].mean(axis=1) for k in range(32)], axis=1
    )
    np.testing.assert_allclose(regrid(field), expected, rtol=1e-12)


def test_masked_cells_do_not_count_and_half_makes_a_value():
    regrid = ConservativeRegrid.to_global(FINE, 48, 32)
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
    averaged = ConservativeRegrid.to_global(source, 18, 36)(np.ones(source.shape))
    assert np.isnan(averaged[[0, -1]]).all()
    np.testing.assert_allclose(averaged[1:-1], 1.0)


def test_refusals():
    with pytest.raises(UserError, match="averaging only makes a grid coarser"):
        ConservativeRegrid.to_global(FINE, 64, 64)
    regional = LatLonGrid((0.0, 1.0), (0.0, 1.0, 2.0))
    with pytest.raises(UserError, match="need global data; found latitude-longitude 2 x 3"):
        ConservativeRegrid.to_global(regional, 2, 4)
