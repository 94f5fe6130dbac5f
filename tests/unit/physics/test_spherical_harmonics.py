import numpy as np
import pytest

from triton_earth.physics.spherical_harmonics import (
    SphericalTransform,
    cross_by_degree,
    legendre,
)

LATITUDE = np.arange(-88.75, 90, 2.5)
LONGITUDE = np.arange(0, 360, 5.0)


@pytest.fixture(scope="module")
def transform():
    return SphericalTransform(LATITUDE, len(LONGITUDE))


def test_functions_are_those_of_scipy():
    special = pytest.importorskip("scipy.special")
    theta = np.deg2rad(90 - LATITUDE)
    for order in (0, 1, 5, 20):
        found = legendre(np.cos(theta), order, 24)
        for row, degree in enumerate(range(order, 25)):
            expected = np.sqrt(4 * np.pi) * (-1) ** order
            expected = expected * special.sph_harm_y(degree, order, theta, 0.0).real
            np.testing.assert_allclose(found[row], expected, atol=1e-10)


@pytest.mark.parametrize(("degree", "order"), [(0, 0), (1, 0), (3, 2), (20, 20), (35, 7)])
def test_single_harmonic(transform, degree, order):
    values = legendre(np.sin(np.deg2rad(LATITUDE)), order, degree)[-1]
    field = values[:, None] * np.cos(order * np.deg2rad(LONGITUDE))
    found = transform.coefficients(field)
    spectrum = cross_by_degree(found, found)
    expected = np.zeros(transform.highest + 1)
    expected[degree] = 1.0 if order == 0 else 0.5
    np.testing.assert_allclose(spectrum, expected, atol=1e-10)


def test_parseval(transform):
    generator = np.random.default_rng(0)
    sine, longitude = np.sin(np.deg2rad(LATITUDE)), np.deg2rad(LONGITUDE)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    planted, mean_square = np.zeros((len(LATITUDE), len(LONGITUDE))), 0.0
    on_nodes = np.zeros((80, len(LONGITUDE)))
    for order in range(8):
        a, b = generator.standard_normal((2, 30 - order))
        wave = np.cos(order * longitude), np.sin(order * longitude)
        for place, into in ((sine, planted), (nodes, on_nodes)):
            functions = legendre(place, order, 29)
            into += np.outer(a @ functions, wave[0]) + np.outer(b @ functions, wave[1])
    mean_square = 0.5 * weights @ (on_nodes**2).mean(axis=1)
    found = transform.coefficients(planted)
    np.testing.assert_allclose(cross_by_degree(found, found).sum(), mean_square, rtol=1e-10)


def test_batches_and_missing_values(transform):
    fields = np.random.default_rng(1).standard_normal((2, 3, len(LATITUDE), len(LONGITUDE)))
    fields[1, 2, 0, 0] = np.nan
    found = transform.coefficients(fields)
    np.testing.assert_allclose(found[0, 1], transform.coefficients(fields[0, 1]))
    assert np.isnan(cross_by_degree(found, found)[1, 2]).all()
    assert np.isfinite(found[:, :2]).all()
