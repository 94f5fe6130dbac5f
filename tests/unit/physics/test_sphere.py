"""Closed forms on the sphere: solid-body rotation, a single wave, a height that balances a solid-body current."""

import numpy as np
import pytest

from triton_earth.physics.sphere import (
    ANGULAR_VELOCITY,
    EARTH_RADIUS,
    GRAVITY,
    geostrophic_eastward,
    geostrophic_northward,
    relative_vorticity,
    speed,
)


def cells(rows, *, poles=False):
    height = 180 / (rows - 1) if poles else 180 / rows
    latitude = -90 + height * (np.arange(rows) + (0 if poles else 0.5))
    return latitude, 360 / (2 * rows) * np.arange(2 * rows)


def error(found, expected):
    return np.nanmax(np.abs(found - expected)) / np.nanmax(np.abs(expected))


def test_a_pole_of_a_region_has_no_vorticity():
    latitude, longitude = np.array([60.0, 70, 80, 90]), np.array([10.0, 20, 30])
    u = np.ones((2, 4, 3))
    zeta = relative_vorticity(u, u, latitude, longitude, periodic=False)
    assert np.isnan(zeta[:, -1]).all()
    assert np.isfinite(zeta[:, :-1]).all()


@pytest.mark.parametrize("poles", [False, True])
def test_solid_body_rotation_has_vorticity_twice_its_rate(poles):
    errors = []
    for rows in (45, 90):
        latitude, longitude = cells(rows, poles=poles)
        phi = np.deg2rad(latitude)[:, None] + 0 * longitude
        zeta = relative_vorticity(
            10 * np.cos(phi), np.zeros_like(phi), latitude, longitude, periodic=True
        )
        expected = 20 / EARTH_RADIUS * np.sin(phi)
        assert error(zeta, expected) < 0.02
        inner = np.abs(latitude) < 80
        errors.append(error(zeta[inner], expected[inner]))
    assert errors[1] < 1e-3
    # Second order: half the distance, a quarter of the error.
    assert errors[1] < errors[0] / 3.2


def test_a_wave_of_meridional_wind_and_the_seam():
    latitude, longitude = cells(90)
    phi, lam = np.deg2rad(latitude)[:, None], np.deg2rad(longitude)
    v = np.cos(phi) ** 2 * np.sin(3 * lam)
    zeta = relative_vorticity(np.zeros_like(v), v, latitude, longitude, periodic=True)
    expected = 3 * np.cos(phi) * np.cos(3 * lam) / EARTH_RADIUS
    assert error(zeta, expected) < 3e-3
    turned = relative_vorticity(
        np.zeros_like(v), np.roll(v, 7, axis=-1), latitude, longitude, periodic=True
    )
    np.testing.assert_allclose(turned, np.roll(zeta, 7, axis=-1), atol=1e-18)


def test_a_region_has_one_sided_differences_at_its_borders():
    latitude, longitude = np.arange(20.0, 50.0, 0.5), np.arange(120.0, 160.0, 0.5)
    phi, lam = np.deg2rad(latitude)[:, None], np.deg2rad(longitude)
    u, v = np.sin(2 * phi) + 0 * lam, 0 * phi + np.sin(4 * lam)
    zeta = relative_vorticity(u, v, latitude, longitude, periodic=False)
    curl = 4 * np.cos(4 * lam) - (2 * np.cos(2 * phi) * np.cos(phi) - np.sin(2 * phi) * np.sin(phi))
    assert error(zeta, curl / (EARTH_RADIUS * np.cos(phi))) < 2e-3


def test_a_missing_cell_is_missing_in_its_neighbours_only():
    latitude, longitude = cells(20)
    u = np.ones((20, 40))
    u[7, 9] = np.nan
    zeta = relative_vorticity(u, np.ones_like(u), latitude, longitude, periodic=True)
    assert sorted(map(tuple, np.argwhere(np.isnan(zeta)).tolist())) == [(6, 9), (8, 9)]


def test_the_height_of_a_solid_body_current():
    # η = A cos φ: u = g A / (2 Ω a) everywhere
    latitude, longitude = cells(180)
    height = np.cos(np.deg2rad(latitude))[:, None] + 0 * longitude
    u = geostrophic_eastward(height, latitude)
    band = np.abs(latitude) < 5
    assert np.isnan(u[band]).all()
    expected = GRAVITY / (2 * ANGULAR_VELOCITY * EARTH_RADIUS)
    np.testing.assert_allclose(u[~band], expected, rtol=2e-3)


def test_the_height_of_a_meridional_current():
    latitude, longitude = cells(180)
    phi, lam = np.deg2rad(latitude)[:, None], np.deg2rad(longitude)
    v = geostrophic_northward(np.sin(2 * lam) * np.cos(phi), latitude, longitude, periodic=True)
    expected = GRAVITY * 2 * np.cos(2 * lam) / (2 * ANGULAR_VELOCITY * np.sin(phi) * EARTH_RADIUS)
    far = np.abs(latitude) > 5
    assert error(v[far], expected[far]) < 2e-3
    poles = np.array([-90.0, 0.0, 90.0])
    assert np.isnan(
        geostrophic_northward(np.ones((3, 4)), poles, np.arange(4) * 90.0, periodic=True)
    ).all()


def test_speed():
    assert speed(np.full((1, 1), 3.0), np.full((1, 1), -4.0)) == 5
