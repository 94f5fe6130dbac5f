"""Structural similarity against scipy's Gaussian filter and closed forms; peak signal-to-noise against its formula."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from triton_earth.evaluation.metrics.similarity import (
    peak_signal_to_noise,
    structural_similarity,
    value_range,
)


def similarity_of(forecast, truth, valid_mask=None):
    return structural_similarity([forecast], truth, valid_mask)[0]


def by_scipy(f, t):
    """The definition with scipy's filter, cropped to the cells whose window lies inside."""
    blur = lambda field: gaussian_filter(field, 1.5, truncate=3.5)[5:-5, 5:-5]  # noqa: E731
    scale = t.max() - t.min()
    c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
    mean_f, mean_t = blur(f), blur(t)
    var_f, var_t = blur(f * f) - mean_f**2, blur(t * t) - mean_t**2
    covariance = blur(f * t) - mean_f * mean_t
    similarity = (2 * mean_f * mean_t + c1) * (2 * covariance + c2)
    return (similarity / ((mean_f**2 + mean_t**2 + c1) * (var_f + var_t + c2))).mean()


@pytest.fixture
def fields():
    generator = np.random.default_rng(0)
    truth = gaussian_filter(generator.standard_normal((3, 2, 24, 31)), (0, 0, 2, 2)) * 20
    return truth + generator.standard_normal(truth.shape) * 0.3, truth


def test_as_with_scipy(fields):
    found = similarity_of(*fields)
    expected = [
        [by_scipy(f, t) for f, t in zip(*pair, strict=True)] for pair in zip(*fields, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_large_offset_loses_no_digits(fields):
    forecast, truth = fields
    found = similarity_of(*(np.float32(field) + np.float32(1e4) for field in fields))
    expected = [
        [by_scipy(f + 1e4, t + 1e4) for f, t in zip(*pair, strict=True)]
        for pair in zip(forecast, truth, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize(("offset", "factor"), [(0, 1), (1e3, 1), (0, 1e-25), (0, 1e12)])
def test_single_precision_is_precise(fields, offset, factor):
    single = [np.float32(field * factor + offset) for field in fields]
    double = [field.astype(np.float64) for field in single]
    np.testing.assert_allclose(similarity_of(*single), similarity_of(*double), rtol=1e-6)


def test_a_forecast_whose_squares_are_beyond_single_precision(fields):
    forecast, truth = (np.float32(field) for field in fields)
    forecast[0, 0] *= np.float32(1e25)
    found = similarity_of(forecast, truth)
    double = similarity_of(forecast.astype(np.float64), truth.astype(np.float64))
    np.testing.assert_allclose(found, double, rtol=1e-6, atol=1e-7)


def test_perfect_constant_and_not_finite(fields):
    _, truth = fields
    np.testing.assert_allclose(similarity_of(truth, truth), 1, rtol=1e-12)
    assert np.isnan(similarity_of(truth, np.zeros_like(truth))).all()
    assert np.isnan(similarity_of(truth * np.nan, truth)).all()


def test_small_grids_have_none():
    fields = np.random.default_rng(0).standard_normal((2, 1, 10, 40))
    assert np.isnan(similarity_of(fields, fields)).all()


def test_masked_cells_never_matter(fields):
    forecast, truth = fields
    mask = np.ones((2, 24, 31), bool)
    mask[0, :4, :9] = False
    loud = forecast.copy()
    loud[:, ~mask] = np.nan
    found = similarity_of(loud, truth, mask)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, similarity_of(forecast, truth, mask))
    whole = similarity_of(forecast, truth)
    np.testing.assert_allclose(found[:, 1], whole[:, 1], rtol=1e-12)
    assert (found[:, 0] != whole[:, 0]).all()


def test_range_is_over_valid_cells():
    truth = np.array([[[[1.0, 2.0], [7.0, np.nan]]]])
    mask = np.array([[[True, True], [True, False]]])
    assert value_range(truth, mask).item() == 6


def test_peak_signal_to_noise():
    mse, scale = np.array([0.01, 0.0, np.inf, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    found = peak_signal_to_noise(mse, scale)
    np.testing.assert_array_equal(found, [20, np.inf, -np.inf, np.nan])
