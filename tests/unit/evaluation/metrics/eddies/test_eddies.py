"""Okubo-Weiss on vortices with a closed form; regions across the seam of the globe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from triton_earth.evaluation.metrics.eddies.detection import (
    connected_regions,
    detect_eddies,
    okubo_weiss,
)

DX = 5e3
Y, X = (np.arange(100.0)[:, None] * DX, np.arange(120.0)[None, :] * DX)


def gaussian_vortex(y0, x0, scale, speed):
    """Velocity of ψ = −U R exp(½ − r²/2R²): largest speed U at r = R, counter-clockwise for U > 0."""
    y, x = Y - y0 * DX, X - x0 * DX
    shape = speed / scale * np.exp(0.5 - (x**2 + y**2) / (2 * scale**2))
    return -y * shape, x * shape


def test_closed_form_of_a_gaussian_vortex():
    scale, speed = 60e3, 0.5
    u, v = gaussian_vortex(50, 60, scale, speed)
    parameter, vorticity = okubo_weiss(u, v, DX, DX)
    r2 = ((Y - 50 * DX) ** 2 + (X - 60 * DX) ** 2) / scale**2
    rate = speed / scale * np.exp(0.5 - r2 / 2)
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(
        vorticity[inner], (rate * (2 - r2))[inner], atol=1e-2 * vorticity.max()
    )
    # Strain −r v'(r) … : W = (r²)² − (2 − r²)² = 4 (r² − 1) in units of the rate squared, zero at r = R.
    expected = 4 * rate**2 * (r2 - 1)
    np.testing.assert_allclose(parameter[inner], expected[inner], atol=1e-2 * abs(parameter).max())


def test_solid_rotation_and_pure_strain():
    y, x = np.broadcast_arrays(Y, X)
    rotation, _ = okubo_weiss(-1e-5 * y, 1e-5 * x, DX, DX)
    np.testing.assert_allclose(rotation, -4e-10, rtol=1e-9)
    strain, vorticity = okubo_weiss(1e-5 * x, -1e-5 * y, DX, DX)
    np.testing.assert_allclose(strain, 4e-10, rtol=1e-9)
    np.testing.assert_allclose(vorticity, 0, atol=1e-18)


def test_two_eddies_of_opposite_sense_are_found_where_they_are():
    one = gaussian_vortex(30, 35, 50e3, 0.6)
    two = gaussian_vortex(70, 90, 40e3, -0.5)
    eddies = detect_eddies(one[0] + two[0], one[1] + two[1], DX, DX)
    assert len(eddies) == 2
    for eddy, (y, x, radius, sign) in zip(
        eddies, [(30, 35, 50e3, 1), (70, 90, 40e3, -1)], strict=True
    ):
        assert (eddy.y, eddy.x) == pytest.approx((y, x), abs=0.3)
        # The core ends at −0.2 σ, a little inside r = R where W is zero.
        assert 0.8 * radius < eddy.radius < 1.02 * radius
        assert np.sign(eddy.vorticity) == sign


def test_rows_of_other_widths():
    u, v = gaussian_vortex(50, 60, 60e3, 0.5)
    (plain,) = detect_eddies(u, v, DX, DX)
    (same,) = detect_eddies(u, v, DX, np.full(100, DX))
    assert same == plain


def test_land_and_stillness():
    u, v = gaussian_vortex(50, 60, 60e3, 0.5)
    u[:20], v[:20] = np.nan, np.nan
    assert len(detect_eddies(u, v, DX, DX)) == 1
    assert detect_eddies(np.zeros((9, 9)), np.zeros((9, 9)), DX, DX) == []
    assert detect_eddies(np.full((9, 9), np.nan), np.zeros((9, 9)), DX, DX) == []


@pytest.mark.parametrize("shift", [0, 1, 30, 59])
def test_a_vortex_across_the_seam_is_the_same_vortex(shift):
    """Rolled around a periodic row it has the same area, strength and rim, and its centre goes along."""
    u, v = gaussian_vortex(50, 60, 50e3, 0.6)
    (plain,) = detect_eddies(u, v, DX, DX, periodic=True)
    rolled = (np.roll(field, shift + 1, axis=1) for field in (u, v))
    (moved,) = detect_eddies(*rolled, DX, DX, periodic=True)
    assert (moved.cells, moved.y) == (plain.cells, pytest.approx(plain.y, abs=1e-9))
    assert moved.x % 120 == pytest.approx((plain.x + shift + 1) % 120, abs=1e-9)
    assert moved.radius == pytest.approx(plain.radius)
    assert np.ptp(moved.columns) == np.ptp(plain.columns)


@given(arrays(bool, (6, 7)))
def test_regions_across_the_seam_are_those_of_copies_side_by_side(mask):
    """Two routes: labels of a periodic mask, and of many copies side by side, looked at from the middle."""
    found = connected_regions(mask, periodic=True)
    assert ((found > 0) == mask).all()
    assert set(np.unique(found)) - {0} == set(range(1, found.max() + 1))
    wide, _ = ndimage.label(np.tile(mask, 9))
    for one in range(1, found.max() + 1):
        cells = np.argwhere(found == one)
        row, column = cells[0]
        all_around = wide == wide[row, 4 * 7 + column]
        joined = all_around.reshape(6, 9, 7).any(axis=1)
        assert (joined == (found == one)).all()
