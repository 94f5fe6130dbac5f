import numpy as np
import pytest

from triton_earth.physics.insolation import (
    SOLAR_CONSTANT,
    daily_insolation,
    instantaneous_insolation,
    inverse_square_distance,
)

LATITUDE = np.array([-89.0, -40.0, 0.0, 23.0, 60.0])


@pytest.mark.parametrize("year", [0.0, 0.21, 0.47, 0.8])
def test_the_moments_of_a_day_have_the_mean_of_the_day(year):
    moments = np.arange(0, 1, 1 / 1440)
    fields = instantaneous_insolation(
        np.full(1440, year), moments, LATITUDE, np.array([0.0, 77.0, 200.0])
    )
    expected = daily_insolation(np.array([year]), LATITUDE)[0]
    np.testing.assert_allclose(fields.mean(axis=0), expected[:, None] + np.zeros(3), atol=0.02)


def test_noon_is_where_the_sun_is_highest():
    longitude = np.arange(0.0, 360.0, 15.0)
    equinox = np.array([(81 - 1) / 365.25])
    near = inverse_square_distance(equinox)[0]
    for hour, noon in ((0, 180.0), (6, 90.0), (12, 0.0), (18, 270.0)):
        field = instantaneous_insolation(equinox, np.array([hour / 24]), np.zeros(1), longitude)
        assert longitude[field[0, 0].argmax()] == noon
        assert field.max() == pytest.approx(SOLAR_CONSTANT * near, rel=1e-4)
        assert (field == 0).sum() >= 11


def test_the_distance_from_the_sun_against_another_series():
    """The Fourier series of Spencer (1971) is right to 1e-4, with another year's perihelion."""
    angle = 2 * np.pi * np.arange(365) / 365
    spencer = (
        1.000110 + 0.034221 * np.cos(angle) + 0.001280 * np.sin(angle)
        + 0.000719 * np.cos(2 * angle) + 0.000077 * np.sin(2 * angle)
    )  # fmt: skip
    found = inverse_square_distance(np.arange(365) / 365)
    np.testing.assert_allclose(found, spencer, atol=1.2e-3)
    assert found.max() == pytest.approx((1 - 0.0167) ** -2, rel=1e-5)
    assert found.min() == pytest.approx((1 + 0.0167) ** -2, rel=1e-5)


def test_solstices_and_equinoxes():
    """S0 sin(obliquity) (r/r0)^-2 at the poles at the solstices, S0/pi (r/r0)^-2 at the equator at the equinoxes."""
    days = (
        np.array([79.3, 171.6, 265.0, 355.0]) / 365.25
    )  # 21 March, 21 June, 23 September, 22 December
    poles = daily_insolation(days, np.array([-89.999, 0.0, 89.999]))
    assert poles[1, 2] == pytest.approx(524, abs=1)
    assert poles[3, 0] == pytest.approx(560, abs=1)
    np.testing.assert_allclose(poles[[0, 2], 1], [437.3, 430.4], atol=1)
    assert poles[1, 0] == poles[3, 2] == 0


def test_the_year_brings_a_quarter_of_the_solar_constant():
    latitude = -89.5 + np.arange(180)
    weights = np.cos(np.deg2rad(latitude))
    mean = daily_insolation(np.arange(365) / 365, latitude).mean(axis=0) @ weights / weights.sum()
    assert mean == pytest.approx(SOLAR_CONSTANT / 4 / np.sqrt(1 - 0.0167**2), rel=1e-3)
