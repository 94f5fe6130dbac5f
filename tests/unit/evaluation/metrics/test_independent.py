"""Scores against other packages' implementations."""

import numpy as np
import pytest
import xarray as xr
from tests.builders import weather_grid

from triton_earth.evaluation.bootstrap import (
    percentile_interval,
    resampled_means,
    resampling_weights,
)
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.metrics.similarity import peak_signal_to_noise, structural_similarity

GRID = weather_grid()
DIMENSIONS = ("batch", "channel", "y", "x")


@pytest.fixture
def pair():
    generator = np.random.default_rng(8)
    truth = generator.standard_normal((3, 2, *GRID.shape))
    return truth + 0.5 * generator.standard_normal(truth.shape), truth


@pytest.fixture
def sums(pair):
    return error_sums(*pair, GRID.cos_latitude_weights)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mse", "mae", "bias"])
def test_errors_are_those_of_scores(name, pair, sums):
    continuous = pytest.importorskip("scores.continuous")
    function = {
        "mse": continuous.mse,
        "mae": continuous.mae,
        "bias": continuous.additive_bias,
    }[name]
    arrays = [xr.DataArray(field, dims=DIMENSIONS) for field in pair]
    weights = xr.DataArray(GRID.cos_latitude_weights, dims=("y", "x"))
    expected = function(*arrays, reduce_dims=["y", "x"], weights=weights)
    np.testing.assert_allclose(METRICS[name].of_one(sums), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mse", "mae", "correlation"])
def test_errors_are_those_of_xskillscore(name, pair, sums):
    xskillscore = pytest.importorskip("xskillscore")
    function = {
        "mse": xskillscore.mse,
        "mae": xskillscore.mae,
        "correlation": xskillscore.pearson_r,
    }[name]
    arrays = [xr.DataArray(field, dims=DIMENSIONS) for field in pair]
    weights = xr.DataArray(GRID.cos_latitude_weights, dims=("y", "x"))
    expected = function(*arrays, dim=["y", "x"], weights=weights)
    np.testing.assert_allclose(METRICS[name].of_one(sums), expected, rtol=1e-10)


@pytest.mark.filterwarnings("ignore")
def test_likeness_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    generator = np.random.default_rng(3)
    truth = generator.standard_normal((1, 1, 40, 36))
    forecast = truth + 0.4 * generator.standard_normal(truth.shape)
    span = float(np.ptp(truth))
    sums = error_sums(forecast, truth, np.ones((40, 36)))
    np.testing.assert_allclose(
        peak_signal_to_noise(METRICS["mse"].of_one(sums), np.array([[span]])),
        metrics.peak_signal_noise_ratio(truth[0, 0], forecast[0, 0], data_range=span),
    )
    _, picture = metrics.structural_similarity(
        truth[0, 0],
        forecast[0, 0],
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=span,
        full=True,
    )
    np.testing.assert_allclose(
        structural_similarity([forecast], truth)[0, 0, 0], picture[5:-5, 5:-5].mean(), rtol=1e-6
    )


def test_paired_interval_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(6)
    first = generator.standard_normal(200)
    second = first - 0.1 + 0.2 * generator.standard_normal(200)
    weights = resampling_weights(np.arange(200), 4000, seed=1)
    means = [resampled_means(one, weights, np.ones(200, bool)) for one in (first, second)]
    found = percentile_interval(means[0] - means[1])
    expected = stats.bootstrap(
        (first - second,), np.mean, n_resamples=4000, method="percentile", rng=generator
    ).confidence_interval
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert found[0] > 0
