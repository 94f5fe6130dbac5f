import numpy as np

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.spectra.degree import is_globe
from triton_earth.physics.sphere import EARTH_RADIUS
from triton_earth.physics.spherical_harmonics import legendre

GLOBE = LatLonGrid(tuple(np.arange(-85.0, 90, 10)), tuple(np.arange(0, 360, 15.0)))
HEIGHT = Variables((Variable("height", "m"),))


def harmonic(degree, order, phase):
    values = legendre(np.sin(np.deg2rad(GLOBE.y)), order, degree)[-1]
    return values[:, None] * np.cos(order * np.deg2rad(GLOBE.x) + phase)


def test_scales_of_planted_harmonics(forecasts_of, truth_of):
    """Degree 2 is right, degree 5 has the right size in the wrong place, degree 7 has a tenth of its variance."""
    truth = harmonic(2, 1, 0) + harmonic(5, 3, 0) + harmonic(7, 2, 0)
    forecast = harmonic(2, 1, 0) + harmonic(5, 3, np.pi / 2) + np.sqrt(0.1) * harmonic(7, 2, 0)
    scores = evaluate_forecast(
        forecasts_of(np.stack([forecast] * 2)[None, :, None], variables=HEIGHT, grid=GLOBE),
        truth_of(np.stack([truth] * 3)[None, :, None], variables=HEIGHT, grid=GLOBE),
        resamples=10,
    )
    one = scores.sel(forecast="triton", variable="height").isel(degree_lead_time=0)
    degrees = [2, 5, 7]
    spectrum = scores["degree_spectrum"].sel(source="truth", variable="height")[0]
    np.testing.assert_allclose(spectrum.sel(degree=degrees), 0.5, rtol=1e-5)
    np.testing.assert_allclose(one["degree_ratio"].sel(degree=degrees), [1, 1, 0.1], rtol=1e-4)
    np.testing.assert_allclose(
        one["degree_coherence"].sel(degree=degrees), [1, 0, 1], rtol=1e-4, atol=1e-5
    )
    error = [0, 2, (1 - np.sqrt(0.1)) ** 2]
    np.testing.assert_allclose(one["degree_error"].sel(degree=degrees), error, rtol=1e-4, atol=1e-5)
    assert one["effective_degree"] == 5
    assert one["decorrelation_degree"] == 5


def test_enstrophy_of_winds(forecasts_of, truth_of):
    """The truth turns like a solid body, u = U cos φ; the forecast half as fast."""
    winds = Variables((Variable("u10", "m s-1"), Variable("v10", "m s-1"), Variable("t", "K")))
    u = np.broadcast_to(20 * np.cos(np.deg2rad(GLOBE.y))[:, None], GLOBE.shape)
    field = np.stack([u, 0 * u, 280 + 0 * u])
    shared = {"variables": winds, "grid": GLOBE}
    scores = evaluate_forecast(
        forecasts_of(np.stack([0.5 * field] * 2)[None].repeat(6, axis=0), **shared),
        truth_of(np.stack([field] * 3)[None].repeat(6, axis=0), **shared),
        resamples=50,
    ).isel(degree_lead_time=-1)
    assert scores["velocity"].values.tolist() == ["u10"]
    one = scores.sel(velocity="u10")
    truth = one.sel(source="truth")
    enstrophy = 0.5 * (40 / EARTH_RADIUS) ** 2 / 3
    np.testing.assert_allclose(truth["degree_enstrophy"].sel(degree=1), enstrophy, rtol=1e-5)
    np.testing.assert_allclose(truth["degree_enstrophy"].sum(), enstrophy, rtol=1e-5)
    energy = 0.5 * 20**2 * 2 / 3
    for name in ("degree_rotational_kinetic_energy", "degree_kinetic_energy"):
        # That of both components is at even degrees: u = U cos φ is no single harmonic.
        np.testing.assert_allclose(truth[name].sum(), energy, rtol=2e-2)
    rotational = truth["degree_rotational_kinetic_energy"].sel(degree=1)
    np.testing.assert_allclose(rotational, energy, rtol=1e-5)
    model = one.sel(forecast="triton")
    for name, value in (("ratio", 0.25), ("error", 0.25), ("coherence", 1.0)):
        found = model[f"degree_enstrophy_{name}"].sel(degree=1)
        np.testing.assert_allclose(found, value, rtol=1e-5)
        np.testing.assert_allclose(
            model[f"degree_enstrophy_{name}_interval"].sel(degree=1), value, rtol=1e-5
        )
    assert model["effective_degree_of_enstrophy"] == 0


def test_no_enstrophy_of_a_component_with_land(forecasts_of, truth_of):
    winds = Variables((Variable("u10", "m s-1"), Variable("v10", "m s-1")))
    mask = np.ones((2, *GLOBE.shape), bool)
    mask[1, 3, 3] = False
    fields = np.random.default_rng(0).standard_normal((2, 3, 2, *GLOBE.shape))
    shared = {"variables": winds, "grid": GLOBE}
    truth = truth_of(fields, valid_mask=mask, **shared)
    scores = evaluate_forecast(forecasts_of(fields[:, 1:], **shared), truth, resamples=5)
    assert "degree_enstrophy" not in scores
    assert scores["degree_spectrum"].sel(variable="v10").isnull().all()


def test_what_is_a_globe():
    assert is_globe(GLOBE)
    assert not is_globe(LatLonGrid(GLOBE.latitude[:12], GLOBE.longitude))
    assert not is_globe(LatLonGrid(GLOBE.latitude, GLOBE.longitude[:12]))
