import numpy as np
import pytest
from scipy import stats

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.metrics.error_metrics import (
    METRICS,
    activity,
    bias,
    correlation,
    forecast_variance,
    mean_absolute_error,
    mean_square_error,
    relative_l2,
    truth_variance,
    variance_scaled_rmse,
)
from triton_earth.evaluation.metrics.error_sums import error_sums

N = 32
X = np.arange(N) * 2 * np.pi / N


def _sums(forecast, truth, weights=None):
    fields = [np.asarray(field, np.float64)[None, None] for field in (forecast, truth)]
    return error_sums(*fields, np.ones(fields[0].shape[2:]) if weights is None else weights)


def _sine(phase=0.0, amplitude=1.0):
    return np.broadcast_to(amplitude * np.sin(X + phase), (N, N))


def test_sine_of_twice_the_amplitude():
    sums = _sums(_sine(amplitude=2), _sine())
    assert mean_square_error(sums).item() == pytest.approx(0.5, rel=1e-12)
    assert relative_l2(sums).item() == pytest.approx(1.0, rel=1e-12)
    assert correlation(sums).item() == pytest.approx(1.0, rel=1e-12)
    assert bias(sums).item() == pytest.approx(0.0, abs=1e-14)
    assert forecast_variance(sums).item() == pytest.approx(2.0, rel=1e-12)
    assert truth_variance(sums).item() == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("phase", [0.1, np.pi / 3, np.pi / 2, 2.5, np.pi])
def test_shifted_sine(phase):
    sums = _sums(_sine(phase), _sine())
    assert correlation(sums).item() == pytest.approx(np.cos(phase), abs=1e-12)
    assert mean_square_error(sums).item() == pytest.approx(1 - np.cos(phase), rel=1e-12)
    assert relative_l2(sums).item() == pytest.approx(np.sqrt(2 - 2 * np.cos(phase)), rel=1e-12)


def test_offset_moves_the_bias_and_not_the_correlation():
    sums = _sums(_sine() + 3, _sine())
    assert bias(sums).item() == pytest.approx(3.0, rel=1e-12)
    assert correlation(sums).item() == pytest.approx(1.0, rel=1e-12)
    assert mean_square_error(sums).item() == pytest.approx(9.0, rel=1e-12)


def test_correlation_is_that_of_scipy():
    forecast, truth = np.random.default_rng(0).standard_normal((2, 20, 30)) + 5
    forecast = forecast + 0.4 * truth
    expected = stats.pearsonr(forecast.ravel(), truth.ravel()).statistic
    assert correlation(_sums(forecast, truth)).item() == pytest.approx(expected, rel=1e-11)


def test_weighted_metrics_are_those_of_numpy():
    grid = LatLonGrid(tuple(np.linspace(-80, 80, 9)), tuple(np.linspace(0, 330, 12)))
    weights = grid.cell_area_weights
    forecast, truth = np.random.default_rng(1).standard_normal((2, *grid.shape))
    sums = _sums(forecast, truth, weights)
    covariance = np.cov(forecast.ravel(), truth.ravel(), aweights=weights.ravel(), ddof=0)
    expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert correlation(sums).item() == pytest.approx(expected, rel=1e-12)
    assert forecast_variance(sums).item() == pytest.approx(covariance[0, 0], rel=1e-12)
    mse = np.average((forecast - truth) ** 2, weights=weights)
    assert mean_square_error(sums).item() == pytest.approx(mse, rel=1e-12)
    assert bias(sums).item() == pytest.approx(np.average(forecast - truth, weights=weights))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_forecast_that_is_not_finite(value):
    forecast = _sine().copy()
    forecast[3, 4] = value
    sums = _sums(forecast, _sine())
    assert mean_square_error(sums).item() == np.inf
    assert relative_l2(sums).item() == np.inf
    assert np.isnan(bias(sums).item())
    assert np.isnan(correlation(sums).item())
    assert np.isnan(forecast_variance(sums).item())


def test_what_is_undefined_is_nan():
    constant = np.full((N, N), 0.1)
    assert np.isnan(correlation(_sums(_sine(), constant)).item())
    assert np.isnan(correlation(_sums(constant, _sine())).item())
    assert truth_variance(_sums(_sine(), constant)).item() == 0.0
    assert np.isnan(relative_l2(_sums(_sine(), np.zeros((N, N)))).item())
    nothing = _sums(_sine(), _sine(), np.zeros((N, N)))
    for metric in METRICS.values():
        assert np.isnan(metric.of_one(nothing)).all(), metric.name


def test_units():
    assert [METRICS[name].units("m s-1") for name in ("mse", "rmse", "bias", "correlation")] == [
        "(m s-1)2",
        "m s-1",
        "m s-1",
        "1",
    ]
    assert METRICS["mse"].units("1") == "1"


def test_absolute_and_scaled_errors(weighted):
    f, t, w = weighted
    sums = _sums(f, t, w)
    absolute = np.average(np.abs(f - t), weights=w)
    assert mean_absolute_error(sums).item() == pytest.approx(absolute, rel=1e-12)
    centre = np.average(t, weights=w)
    variance = np.average((t - centre) ** 2, weights=w)
    scaled = np.sqrt(np.average((f - t) ** 2, weights=w) / variance)
    assert variance_scaled_rmse(sums).item() == pytest.approx(scaled, rel=1e-10)
    active = np.average((f - np.average(f, weights=w)) ** 2, weights=w) / variance
    assert activity(sums).item() == pytest.approx(active, rel=1e-10)


def test_truths_own_mean_has_a_scaled_error_of_one():
    sums = _sums(np.full((N, N), 3.0), _sine() + 3.0)
    assert variance_scaled_rmse(sums).item() == pytest.approx(1, rel=1e-12)
    assert activity(sums).item() == 0
    constant = _sums(_sine(), np.ones((N, N)))
    assert np.isnan(variance_scaled_rmse(constant)).all()
    assert np.isnan(activity(constant)).all()


@pytest.fixture
def weighted():
    generator = np.random.default_rng(4)
    return (*generator.standard_normal((2, N, N)), generator.uniform(0.1, 2, (N, N)))
