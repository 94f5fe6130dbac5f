import numpy as np

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.degrees import is_globe
from triton_earth.evaluation.evaluate import evaluate_forecast
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


def test_what_is_a_globe():
    assert is_globe(GLOBE)
    assert not is_globe(LatLonGrid(GLOBE.latitude[:12], GLOBE.longitude))
    assert not is_globe(LatLonGrid(GLOBE.latitude, GLOBE.longitude[:12]))
