"""The verdict on long runs has two parts: skill as far as the truth is predictable, and climate beyond."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.wording import number
from triton_earth.evaluation.climate.stability import FAILURES
from triton_earth.evaluation.verdict.predictability import predictable
from triton_earth.evaluation.verdict.verdict import verdict

STEPS = 100


def scores_of(failed, *, skilful=5):
    """Scores of a model that beats climatology for some steps, and of runs that fail or not."""
    leads = np.arange(1, STEPS + 1)
    model = np.where(leads <= skilful, 0.5, 1.4)
    rmse = np.stack([model, np.full(STEPS, 1.5), np.ones(STEPS)])[:, None, :]
    runs = len(failed)
    failures = np.zeros((1, runs, len(FAILURES)), bool)
    for run, name in enumerate(failed):
        if name:
            failures[0, run, list(FAILURES).index(name)] = True
    horizon = np.where(failures.any(axis=-1), 60.0, np.inf)
    return xr.Dataset(
        {
            "rmse": (("forecast", "variable", "lead_time"), rmse, {"units": "K"}),
            "stable_fraction": ("forecast", [0.0, 0.0, 0.0]),
            "climate_failure": (("model", "init", "failure"), failures),
            "climate_horizon": (("model", "init"), horizon),
            "climate_skill": ("model", [0.93]),
            "climate_skill_interval": (("model", "bound"), [[0.9, 0.95]]),
            "climate_skill_worst": ("model", [0.88]),
        },
        coords={
            "forecast": ["triton", "persistence", "climatology"],
            "variable": ["temperature"],
            "lead_time": leads * np.timedelta64(1, "D").astype("timedelta64[ns]"),
            "lead": ("lead_time", leads),
            "model": ["triton"],
            "failure": list(FAILURES),
            "bound": ["lower", "upper"],
        },
    )


def sentences(scores, subject):
    return [one for one in verdict(scores)["triton"] if one.subject == subject]


def test_runs_that_stay_are_praised_with_their_skill():
    (finding,) = sentences(scores_of([None, None]), "climate")
    assert finding.kind == "good"
    assert finding.text.startswith(
        "Stays in the training climate: in all 2 runs. Climate skill 0.93"
    )
    assert "of the worst run 0.88" in finding.text


def test_runs_that_leave_are_counted_by_how_they_leave():
    (finding,) = sentences(scores_of(["drift", "drift", "frozen", None]), "climate")
    assert finding.kind == "bad"
    assert (
        "in 1 of 4 runs. The others leave it (drift in 2, frozen in 1), the first by day 60."
        in finding.text
    )


@pytest.mark.parametrize(
    ("failed", "kind"), [(["drift"], "note"), (["drift"] * 4, "bad"), (["blow_up"], "bad")]
)
def test_one_run_outside_may_be_chance_but_a_blow_up_is_none(failed, kind):
    (finding,) = sentences(scores_of(failed + [None] * (20 - len(failed))), "climate")
    assert finding.kind == kind
    assert ("this may be chance" in finding.text) == (kind == "note")


def test_single_leads_do_not_judge_the_stability_of_a_long_run():
    scores = scores_of([None])
    assert not sentences(scores, "stability")
    assert sentences(scores.drop_vars("climate_failure"), "stability")


@pytest.mark.parametrize("skilful", [3, 20])
def test_errors_are_compared_as_far_as_anything_is_better_than_climatology(skilful):
    scores = scores_of([None], skilful=skilful)
    assert predictable(scores) == skilful
    first, *others = sentences(scores, "rmse")
    assert first.text.startswith(f"Errors can be compared: up to day {skilful}. Later no forecast")
    assert len(others) == 2
    for finding in others:
        assert f"up to day {skilful}: yes" in finding.text


@pytest.mark.parametrize(("kept", "kind"), [(0.9, "good"), (0.4, "bad"), (1.6, "bad")])
def test_a_run_without_climate_scores_is_judged_by_its_variance_beyond(kept, kind):
    """Thirty days are no long run, but nothing is predictable on the last of them either."""
    scores = scores_of([None]).drop_vars("climate_failure").isel(lead_time=slice(0, 30))
    dims = ("forecast", "variable", "lead_time")
    scores["activity"] = (dims, np.full((3, 1, 30), kept))
    (finding,) = sentences(scores, "variance")
    assert finding.kind == kind
    assert finding.text.startswith(
        f"Variance of anomalies at day 30, over that of the truth: temperature {number(kept)}."
    )
    assert not sentences(scores.isel(lead_time=slice(0, 5)), "variance")
    scores["ensemble_spread"] = scores["rmse"].sel(forecast=["triton"])
    assert not sentences(scores, "variance")


def test_each_finding_belongs_to_a_part():
    parts = [finding.part for finding in verdict(scores_of(["drift"]))["triton"]]
    assert parts == ["skill", "skill", "skill", "climate"]


def test_without_climatology_all_leads_count():
    scores = scores_of([None]).sel(forecast=["triton", "persistence"])
    assert predictable(scores) == STEPS
