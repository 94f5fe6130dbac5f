import numpy as np
import pytest

from triton_earth.physics.insolation import (
    SOLAR_CONSTANT,
    daily_insolation,
    instantaneous_insolation,
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
    for hour, noon in ((0, 180.0), (6, 90.0), (12, 0.0), (18, 270.0)):
        field = instantaneous_insolation(equinox, np.array([hour / 24]), np.zeros(1), longitude)
        assert longitude[field[0, 0].argmax()] == noon
        assert field.max() == pytest.approx(SOLAR_CONSTANT, rel=1e-4)
        assert (field == 0).sum() >= 11
