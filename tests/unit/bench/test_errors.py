import numpy as np
import pytest

from tests.unit.evaluation.conftest import MemoryForecasts, MemoryTruth
from triton_earth.bench.errors import (
    NORMALIZED,
    RELATIVE_L2,
    error_kind,
    finished,
    forecast_errors,
    reference_errors,
)
from triton_earth.core.errors import UserError
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast

TWO = Variables((VORTICITY, Variable("heat", "K", "heat")))
LEADS, STD = [1, 4], (2.0, 0.5)


def fields(seed, channels, times):
    return np.random.default_rng(seed).normal(1, 1, (6, times, channels, 16, 16))


@pytest.mark.parametrize("channels", [1, 2])
def test_errors_are_those_of_an_evaluation(channels):
    variables = Variables(tuple(TWO)[:channels])
    truth = MemoryTruth(fields(0, channels, 6), variables=variables)
    forecast = MemoryForecasts(fields(1, channels, 4), variables=variables)
    kind, std = error_kind(channels), STD[:channels]
    assert kind == (RELATIVE_L2 if channels == 1 else NORMALIZED)
    each = forecast_errors(forecast, truth, LEADS, std)
    assert each.shape == (6, 2)
    scores = evaluate_forecast(forecast, truth, resamples=10)
    expected = reference_errors(scores, "triton", LEADS, std)
    np.testing.assert_allclose(finished(kind, each.mean(axis=0)), expected, rtol=1e-6)
    if channels == 2:
        mse = scores["mse"].sel(forecast="triton").values[:, [0, 3]]
        by_hand = np.sqrt((mse[0] / 4 + mse[1] / 0.25) / 2)
        np.testing.assert_allclose(expected, by_hand, rtol=1e-6)


def test_a_forecast_that_is_not_finite_has_an_infinite_error():
    broken = fields(1, 1, 4)
    broken[2, 3] = np.nan
    found = forecast_errors(MemoryForecasts(broken), MemoryTruth(fields(0, 1, 6)), LEADS, (1.0,))
    assert np.argwhere(np.isinf(found)).tolist() == [[2, 1]]


def test_leads_beyond_the_truth_are_refused():
    truth = MemoryTruth(fields(0, 1, 4))
    with pytest.raises(
        UserError, match=r"leads: the truth ends before lead 4 of some forecasts\. Take"
    ):
        forecast_errors(MemoryForecasts(fields(1, 1, 4)), truth, LEADS, (1.0,))
