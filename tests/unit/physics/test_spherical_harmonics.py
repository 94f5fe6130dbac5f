import numpy as np
import pytest

from triton_earth.physics.sphere import EARTH_RADIUS
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


GLOBES = {
    "half a row off the poles": np.arange(-85.0, 90, 10),
    "rows at the poles": np.linspace(-90, 90, 19),
    "Gaussian": np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(18)[0])),
    "a row short of the poles": np.arange(-80.0, 81, 10),
}
TURNS = np.arange(0, 360, 15.0)


def rossby_haurwitz(latitude, longitude, omega, K, R):
    """Velocity in m/s and vorticity of ψ = a² (−ω sin φ + K cos^R φ sin φ cos Rλ)."""
    phi, turn = np.deg2rad(latitude)[:, None], np.deg2rad(longitude)
    s, c, wave = np.sin(phi), np.cos(phi), np.cos(R * turn)
    u = omega * c + K * c ** (R - 1) * (R * s**2 - c**2) * wave
    v = -K * R * c ** (R - 1) * s * np.sin(R * turn)
    zeta = 2 * omega * s - K * s * c**R * (R**2 + 3 * R + 2) * wave
    return EARTH_RADIUS * u, EARTH_RADIUS * v, zeta


@pytest.mark.parametrize("rows", GLOBES)
def test_vorticity_of_solid_body_rotation_is_in_degree_one(rows):
    """u = U cos φ has the vorticity 2 U sin φ / a, whose mean square is (2U/a)² / 3."""
    transform = SphericalTransform(GLOBES[rows], len(TURNS))
    u = np.repeat(20 * np.cos(np.deg2rad(GLOBES[rows]))[:, None], len(TURNS), axis=1)
    found = transform.vorticity(u, 0 * u)
    expected = np.zeros(transform.highest + 1)
    expected[1] = (40 / EARTH_RADIUS) ** 2 / 3
    np.testing.assert_allclose(cross_by_degree(found, found), expected, atol=1e-10 * expected[1])


@pytest.mark.parametrize("rows", GLOBES)
@pytest.mark.parametrize("R", [1, 2, 4, 6])
def test_vorticity_of_a_rossby_haurwitz_wave_is_in_one_degree(rows, R):
    transform = SphericalTransform(GLOBES[rows], len(TURNS))
    u, v, zeta = rossby_haurwitz(GLOBES[rows], TURNS, 0.0, 7.8e-6, R)
    spectrum = cross_by_degree(*2 * [transform.vorticity(u, v)])
    assert spectrum.argmax() == R + 1
    np.testing.assert_allclose(spectrum.sum(), spectrum[R + 1], rtol=1e-12)
    scalar = cross_by_degree(*2 * [transform.coefficients(zeta)])
    np.testing.assert_allclose(spectrum[R + 1], scalar[R + 1], rtol=1e-9)


def test_enstrophy_adds_up_to_its_mean_over_the_sphere():
    nodes, weights = np.polynomial.legendre.leggauss(18)
    latitude = np.rad2deg(np.arcsin(nodes))
    waves = [(8e-6, 3e-6, 1), (0.0, 5e-6, 3), (1e-6, -2e-6, 5)]
    parts = [rossby_haurwitz(latitude, TURNS, *wave) for wave in waves]
    u, v, zeta = (np.sum(part, axis=0) for part in zip(*parts, strict=True))
    found = SphericalTransform(latitude, len(TURNS)).vorticity(u, v)
    mean_square = 0.5 * weights @ (zeta**2).mean(axis=1)
    np.testing.assert_allclose(cross_by_degree(found, found).sum(), mean_square, rtol=1e-12)


@pytest.mark.parametrize("rows", GLOBES)
def test_a_flow_without_rotation_has_no_vorticity(rows):
    """The gradient of cos φ cos λ, across the poles."""
    phi, turn = np.deg2rad(GLOBES[rows])[:, None], np.deg2rad(TURNS)
    u = 10 * np.broadcast_to(-np.sin(turn), (len(phi), len(turn)))
    v = -10 * np.sin(phi) * np.cos(turn)
    found = SphericalTransform(GLOBES[rows], len(TURNS)).vorticity(u, v)
    np.testing.assert_allclose(found, 0, atol=1e-12 * 10 / EARTH_RADIUS)


def test_vorticity_of_batches_and_missing_values():
    latitude = GLOBES["rows at the poles"]
    transform = SphericalTransform(latitude, len(TURNS))
    u, v = np.random.default_rng(0).standard_normal((2, 3, 2, len(latitude), len(TURNS)))
    v[1, 1, 4, 4] = np.nan
    found = transform.vorticity(u, v)
    np.testing.assert_allclose(found[2, 0], transform.vorticity(u[2, 0], v[2, 0]))
    assert np.isnan(cross_by_degree(found, found)[1, 1]).all()
    assert np.isfinite(found[0]).all()
