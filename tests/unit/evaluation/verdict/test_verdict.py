import numpy as np
import pytest
from tests.plausible import build_scores

from triton_earth.core.wording import LONG_NAMES, number
from triton_earth.evaluation.verdict.comparison import cases, models
from triton_earth.evaluation.verdict.verdict import verdict


@pytest.fixture
def scores():
    return build_scores()


@pytest.fixture
def make_scores():
    return build_scores


def said(scores, forecast="triton"):
    return {finding.kind + ": " + finding.text for finding in verdict(scores)[forecast]}


def one(scores, words, forecast="triton"):
    (found,) = [finding for finding in verdict(scores)[forecast] if words in finding.text]
    return found


def test_stable_to_the_end(scores):
    expected = (
        "good: Stable up to step 99 · 5.445 time units: in 16 of 16 cases. Persistence in 16."
    )
    assert expected in said(scores)


def test_unstable_names_horizon_interval_and_criterion(scores):
    scores["stable_fraction"].loc["triton"] = 0.1875
    scores["stability_horizon"].loc["triton"] = 40
    scores["stability_horizon_interval"].loc["triton"] = [30, np.inf]
    scores["stability_criterion"] = scores["stability_criterion"].astype(object)
    scores["stability_criterion"].loc["triton"] = "small scale enstrophy"
    finding = one(scores, "Stable")
    assert finding.kind == "bad"
    assert finding.text == (
        "Stable up to step 99 · 5.445 time units: in 3 of 16 cases. Persistence in 16. The median forecast leaves the "
        "band around the truth at step 40 · 2.2 time units [30 to beyond the end]. First outside the band: small scale "
        "enstrophy."
    )


def test_variables_are_named_by_their_long_names(make_scores):
    scores = make_scores(variables=("u_850", "v_850"))
    long_names = ["eastward wind", "northward wind"]
    scores = scores.assign_coords({LONG_NAMES: ("variable", long_names)})
    scores["stable_fraction"].loc["triton"] = 0.5
    scores["stability_criterion"] = scores["stability_criterion"].astype(object)
    scores["stability_criterion"].loc["triton"] = "variance of v_850"
    text = " ".join(said(scores))
    assert "First outside the band: variance of northward wind (850)." in text
    assert "eastward wind (850): RMSE is" in text
    assert "u_850" not in text


def test_one_case_outside_may_be_chance(scores):
    """Of 100 runs of another truth 5 leave the bands."""
    scores["stable_fraction"].loc["triton"] = 15 / 16
    finding = one(scores, "Stable")
    assert (finding.kind, finding.answer) == ("note", "in 15 of 16 cases")
    assert finding.details.startswith(
        "Another truth stays inside in 95 % of the cases, so this may be chance."
    )


def test_stability_of_a_mean_over_members_is_not_spoken_of(scores):
    scores["ensemble_spread"] = scores["rmse"].sel(forecast=["triton"])
    assert not [text for text in said(scores) if "Stable" in text]


def test_correlation_is_that_of_anomalies_where_a_mean_gradient_flatters(make_scores):
    scores = make_scores(
        leads=4,
        variables=("t", "v"),
        turbulence=False,
        forecasts=("triton", "persistence", "climatology"),
    )
    scores["acc"] = 0.5 * scores["correlation"]
    scores["correlation"].loc[{"forecast": "climatology", "variable": "t"}] = 0.77
    scores["correlation"].loc[{"forecast": "climatology", "variable": "v"}] = 0.1
    texts = said(scores)
    assert not [text for text in texts if "Pattern correlation above 0.5" in text]
    ends = {
        name: float(scores["correlation"].sel(forecast="triton", variable=name)[-1])
        for name in "tv"
    }
    assert any(
        "Anomaly correlation with the truth at" in text and f": t {number(ends['t'] / 2)}." in text
        for text in texts
    )
    assert any(
        "note: Correlation with the truth at" in text and f": v {number(ends['v'])} [" in text
        for text in texts
    )
    scores["correlation"].loc[{"forecast": "climatology", "variable": "t"}] = 0.2
    assert [text for text in said(scores) if "Pattern correlation above 0.5" in text]


def test_better_than_persistence_everywhere(scores):
    finding = one(scores, "Beats persistence")
    assert finding.kind == "good"
    assert finding.text.startswith(
        "Beats persistence at every lead: yes. RMSE is 0.0470 against 0.669 s⁻¹ at step 1, "
    )
    assert finding.text.endswith("is below zero at 99 of 99 leads.")


def test_worse_than_persistence_somewhere(scores):
    scores["rmse"].loc[{"forecast": "triton"}][:, 79] = 100.0
    scores["mse_minus_persistence_interval"].loc[{"forecast": "triton"}][:, 79] = [1.0, 2.0]
    finding = one(scores, "Beats persistence")
    assert finding.kind == "bad"
    assert (
        "no. Loses at 1 of 99 leads, first at step 80 · 4.4 time units (RMSE 100 against"
        in finding.text
    )


def test_what_may_be_chance_speaks_neither_way(scores):
    """A smaller error of which no lead has an interval below zero is no tick, a larger one no cross."""
    bounds = scores["mse_minus_persistence_interval"]
    bounds.loc[{"forecast": "triton", "bound": "upper"}] = 1.0
    bounds.loc[{"forecast": "triton"}][:, 12:] = np.nan
    finding = one(scores, "Beats persistence")
    assert (finding.kind, finding.answer) == ("note", "yes, but it may be chance")
    assert finding.text.endswith("is below zero at 0 of the 12 of 99 leads that have one.")
    scores["rmse"].loc[{"forecast": "triton"}][:, 5] = 100.0
    finding = one(scores, "Beats persistence")
    assert (finding.kind, finding.answer) == ("note", "no; it may be chance")
    bounds.loc[{"forecast": "triton"}][:] = np.nan
    assert one(scores, "Beats persistence").kind == "bad"
    scores["rmse"].loc[{"forecast": "triton"}][:, 5] = 0.0
    finding = one(scores, "Beats persistence")
    assert (finding.kind, finding.answer) == ("note", "yes")
    assert finding.text.endswith("there are too few independent cases for an interval.")


def test_a_forecast_that_loses_to_the_end_says_from_where(make_scores):
    scores = make_scores(leads=30, calendar=True, turbulence=False)
    scores["lead_time"] = scores["lead_time"] * 4
    scores["rmse"].loc[{"forecast": "triton"}][:, 21:] = 100.0
    bounds = scores["mse_minus_persistence_interval"]
    bounds.loc[{"forecast": "triton"}][:, 21:] = [1.0, 2.0]
    finding = one(scores, "Beats persistence")
    assert (finding.kind, finding.answer) == ("bad", "until day 21")
    assert "Loses from day 22 on (RMSE 100 against" in finding.text
    assert finding.text.endswith("is below zero at 21 of 30 leads, above zero at 9.")
    bounds.loc[{"forecast": "triton"}][:, 21:] = [-1.0, 1.0]
    assert one(scores, "Beats persistence").answer == "until day 21; later it may be chance"


def test_equal_is_not_better(scores):
    scores["rmse"].loc[{"forecast": "triton"}] = scores["rmse"].sel(forecast="persistence")
    assert "Loses at all 99 leads (RMSE" in one(scores, "Beats persistence").text


def test_a_blow_up_is_said_first(scores):
    scores["rmse"].loc[{"forecast": "triton"}][:, 60:] = np.inf
    scores["correlation"].loc[{"forecast": "triton"}][:, 60:] = np.nan
    findings = verdict(scores)["triton"]
    assert findings[0].kind == "bad"
    assert (
        findings[0].text
        == "All values are finite: no. In at least one case the forecast is not finite, first at step 61 · 3.355 time "
        "units."
    )
    assert one(scores, "Beats persistence").kind == "bad"
    assert "vorticity undefined" in one(scores, "Correlation").text


@pytest.mark.parametrize(
    ("factor", "kind"), [(1.9, "good"), (0.51, "good"), (2.1, "bad"), (0.4, "bad"), (np.nan, "bad")]
)
def test_small_scales_within_a_factor_two(scores, factor, kind):
    array = scores["small_scale_enstrophy"]
    array.loc[{"source": "triton"}] = factor * array.sel(source="truth")
    assert one(scores, "Small-scale").kind == kind


def test_skill_horizon_or_none(scores):
    words = "Pattern correlation above 0.5"
    assert one(scores, words).text == f"{words}: lost at step 49 · 2.695 time units [49 to 49]."
    scores["skill_horizon"][:] = np.nan
    assert one(scores, words).text == f"{words}: to the end."


def test_several_variables_are_named_and_many_are_counted(make_scores):
    few = make_scores(leads=4, variables=("t", "u"), turbulence=False)
    few["rmse"].loc[{"forecast": "triton", "variable": "u"}][:] = 99.0
    text = one(few, "Beats persistence").text
    assert "u: loses at all 4 leads (RMSE 99.0 against" in text
    assert "t: " not in text
    many = make_scores(leads=4, variables=tuple("abcdefg"), turbulence=False)
    assert "smaller at every lead for 7 of 7 variables" in one(many, "Beats persistence").text


def test_scores_that_are_not_there_are_not_spoken_of(scores):
    assert verdict(scores[["bias"]])["triton"] == []


def test_models_are_all_but_the_baselines(make_scores):
    assert models(make_scores(leads=2, forecasts=("triton", "fno", "persistence"))) == [
        "triton",
        "fno",
    ]
    assert models(make_scores(leads=2, forecasts=("persistence",))) == ["persistence"]


def test_cases(scores):
    assert cases(scores) == 16
    assert cases(scores.drop_vars("initial_conditions")) is None
