import numpy as np
import pytest

from triton_earth.evaluation.evaluate import evaluate_forecast, evaluate_forecasts
from triton_earth.evaluation.verdict.summary import summary
from triton_earth.evaluation.verdict.verdict import verdict


@pytest.fixture
def scores(flow, forecasts_of, truth_of):
    return evaluate_forecast(forecasts_of(0.5 * flow[:, 1:]), truth_of(flow), resamples=30)


def cells(line):
    return [cell for cell in line.split("  ") if cell.strip()]


def test_a_row_for_each_lead_worth_showing_and_forecast(scores):
    heading, *lines = summary(scores)
    assert heading.split() == [
        "variable",
        "lead",
        "forecast",
        "cases",
        "RMSE",
        "Correlation",
    ]
    rows = [line.split() for line in lines[:8]]
    assert [(row[3], row[2]) for row in rows] == [
        (name, lead) for lead in "1247" for name in ("triton", "persistence")
    ]
    assert {(row[0], row[1], row[4]) for row in rows} == {("vorticity", "step", "6")}
    assert lines[8] == "[6 starts of 6 trajectories at 0.]"
    assert lines[9].startswith("[95 % intervals: ")


def test_numbers_are_those_of_the_report(scores):
    (line,) = [line for line in summary(scores)[1:9] if line.split()[2:4] == ["4", "triton"]]
    expected = scores.sel(forecast="triton", variable="vorticity").isel(lead_time=3)
    lower, upper = expected["rmse_interval"].values
    assert f"{float(expected['rmse']):.3g}"[:4] in cells(line)[-2]
    assert cells(line)[-2].endswith("]") == bool(np.isfinite([lower, upper]).all())


def test_what_is_not_finite_is_said(scores):
    scores["rmse"].loc[{"forecast": "triton"}] = np.inf
    scores["rmse_interval"].loc[{"forecast": "triton"}] = np.nan
    assert all("not finite" in line for line in summary(scores)[1:9] if "triton" in line)


def test_the_verdict_follows(scores):
    said = [line for line in summary(scores) if line.startswith("- ")]
    assert said == [f"- {finding.text}" for finding in verdict(scores)["triton"]]


def test_verdicts_of_several_models_stand_under_their_names(flow, forecasts_of, truth_of):
    models = [forecasts_of(factor * flow[:, 1:]) for factor in (0.5, 0.9)]
    scores = evaluate_forecasts(models, truth_of(flow), names=["one", "other"], resamples=30).scores
    lines = summary(scores)
    first, second = lines.index("one:"), lines.index("other:")
    assert lines[first + 1 : second] == [f"- {found.text}" for found in verdict(scores)["one"]]
    assert lines[second + 1 :] == [f"- {found.text}" for found in verdict(scores)["other"]]
