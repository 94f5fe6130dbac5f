import numpy as np

from triton_earth.evaluation.heat_wave_errors import heat_wave_errors


def test_planted_errors():
    """One cell two days late, a day shorter and 0.5 too warm; one that only the truth has; one without."""
    truth, forecast = np.zeros((2, 12, 1, 3), bool)
    truth[2:8, 0, 0], forecast[4:9, 0, 0] = True, True
    truth[:6, 0, 1] = True
    anomaly = np.full((12, 1, 3), 2.0)
    warmer = anomaly.copy()
    warmer[5], warmer[0] = 2.5, 9.0  # day 0 is no heat-wave day of the forecast
    weight, errors = heat_wave_errors(forecast, truth, warmer, anomaly, np.array([[2.0, 1, 1]]))
    assert weight == 2
    np.testing.assert_allclose(errors / weight, [2, -1, 0.5])


def test_nothing_in_common():
    none = np.zeros((4, 2, 2), bool)
    weight, errors = heat_wave_errors(none, ~none, *np.zeros((2, 4, 2, 2)), np.ones((2, 2)))
    assert weight == 0
    assert errors.tolist() == [0, 0, 0]
