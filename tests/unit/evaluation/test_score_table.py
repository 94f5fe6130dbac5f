import numpy as np
import pytest

from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.score_table import Estimate, score_rows


@pytest.fixture
def scores(flow, forecasts_of, truth_of):
    return evaluate_forecast(forecasts_of(0.5 * flow[:, 1:]), truth_of(flow), resamples=30)


def test_rows(scores):
    rows = score_rows(scores, (1, 4, 50))
    assert [(row.forecast, row.lead) for row in rows] == [
        ("triton", 1),
        ("persistence", 1),
        ("triton", 4),
        ("persistence", 4),
        ("triton", 7),
        ("persistence", 7),
    ]
    row = rows[2]
    assert (row.variable, row.initial_conditions) == ("vorticity", 6)
    assert row.relative_l2.value == pytest.approx(0.5, rel=1e-6)
    expected = scores.sel(forecast="triton", variable="vorticity").isel(lead_time=3)
    assert row.rmse.value == expected["rmse"]
    assert [row.rmse.lower, row.rmse.upper] == expected["rmse_interval"].values.tolist()


def test_last_lead_is_always_there(scores):
    assert {row.lead for row in score_rows(scores)} == {1, 7}


def test_estimate_in_words():
    assert str(Estimate(0.12345, 0.1, 0.2)) == "0.123 [0.1, 0.2]"
    assert str(Estimate(0.12345, np.nan, np.nan)) == "0.123"
    assert str(Estimate(np.inf, 1.0, np.inf)) == "inf [1, inf]"
