"""The scores to quote: which variables and scores, their period, and the table as Markdown."""

import numpy as np
import pytest
from tests.plausible import build_scores

from triton_earth.evaluation.verdict.headline import headline, headline_scores, headline_variables
from triton_earth.evaluation.verdict.predictability import is_relative
from triton_earth.evaluation.verdict.scored_period import (
    CLIMATOLOGY_RECORD,
    scored_period,
    season,
)


def dates(*texts):
    return np.array(texts, "datetime64[ns]")


def with_dates(scores, times):
    scores = scores.assign_coords(init_time=("init", times))
    return scores.assign_attrs({CLIMATOLOGY_RECORD: "1096 states from 2002 to 2004 (3 years)"})


def test_the_table_has_a_row_for_each_forecast_and_a_column_for_each_score_and_lead():
    scores = build_scores(leads=40, calendar=True, variables=("t", "u"), turbulence=False)
    scores["rmse"].attrs["units"] = "K; m s-1"
    found = headline(scores)
    assert found.columns[:2] == ("RMSE, day 0.25", "RMSE, day 2.5")
    assert found.columns[-1] == "Correlation, day 10"
    assert [(row.title, row.forecast) for row in found.rows] == [
        ("T (K)", "triton"),
        ("T (K)", "persistence"),
        ("U (m s⁻¹)", "triton"),
        ("U (m s⁻¹)", "persistence"),
    ]
    one = scores.sel(forecast="triton", variable="u")
    last = found.rows[2].estimates[3]
    assert last.value == float(one["rmse"][-1])
    assert [last.lower, last.upper] == one["rmse_interval"][-1].values.tolist()


def test_markdown_has_every_number_and_what_they_are_of():
    scores = build_scores(
        leads=4, calendar=True, turbulence=False, forecasts=("a|b", "persistence")
    )
    scores["rmse_interval"][:] = np.nan
    scores = with_dates(scores, dates("2005-01-03", "2005-02-03", "2004-12-04"))
    head, rule, first, _, _, caption = headline(scores).markdown().splitlines()
    assert head.startswith("| Variable | Forecast | RMSE, hour 6 |")
    assert set(rule) <= set("| -")
    assert first.startswith(r"| Vorticity (s⁻¹) | a\|b | ")
    assert head.count("|") == first.replace(r"\|", "").count("|") == rule.count("|")
    assert caption == (
        "16 starts from 2004-12-04 to 2005-02-03, in December to February. Climatology: 1096 states from 2002 to 2004 "
        "(3 years). 4 6-hourly leads to 24 hours. In brackets: 95 % percentile bootstrap over initial conditions."
    )


def test_numbers_that_are_not_finite_are_null_in_json():
    scores = build_scores(leads=2, turbulence=False)
    scores["rmse"].loc[{"forecast": "triton"}] = np.inf
    row = headline(scores).to_dict()["rows"][0]
    assert row["value"][:2] == [None, None]
    assert row["lower"][0] > 0


def test_of_many_variables_those_of_weather_benchmarks_come_first():
    names = ("q_1", "2m_temperature", "q_2", "q_3", "geopotential_500", "q_4")
    scores = build_scores(leads=2, variables=names, turbulence=False)
    assert headline_variables(scores) == ["geopotential_500", "2m_temperature", "q_1", "q_2"]
    assert "2 more variables are in the score files." in headline(scores).caption


def test_anomalies_are_quoted_where_there_is_a_climatology():
    scores = build_scores(leads=2, turbulence=False)
    assert list(headline_scores(scores)) == ["rmse", "correlation"]
    scores["acc"] = scores["correlation"]
    assert headline_scores(scores) == {"rmse": "RMSE", "acc": "ACC"}


@pytest.mark.parametrize(
    ("months", "words"),
    [
        (range(1, 13), "all months of the year"),
        ((12, 1, 2), "December to February"),
        ((6,), "June"),
        ((1, 7), "January, July"),
    ],
)
def test_seasons_in_words(months, words):
    assert season(dates(*(f"2003-{month:02d}-15" for month in months))) == words


def test_starts_of_model_time_and_single_ones():
    scores = build_scores(leads=2, cases=3)
    assert scored_period(scores) == ["3 starts."]
    scores = scores.assign_coords(
        init_time=("init", [0.5, 0.5, 0.5]), trajectory=("init", [0, 1, 2])
    )
    assert scored_period(scores) == ["3 starts of 3 trajectories at 0.5."]
    one = with_dates(build_scores(leads=2, cases=1), dates("2005-01-03"))
    assert scored_period(one)[0] == "1 start of 2005-01-03."


def test_errors_relative_to_the_size_of_the_truth_tell_nothing_of_kelvin():
    scores = build_scores(leads=3, variables=("t", "v"), turbulence=False)
    assert is_relative(scores, "t")
    scores["vrmse"] = scores["relative_l2"] * 1.0
    scores["vrmse"].loc[{"variable": "t"}] = 20 * scores["relative_l2"].sel(variable="t")
    assert not is_relative(scores, "t")
    assert is_relative(scores, "v")
