import numpy as np
import pytest

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.metrics.error_sums import ErrorSums, error_sums


def test_sums_of_two_cells_by_hand():
    forecast = np.array([[[[1.0, 4.0]]]], np.float32)
    truth = np.array([[[[2.0, 3.0]]]], np.float32)
    sums = error_sums(forecast, truth, np.array([[0.5, 1.5]]))
    found = {name: value.item() for name, value in vars(sums).items()}
    expected = {
        "weight": 2.0,
        "forecast": 0.5 * 1 + 1.5 * 4,
        "truth": 0.5 * 2 + 1.5 * 3,
        "forecast_squared": 0.5 * 1 + 1.5 * 16,
        "truth_squared": 0.5 * 4 + 1.5 * 9,
        "product": 0.5 * 2 + 1.5 * 12,
        "error_squared": 0.5 * 1 + 1.5 * 1,
        "error_absolute": 0.5 * 1 + 1.5 * 1,
    }
    assert found == pytest.approx(expected, rel=1e-14)


def test_small_error_on_a_large_mean_is_not_lost():
    # 1 Pa on 101325 Pa: Σf² − 2Σft + Σt² in single precision would be noise.
    truth = np.full((1, 1, 8, 8), 101325.0, np.float32)
    sums = error_sums(truth + np.float32(1), truth, np.ones((8, 8)))
    assert sums.error_squared.item() == 64.0


def test_mean_of_one_is_one_with_latitude_weights():
    grid = LatLonGrid(tuple(np.linspace(-87.5, 87.5, 36)), tuple(np.arange(0, 360, 5.0)))
    ones = np.ones((1, 1, *grid.shape), np.float32)
    sums = error_sums(ones, ones, grid.cell_area_weights)
    assert sums.forecast.item() == pytest.approx(sums.weight.item(), rel=1e-14)
    assert sums.weight.item() == pytest.approx(36 * 72, rel=1e-12)


def test_nan_under_the_mask_does_not_matter_but_elsewhere_does():
    generator = np.random.default_rng(0)
    forecast, truth = generator.standard_normal((2, 3, 2, 4, 4)).astype(np.float32)
    mask = np.ones((2, 4, 4), bool)
    mask[1, 2, 3] = False
    clean = error_sums(forecast, truth, np.ones((4, 4)), mask)
    forecast[:, 1, 2, 3] = truth[:, 1, 2, 3] = np.nan
    masked = error_sums(forecast, truth, np.ones((4, 4)), mask)
    np.testing.assert_array_equal(masked.to_array(), clean.to_array())
    assert masked.weight[0].tolist() == [16.0, 15.0]
    forecast[1, 0, 0, 0] = np.nan
    spoilt = error_sums(forecast, truth, np.ones((4, 4)), mask)
    assert np.isnan(spoilt.error_squared).tolist() == [
        [False, False],
        [True, False],
        [False, False],
    ]


def test_array_and_back():
    values = np.random.default_rng(1).standard_normal((8, 2, 3))
    np.testing.assert_array_equal(ErrorSums(*values).to_array(), values)
    np.testing.assert_array_equal(ErrorSums(*values).select(2).to_array(), values[..., 2])
