import numpy as np
import pytest

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import year_fraction
from triton_earth.core.variables import Role
from triton_earth.data.sources.values.derived import derived_fields, derived_variables

GRID = LatLonGrid(tuple(np.linspace(-89, 89, 90)), tuple(np.arange(0.0, 360.0, 90.0)))
YEAR = np.datetime64("2001-01-01", "ns") + np.arange(365) * np.timedelta64(1, "D")


def insolation(times=YEAR):
    return derived_fields(["insolation"], times, GRID)[:, 0]


def test_the_globe_receives_a_quarter_of_the_solar_constant():
    mean = np.mean(insolation() * GRID.cell_area_weights)
    assert mean == pytest.approx(1361 / 4, rel=2e-3)


def test_polar_night_and_midnight_sun():
    june, december = insolation()[171], insolation()[354]
    assert (june[0] == 0).all()
    assert (december[-1] == 0).all()
    # At the summer pole: S₀ sin δ (r̄/r)²
    assert june[-1, 0] == pytest.approx(
        0.9683 * 1361 * np.sin(np.deg2rad(23.45)) * np.sin(np.deg2rad(89)), rel=1e-3
    )


def test_equinox_at_the_equator():
    march = insolation()[79]
    # S₀/π (r̄/r)² at the equator
    assert march[44:46].mean() == pytest.approx(1.008 * 1361 / np.pi, rel=1e-3)


def test_leap_years_are_a_day_longer():
    times = np.array(
        ["2000-01-01", "2000-12-31", "2001-12-31", "2001-07-02T12"], dtype="datetime64[ns]"
    )
    np.testing.assert_allclose(year_fraction(times), [0, 365 / 366, 364 / 365, 0.5])


def test_waves_and_latitude():
    fields = derived_fields(["sine_of_year", "cosine_of_year", "sine_of_latitude"], YEAR, GRID)
    np.testing.assert_allclose(fields[:, 0] ** 2 + fields[:, 1] ** 2, 1, rtol=1e-6)
    np.testing.assert_allclose(fields[7, 2, :, 1], np.sin(np.deg2rad(GRID.y)), rtol=1e-6)


def test_roles():
    variables = derived_variables(["insolation", "sine_of_latitude"])
    assert [variable.role for variable in variables] == [Role.FORCING, Role.STATIC]
