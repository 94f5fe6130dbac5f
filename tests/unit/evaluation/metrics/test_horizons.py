import numpy as np

from triton_earth.evaluation.metrics.horizons import (
    first_lead,
    loses_correlation,
    loses_to,
    median_horizon,
)

LEADS = np.array([2, 4, 6])


def test_first_lead():
    happens = np.array([[False, True, True], [False, False, False], [True, False, False]])
    np.testing.assert_array_equal(first_lead(happens, LEADS), [4.0, np.inf, 2.0])


def test_median_counts_what_was_not_reached_as_later_than_all():
    one = np.ones((1, 4))
    assert median_horizon(np.array([5.0, 9.0, 1.0, 7.0]), one).tolist() == [5.0]
    assert median_horizon(np.array([np.inf, 9.0, np.inf, 7.0]), one).tolist() == [9.0]
    assert median_horizon(np.array([np.inf, 9.0, np.inf, np.inf]), one).tolist() == [np.inf]


def test_weighted_median_is_the_median_of_repeated_values():
    horizons = np.array([3.0, np.inf, 8.0, 5.0])
    weights = np.array([[0.0, 2, 1, 0], [3, 0, 1, 0], [0, 0, 2, 2]])
    assert median_horizon(horizons, weights).tolist() == [np.inf, 3.0, 5.0]
    assert np.isnan(median_horizon(horizons, np.full((1, 4), np.nan))).all()


def test_loss_of_correlation_and_to_a_baseline():
    correlation = np.array([[0.9, 0.8], [0.6, 0.4], [0.5, np.nan]])
    assert loses_correlation(correlation).tolist() == [[False, False], [False, True], [False, True]]
    error = np.array([1.0, 2.0, np.inf, np.nan])
    assert loses_to(error, np.full(4, 2.0)).tolist() == [False, True, True, True]
