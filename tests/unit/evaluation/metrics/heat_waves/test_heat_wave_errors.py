import numpy as np

from triton_earth.evaluation.metrics.heat_waves.scores import HeatWaveFeatures, heat_wave_errors


def features(inside, anomaly):
    """Those of days that pass one after the other, [source, day, y, x]."""
    found = HeatWaveFeatures.empty(len(inside), *inside.shape[2:])
    for day in range(inside.shape[1]):
        found.put(day, inside[:, day], anomaly[:, day])
    return found


def test_planted_errors():
    """One cell two days late, a day shorter and 0.5 too warm; one that only the truth has; one without."""
    truth, forecast = np.zeros((2, 12, 1, 3), bool)
    truth[2:8, 0, 0], forecast[4:9, 0, 0] = True, True
    truth[:6, 0, 1] = True
    anomaly = np.full((12, 1, 3), 2.0)
    warmer = anomaly.copy()
    warmer[5], warmer[0] = 2.5, 9.0  # day 0 is no heat-wave day of the forecast
    sources = features(np.stack([forecast, truth, truth]), np.stack([warmer, anomaly, anomaly]))
    count, weight, errors = heat_wave_errors(sources, np.array([[2.0, 1, 1]]))
    assert weight.tolist() == [2, 3]
    assert count.tolist() == [1, 2]
    np.testing.assert_allclose(errors[0] / weight[0], [2, -1, 0.5])
    assert errors[1].tolist() == [0, 0, 0]


def test_nothing_in_common():
    none = np.zeros((4, 2, 2), bool)
    found = features(np.stack([none, ~none]), np.zeros((2, 4, 2, 2)))
    count, weight, errors = heat_wave_errors(found, np.ones((2, 2)))
    assert weight.tolist() == [0]
    assert count.tolist() == [0]
    assert errors.tolist() == [[0, 0, 0]]
