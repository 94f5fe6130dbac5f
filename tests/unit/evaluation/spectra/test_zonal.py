"""Zonal spectra against Parseval, single waves and a trend in a region."""

import numpy as np
import pytest

from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.evaluation.spectra.zonal import zonal_bands

GLOBE = LatLonGrid(tuple(np.arange(-85.0, 90, 10)), tuple(np.arange(0.0, 360, 10)))
REGION = LatLonGrid(tuple(np.arange(20.5, 50, 1)), tuple(np.arange(120.5, 160, 1)))


def spectra(bands, fields):
    waves = bands.coefficients(fields)
    return bands.spectrum(waves, waves)


def test_bands_of_the_globe():
    bands = zonal_bands(GLOBE)
    assert bands.names == ["90S-60S", "60S-30S", "30S-0", "0-30N", "30N-60N", "60N-90N"]
    assert np.bincount(bands.rows).tolist() == [3] * 6
    np.testing.assert_array_equal(bands.wavenumbers, np.arange(19))


@pytest.mark.parametrize("columns", [36, 35])
def test_spectra_add_up_to_the_mean_square(columns):
    longitude = tuple(np.arange(columns) * 360 / columns)
    grid = LatLonGrid(GLOBE.latitude, longitude)
    bands = zonal_bands(grid)
    fields = np.random.default_rng(0).standard_normal((2, 3, *grid.shape))
    weights = grid.cell_area_weights
    found = spectra(bands, fields).sum(axis=-1)
    for band in range(6):
        rows = bands.rows == band
        square = (fields**2 * weights)[..., rows, :].sum(axis=(-2, -1)) / weights[rows].sum()
        np.testing.assert_allclose(found[..., band], square, rtol=1e-12)


def test_cross_spectra_add_up_to_the_mean_product():
    bands = zonal_bands(GLOBE)
    one, other = np.random.default_rng(0).standard_normal((2, *GLOBE.shape))
    found = bands.spectrum(*(bands.coefficients(field) for field in (one, other)))
    weights = GLOBE.cell_area_weights
    for band in range(6):
        rows = bands.rows == band
        product = (one * other * weights)[rows].sum() / weights[rows].sum()
        np.testing.assert_allclose(found[band].sum(), product, rtol=1e-12)


def test_a_wave_in_one_hemisphere():
    field = np.where(GLOBE.y[:, None] > 0, 3 * np.cos(np.deg2rad(5 * GLOBE.x)), 0.0)
    found = spectra(zonal_bands(GLOBE), field)
    expected = np.zeros((6, 19))
    expected[3:, 5] = 4.5
    np.testing.assert_allclose(found, expected, atol=1e-12)


def land(columns):
    valid = np.ones(GLOBE.shape, bool)
    valid[0:3, columns] = False
    valid[5] = False
    return valid


def test_rows_without_enough_ocean_are_left_out():
    bands = zonal_bands(GLOBE, land(slice(2, 30)))
    assert bands.names[0] == "60S-30S"
    assert bands.rows.tolist()[:6] == [-1, -1, -1, 0, 0, -1]
    field = np.where(land(slice(2, 30)), np.cos(np.deg2rad(2 * GLOBE.x)), np.nan)
    np.testing.assert_allclose(spectra(bands, field)[:, 2], 0.5)


@pytest.mark.parametrize("columns", [slice(4, 5), slice(0, 9)])
def test_rows_with_land_add_up_to_the_tapered_mean_square(columns):
    valid = land(columns)
    bands = zonal_bands(GLOBE, valid)
    assert bands.names[0] == "90S-60S"
    fields = 3 + np.random.default_rng(0).standard_normal((4, *GLOBE.shape))
    taper = bands.taper[0]
    assert taper[columns].max() == 0
    assert taper[20] == 1
    level = (taper * fields[:, 0:3]).sum(axis=-1, keepdims=True) / taper.sum()
    around = (taper**2 * (fields[:, 0:3] - level) ** 2).sum(axis=-1) / (taper**2).sum()
    weights = GLOBE.cell_area_weights[0:3, 0]
    expected = ((around + level[..., 0] ** 2) * weights).sum(axis=-1) / weights.sum()
    found = spectra(bands, np.where(valid, fields, np.nan))[:, 0]
    np.testing.assert_allclose(found.sum(axis=-1), expected, rtol=1e-12)
    np.testing.assert_array_equal(found, spectra(bands, np.where(valid, fields, 1e9))[:, 0])


def test_a_wave_beside_land_keeps_its_wavenumber_and_variance():
    field = np.broadcast_to(np.cos(np.deg2rad(8 * GLOBE.x)), GLOBE.shape)
    valid = land(slice(0, 9))
    found = spectra(zonal_bands(GLOBE, valid), np.where(valid, field, np.nan))[0]
    assert found.argmax() == 8
    assert found[5:12].sum() == pytest.approx(0.5, rel=0.05)
    assert found[14:].max() < 1e-3 * found[8]


def test_a_field_that_is_not_finite_has_no_spectrum():
    valid = land(slice(0, 9))
    field = np.where(valid, 1.0, np.nan)
    field[1, 20] = np.nan
    found = spectra(zonal_bands(GLOBE, valid), field)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()


def test_a_region_is_detrended_and_keeps_the_variance_of_noise():
    bands = zonal_bands(REGION)
    assert bands.names == ["0-30N", "30N-60N"]
    assert bands.wavenumbers[1] == pytest.approx(9)
    np.testing.assert_allclose(spectra(bands, np.tile(REGION.x, (30, 1))), 0, atol=1e-20)
    noise = np.random.default_rng(0).standard_normal((200, *REGION.shape))
    assert spectra(bands, noise).sum(axis=-1).mean() == pytest.approx(1, abs=0.06)


def test_nowhere():
    assert zonal_bands(PeriodicGrid(16, 16)) is None
    assert zonal_bands(LatLonGrid((0.0, 1.0), (0.0, 1.0, 2.0))) is None
    assert zonal_bands(GLOBE, np.zeros(GLOBE.shape, bool)) is None
    assert zonal_bands(GLOBE, np.eye(18, 36, dtype=bool)) is None
    assert zonal_bands(REGION, np.arange(1200).reshape(30, 40) % 40 < 9) is None
