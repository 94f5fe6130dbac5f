import numpy as np
import pytest

from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics.drift import doubling_time, growth_rate, trend
from triton_earth.evaluation.metrics.extremes import QUANTILES, weighted_quantiles
from triton_earth.evaluation.scores_file import scores_as_json


def test_planted_growth_gives_its_doubling_time():
    times = np.arange(1.0, 9)
    error = 0.01 * 2 ** (times / 2)
    error[6:] = 5.0  # saturated: has no part in the fit
    rate = growth_rate(error, np.full(8, 2.0), times)
    np.testing.assert_allclose(doubling_time(rate), 2.0, rtol=1e-12)


def test_growth_needs_small_errors_and_can_be_none():
    times = np.arange(1.0, 5)
    assert np.isnan(growth_rate(np.array([0.1, 0.2, 2, 2]), np.ones(4), times))
    assert np.isnan(growth_rate(np.array([0.1, np.nan, 0.1, 0.1]), np.ones(4), times))
    assert doubling_time(growth_rate(np.full(4, 0.1), np.ones(4), times)) == np.inf
    assert np.isnan(doubling_time(np.array(np.nan)))


def test_trend_is_that_of_polyfit():
    times = np.array([1.0, 2, 5, 9])
    departure = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_allclose(trend(departure, times), np.polyfit(times, departure.T, 1)[0])
    assert np.isnan(trend(np.array([1.0, np.inf, 0, 0]), times))


def test_quantiles_are_those_of_numpy_with_weights():
    generator = np.random.default_rng(2)
    values, weights = generator.standard_normal((2, 500)), generator.uniform(0.1, 1, 500)
    expected = np.quantile(values, QUANTILES, axis=1, weights=weights, method="inverted_cdf")
    np.testing.assert_array_equal(weighted_quantiles(values, weights), expected.T)
    values[1, 7] = np.nan
    assert np.isnan(weighted_quantiles(values, weights)).any(axis=1).tolist() == [False, True]


@pytest.fixture
def scores(flow, forecasts_of, truth_of):
    """The truth, an error that doubles each two steps, and a mean that drifts by 0.01 each step."""
    lead = np.arange(1, 8)[None, :, None, None, None]
    pattern = np.where(np.indices((16, 16)).sum(axis=0) % 2, 1.0, -1.0)
    forecast = flow[:, 1:] + 1e-3 * 2 ** (lead / 2) * pattern
    return (
        evaluate_forecast(forecasts_of(forecast), truth_of(flow), resamples=40),
        evaluate_forecast(forecasts_of(flow[:, 1:] + 0.01 * lead), truth_of(flow), resamples=40),
    )


def test_scores_of_planted_growth_and_drift(scores):
    grown, drifted = (one.sel(forecast="triton", variable="vorticity") for one in scores)
    np.testing.assert_allclose(grown["error_doubling_time"], 2.0, rtol=1e-3)
    np.testing.assert_allclose(grown["error_doubling_time_interval"], 2.0, rtol=1e-3)
    np.testing.assert_allclose(drifted["drift_rate"], 0.01, rtol=1e-5)
    np.testing.assert_allclose(drifted["variance_drift_rate"], 0, atol=1e-6)
    means = scores[1]["area_mean"].sel(variable="vorticity")
    difference = means.sel(source="triton") - means.sel(source="truth")
    np.testing.assert_allclose(difference, drifted["bias"], atol=1e-9)


def test_extremes_follow_the_field(scores, flow):
    extreme = scores[1]["extreme"].sel(variable="vorticity")
    np.testing.assert_allclose(
        extreme.sel(source="triton") - extreme.sel(source="truth"),
        np.repeat(0.01 * np.arange(1, 8)[:, None], len(QUANTILES), axis=1),
        atol=1e-6,
    )
    highest = flow[:, 1, 0].reshape(6, -1).max(axis=1).mean()
    np.testing.assert_allclose(extreme.sel(source="truth")[0, -1], highest, rtol=1e-6)


def test_json_holds_them(scores):
    values = scores_as_json(scores[0])
    one = values["forecasts"]["triton"]["variables"]["vorticity"]["error_doubling_time"]
    assert one["lower"] <= one["value"] <= one["upper"]
    assert len(values["fields"]["truth"]["vorticity"]["area_mean"]["value"]) == 7
