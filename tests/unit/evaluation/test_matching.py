import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast, evaluate_forecasts
from triton_earth.evaluation.matching import describe_match, match

WARM = Variable("temperature", "K")
NAMES = ["a", "b"]


@pytest.fixture
def fields():
    return np.random.default_rng(0).standard_normal((5, 6, 2, 4, 4))


def test_common_initial_conditions_leads_and_variables(fields, forecasts_of):
    both = Variables((VORTICITY, WARM))
    one = forecasts_of(fields, variables=both, trajectories=np.array([3, 4, 7, 8, 9]))
    two = forecasts_of(
        fields[[4, 2, 1, 0], :4][:, :, 1:],
        variables=Variables((WARM,)),
        trajectories=np.array([9, 7, 4, 11]),
    )
    first, second = match([one, two], NAMES)
    assert first.trajectories.tolist() == second.trajectories.tolist() == [4, 7, 9]
    assert len(first.lead_times) == 4
    assert first.variables.names == ["temperature"]
    for rows in (slice(0, 3), slice(0, 2), slice(2, 3)):
        np.testing.assert_array_equal(first.read(rows, 2), second.read(rows, 2))
        np.testing.assert_array_equal(
            first.read(rows, 2), fields[[1, 2, 4]][rows, 2, 1:].astype(np.float32)
        )


def test_leads_are_matched_by_lead_time(fields, forecasts_of):
    one = forecasts_of(fields[:, :, :1], leads=[1, 2, 3, 4, 6, 9])
    two = forecasts_of(fields[:, :4, :1], leads=[3, 6, 9, 12])
    first, second = match([one, two], NAMES)
    np.testing.assert_allclose(first.lead_times, [1.5, 3.0, 4.5])
    np.testing.assert_array_equal(first.lead_times, second.lead_times)
    everything = slice(0, 5)
    for position, (mine, theirs) in enumerate([(2, 0), (4, 1), (5, 2)]):
        np.testing.assert_array_equal(
            first.read(everything, position), one.fields[everything, mine]
        )
        np.testing.assert_array_equal(
            second.read(everything, position), two.fields[everything, theirs]
        )
    assert describe_match([one, two], NAMES, first) == (
        "Compared at steps 3 to 9 by 3 of 5 initial conditions, which all have: a has 6 leads and 5 initial "
        "conditions, b has 4 leads and 5 initial conditions."
    )


def test_the_same_forecast_stored_at_other_leads_does_not_differ(flow, forecasts_of, truth_of):
    stored = flow[:, 1:] + 0.01 * np.random.default_rng(0).standard_normal(flow[:, 1:].shape)
    some = [1, 2, 3, 4], [2, 4, 6]
    both = [forecasts_of(stored[:, np.array(leads) - 1], leads=leads) for leads in some]
    first, second = match(both, NAMES)
    scores = evaluate_forecasts([first, second], truth_of(flow), names=NAMES, resamples=20).scores
    assert scores["lead"].values.tolist() == [2, 4]
    np.testing.assert_array_equal(scores["mse_minus_a"].sel(forecast="b"), 0)


def test_no_lead_time_in_common(fields, forecasts_of):
    one = forecasts_of(fields[:, :, :1], leads=[1, 3, 5, 7, 9, 11])
    two = forecasts_of(fields[:, :2, :1], leads=[2, 4])
    with pytest.raises(UserError) as refusal:
        match([one, two], NAMES)
    assert str(refusal.value) == (
        "the forecasts a, b have no lead time in common: a has 1 to 11 by 2; b has 2, 4 (in steps of 0.5). "
        "Forecast all of them with the same --leads."
    )


def test_calendar_times_are_matched(fields, forecasts_of):
    times = np.datetime64("2000-01-01", "ns") + np.arange(5) * np.timedelta64(1, "D")
    shared = {"time_step": np.timedelta64(6, "h"), "trajectories": np.zeros(5, int)}
    one = forecasts_of(fields[:, :, :1], init_times=times, **shared)
    two = forecasts_of(fields[:, :, :1], init_times=times + np.timedelta64(2, "D"), **shared)
    first, second = match([one, two], NAMES)
    assert (first.init_times == second.init_times).all()
    assert (first.init_times == times[2:]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"grid": PeriodicGrid(4, 4, 1.0, 1.0)},
            "a is on the grid 'periodic box 4 x 4, sides 6.283",
        ),
        ({"time_step": 0.25}, "a has steps of 0.5 but b of 0.25. Compare"),
        (
            {"trajectories": np.arange(5) + 9},
            "a, b have no initial condition in common. Forecast all",
        ),
        ({"variables": Variables((WARM,))}, "a, b have no variable in common"),
        (
            {"variables": Variables((Variable("vorticity", "h-1"),))},
            "'vorticity' is in 's-1' in a but in 'h-1' in b",
        ),
    ],
)
def test_what_cannot_be_compared(fields, forecasts_of, change, message):
    one = fields[:, :, :1]
    with pytest.raises(UserError, match=message):
        match([forecasts_of(one), forecasts_of(one, **change)], NAMES)


def test_scores_of_two_are_those_of_each_and_their_difference(flow, forecasts_of, truth_of):
    truth = truth_of(flow)
    noise = np.random.default_rng(1).standard_normal(flow[:, 1:].shape)
    good, bad = (forecasts_of(flow[:, 1:] + size * noise) for size in (0.001, 0.002))
    first, second = match([good, bad], NAMES)
    scores = evaluate_forecasts([first, second], truth, names=NAMES, resamples=200).scores
    assert scores["forecast"].values.tolist() == ["a", "b", "persistence"]
    assert scores["source"].values.tolist() == ["a", "b", "persistence", "truth"]
    for name, forecast in (("a", good), ("b", bad)):
        alone = evaluate_forecast(forecast, truth, resamples=200).sel(forecast="triton")
        one = scores.sel(forecast=name)
        for score in ("mse", "mse_interval", "correlation", "ssim", "psnr", "spectral_error"):
            np.testing.assert_array_equal(one[score], alone[score])
    difference = scores["mse"].sel(forecast="b") - scores["mse"].sel(forecast="a")
    np.testing.assert_allclose(scores["mse_minus_a"].sel(forecast="b"), difference, rtol=1e-12)
    assert (scores["mse_minus_a_interval"].sel(forecast="b", bound="lower") > 0).all()
    assert (scores["mse_minus_a"].sel(forecast="a") == 0).all()
    assert "a_horizon" not in scores


def test_equal_names_are_told_apart(flow, forecasts_of, truth_of):
    pair = match([forecasts_of(flow[:, 1:])] * 2, NAMES)
    scores = evaluate_forecasts(pair, truth_of(flow), resamples=20).scores
    assert scores["forecast"].values.tolist() == ["triton", "triton (2)", "persistence"]
    assert "mse_minus_triton_2" in scores
