import numpy as np

from triton_earth.evaluation.bootstrap import resampling_weights
from triton_earth.evaluation.resampling import Resampling

AVAILABLE = np.array([[True, True], [True, False], [True, False]])


def test_first_sample_is_the_estimate_over_what_is_available():
    resampling = Resampling(np.array([[0.0, 3, 0], [3, 0, 0]]), AVAILABLE)
    values = np.array([[1.0, 5.0], [2.0, 9.0], [6.0, 9.0]])
    np.testing.assert_array_equal(resampling.means(values), [[3, 5], [2, np.nan], [1, 5]])
    np.testing.assert_array_equal(resampling.means(values, np.sqrt)[0], np.sqrt([3, 5]))
    np.testing.assert_array_equal(resampling.means(values[..., None])[..., 0][0], [3, 5])
    assert resampling.scored.tolist() == [[True, True], [True, False], [True, True]]


def test_interval_is_missing_where_the_estimate_is():
    resampling = Resampling(resampling_weights(np.arange(3), 400, 0), np.ones((3, 2), bool))
    values = np.array([[1.0, np.nan], [2.0, 3.0], [3.0, 4.0]])
    interval = resampling.interval(resampling.means(values))
    np.testing.assert_array_equal(interval, [[1.0, 3.0], [np.nan, np.nan]])


def test_interval_of_a_blow_up_reaches_infinity():
    resampling = Resampling(resampling_weights(np.arange(4), 400, 0), np.ones((4, 1), bool))
    values = np.array([[np.inf], [2.0], [2.0], [2.0]])
    np.testing.assert_array_equal(resampling.interval(resampling.means(values)), [[2.0, np.inf]])
