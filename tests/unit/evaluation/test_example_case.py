import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.evaluation.example import example_case


@pytest.fixture
def pair(flow, forecasts_of, truth_of):
    start = np.array([0.0, 1.0, 0.0, 0.0, 3.5, 0.0])
    return forecasts_of(0.5 * flow[:, :7], init_times=start), truth_of(flow)


def test_all_leads_with_the_initial_state_first(pair, flow):
    case = example_case(*pair, init=1)
    assert case["truth"].dims == ("variable", "lead_time", "y", "x")
    assert case["lead"].values.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(case["lead_time"], 0.5 * np.arange(6))
    np.testing.assert_array_equal(case["truth"][0], flow[1, 2:, 0])
    np.testing.assert_array_equal(case["forecast"][0, 0], flow[1, 2, 0])
    np.testing.assert_array_equal(case["forecast"][0, 1:], 0.5 * flow[1, :5, 0])
    np.testing.assert_array_equal(case["error"], case["forecast"] - case["truth"])
    assert not case["error"][0, 0].any()
    assert case["units"].values.tolist() == ["s-1"]
    np.testing.assert_allclose(case["x"], np.arange(16) * 2 * np.pi / 16)
    assert (case.attrs["init"], case.attrs["trajectory"], case.attrs["init_time"]) == (1, 1, "1.0")


def test_initial_condition_with_most_truth_is_the_default(flow, forecasts_of, truth_of):
    start = np.array([3.5, 1.0, 0.5, 0.5, 3.5, 1.0])
    case = example_case(forecasts_of(flow[:, 1:], init_times=start), truth_of(flow))
    assert case.attrs["init"] == 2
    assert case["lead"].values.tolist() == list(range(7))


def test_chosen_leads(pair, flow):
    case = example_case(*pair, leads=(2, 5, 99))
    assert case["lead"].values.tolist() == [0, 2, 5]
    np.testing.assert_array_equal(case["truth"][0], flow[0, [0, 2, 5], 0])


def test_masked_cells_are_nan(flow, forecasts_of, truth_of):
    mask = np.ones((1, 16, 16), bool)
    mask[0, :4] = False
    case = example_case(forecasts_of(flow[:, 1:]), truth_of(flow, valid_mask=mask))
    for name in ("truth", "forecast", "error"):
        assert np.isnan(case[name][:, :, :4]).all()
        assert np.isfinite(case[name][:, :, 4:]).all()


def test_refusals(pair):
    with pytest.raises(UserError, match=r"has initial conditions 0 to 5; found 6. Choose one"):
        example_case(*pair, init=6)
    with pytest.raises(
        UserError, match=r"initial condition 1: of the leads \[6, 9\] none has both"
    ):
        example_case(*pair, init=1, leads=[6, 9])
    with pytest.raises(
        UserError, match=r"condition 4: of the leads all none .* those that do are \[\]"
    ):
        example_case(*pair, init=4)
