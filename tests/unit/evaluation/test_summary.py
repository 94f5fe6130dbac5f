import numpy as np
import pytest

from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.summary import summary
from triton_earth.evaluation.verdict import verdict


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
        "relative",
        "L2",
        "correlation",
    ]
    rows = [line.split() for line in lines[:8]]
    assert [(row[2], row[1]) for row in rows] == [
        (name, lead) for lead in "1247" for name in ("triton", "persistence")
    ]
    assert {(row[0], row[3]) for row in rows} == {("vorticity", "6")}
    assert lines[8].startswith("[95 % intervals: ")


def test_numbers_are_those_of_the_report(scores):
    (line,) = [line for line in summary(scores)[1:9] if line.split()[1:3] == ["4", "triton"]]
    expected = scores.sel(forecast="triton", variable="vorticity").isel(lead_time=3)
    assert cells(line)[-2].split()[0] == "0.500"
    lower, upper = expected["rmse_interval"].values
    assert f"{float(expected['rmse']):.3g}"[:4] in cells(line)[-3]
    assert cells(line)[-3].endswith("]") == bool(np.isfinite([lower, upper]).all())


def test_what_is_not_finite_is_said(scores):
    scores["rmse"].loc[{"forecast": "triton"}] = np.inf
    scores["rmse_interval"].loc[{"forecast": "triton"}] = np.nan
    assert all("not finite" in line for line in summary(scores)[1:9] if "triton" in line)


def test_the_verdict_follows(scores):
    said = [line for line in summary(scores) if line.startswith("- ")]
    assert said == [f"- {finding.text}" for finding in verdict(scores)["triton"]]
