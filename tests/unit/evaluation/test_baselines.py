"""Baselines are there without being asked, and what evaluation scores is what the reference forecaster gives."""

import numpy as np
import pytest
from tests.builders import tiny_forecaster

from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.baselines import fit_baselines
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.verdict.verdict import verdict
from triton_earth.models.climatology import fit_climatology
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.storage.writer import write_forecast

NAMES = ["triton", "persistence", "damped persistence", "climatology"]


@pytest.fixture(scope="module")
def stored(weather, tmp_path_factory):
    return write_forecast(
        tiny_forecaster(weather),
        weather,
        tmp_path_factory.mktemp("baselines") / "f.zarr",
        trajectories=[4, 5, 5],
        starts=[0, 0, 2],
        steps=6,
        batch_size=2,
        provenance={"model": "triton", "model_hash": "a"},
    )


@pytest.fixture(scope="module")
def scores(stored, weather):
    return evaluate_forecast(stored, weather, resamples=50)


def test_all_three_stand_beside_the_model(scores):
    assert scores["forecast"].values.tolist() == NAMES
    assert scores["source"].values.tolist() == [*NAMES, "truth"]
    assert scores.attrs["baselines"].startswith(
        "persistence: the truth at the initial time, held; damped"
    )
    for name in ("persistence", "damped_persistence", "climatology"):
        assert scores[f"{name}_horizon"].dims == ("forecast",)
        assert scores[f"mse_minus_{name}"].dims == ("forecast", "variable", "lead_time")
        own = scores[f"mse_minus_{name}"].sel(forecast=name.replace("_", " "))
        assert (own == 0).all()


def test_scores_are_those_of_the_rolled_out_references(scores, stored, weather):
    baselines = fit_baselines(stored, weather, align(stored, weather))
    initial = weather.windows([4, 5, 5], [0, 0, 2], 1)
    truth = weather.windows([4, 5, 5], [0, 0, 2], 7).select(["temperature"]).data[:, 1:]
    weights = weather.grid.cell_area_weights
    for reference in baselines.references:
        reference.block = 6
        for step, state in enumerate(rollout(reference, initial, None, 6)):
            error = (state.data[:, 0] - truth[:, step]).double().numpy() ** 2
            valid = np.isfinite(error)
            mse = np.nansum(error * weights) / (valid * weights).sum()
            found = scores["mse"].sel(forecast=reference.name, variable="temperature")[step]
            np.testing.assert_allclose(found, mse, rtol=1e-4)


def test_the_verdict_speaks_of_each(scores):
    words = [finding.text for finding in verdict(scores)["triton"]]
    for name in NAMES[1:]:
        (sentence,) = [text for text in words if text.startswith(f"Beats {name} at every lead:")]
        assert "Chance is not told apart" in sentence
    assert scores.attrs["interval"].startswith("none: there are initial conditions of 2 trajec")


def test_without_a_training_split_there_is_persistence_only(flow, forecasts_of, truth_of):
    scores = evaluate_forecast(forecasts_of(flow[:, 1:]), truth_of(flow), resamples=20)
    assert scores["forecast"].values.tolist() == NAMES[:2]
    assert scores.attrs["baselines"].startswith(
        "persistence only: climatology and lag correlations"
    )


def test_anomaly_scores_are_those_of_numpy(scores, stored, weather):
    climatology = fit_climatology(weather, ["temperature"])
    truth = weather.windows([4, 5, 5], [0, 0, 2], 7).select(["temperature"]).data.double().numpy()
    weights = weather.grid.cell_area_weights
    for lead in (0, 5):
        forecast = stored.read(slice(0, 3), lead)
        anomalies = [
            field - climatology.at(stored.init_times + stored.lead_times[lead])
            for field in (forecast, truth[:, lead + 1])
        ]
        valid = np.isfinite(anomalies[0][0, 0])
        correlations, ratios = [], []
        for f, t in zip(*(field[:, 0, valid] for field in anomalies), strict=True):
            covariance = np.cov(f, t, aweights=weights[valid], ddof=0)
            correlations.append(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
            ratios.append(covariance[0, 0] / covariance[1, 1])
        one = scores.sel(forecast="triton", variable="temperature").isel(lead_time=lead)
        np.testing.assert_allclose(one["acc"], np.mean(correlations), rtol=1e-5)
        np.testing.assert_allclose(one["activity"], np.mean(ratios), rtol=1e-5)
    assert np.isnan(scores["acc"].sel(forecast="climatology")).all()
    assert (scores["activity"].sel(forecast="climatology") == 0).all()
    assert scores["acc_horizon"].dims == ("forecast",)
