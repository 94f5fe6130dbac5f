"""The fields of one initial condition for pictures, kept while fields pass."""

import numpy as np
import pytest

from triton_earth.evaluation.evaluate import evaluate_forecasts


@pytest.fixture
def example_of():
    def example(forecasts, truth):
        (found,) = evaluate_forecasts([forecasts], truth, resamples=2, examples=True).examples
        return found

    return example


def test_all_leads_with_the_initial_state_first(example_of, flow, forecasts_of, truth_of):
    start = np.array([0.5, 1.0, 1.0, 1.0, 3.0, 1.0])
    case = example_of(forecasts_of(0.5 * flow[:, :7], init_times=start), truth_of(flow))
    assert case["truth"].dims == ("variable", "lead_time", "y", "x")
    assert case["lead"].values.tolist() == list(range(7))
    np.testing.assert_allclose(case["lead_time"], 0.5 * np.arange(7))
    np.testing.assert_array_equal(case["truth"][0], flow[0, 1:, 0])
    np.testing.assert_array_equal(case["forecast"][0, 0], flow[0, 1, 0])
    np.testing.assert_array_equal(case["forecast"][0, 1:], 0.5 * flow[0, :6, 0])
    np.testing.assert_array_equal(case["error"], case["forecast"] - case["truth"])
    assert not case["error"][0, 0].any()
    assert case["units"].values.tolist() == ["s-1"]
    np.testing.assert_allclose(case["x"], np.arange(16) * 2 * np.pi / 16)
    assert (case.attrs["init"], case.attrs["trajectory"], case.attrs["init_time"]) == (0, 0, "0.5")


def test_the_initial_condition_with_most_truth_is_taken(example_of, flow, forecasts_of, truth_of):
    start = np.array([3.0, 1.0, 0.5, 0.5, 3.0, 1.0])
    case = example_of(forecasts_of(flow[:, 1:], init_times=start), truth_of(flow))
    assert case.attrs["init"] == 2
    assert case["lead"].values.tolist() == list(range(7))


def test_masked_cells_are_nan(example_of, flow, forecasts_of, truth_of):
    mask = np.ones((1, 16, 16), bool)
    mask[0, :4] = False
    case = example_of(forecasts_of(flow[:, 1:]), truth_of(flow, valid_mask=mask))
    for name in ("truth", "forecast", "error"):
        assert np.isnan(case[name][:, :, :4]).all()
        assert np.isfinite(case[name][:, :, 4:]).all()
