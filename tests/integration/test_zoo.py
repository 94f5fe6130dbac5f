"""Shipped models: small enough, listed, and with the scores that their cards say."""

import re
import sys

import numpy as np
import pytest

import triton_earth
from triton_earth.cli import main
from triton_earth.data.preparation.trajectories import SimulationData
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.models.zoo import shipped_models
from triton_earth.workflow import demo as demo_module

MODELS = shipped_models()
QUICK = {"weather-small", "ocean-small"}
"""Models whose truth is made in seconds."""


def named(*names):
    marks = [() if name in QUICK else pytest.mark.slow for name in names]
    return [pytest.param(name, marks=mark) for name, mark in zip(names, marks, strict=True)]


def test_shipped_models_are_small_and_say_what_they_are():
    assert set(MODELS) <= set(demo_module.MODELS.values())
    assert "weather-small" in MODELS
    assert all(model.megabytes <= 6 for model in MODELS.values())
    assert sum(model.megabytes for model in MODELS.values()) <= 20
    for model in MODELS.values():
        assert {"task", "recipe", "parameters", "commands", "scores", "limits"} <= set(model.card)
        texts = [file.read_text() for file in model.folder.iterdir() if file.suffix == ".json"]
        assert not any(re.search(r'[" ]/[a-z]+/', text) for text in texts)  # no path of a machine


def test_the_command_lists_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["triton-earth", "models"])
    main()
    printed = capsys.readouterr().out
    for name, model in MODELS.items():
        assert name in printed
        assert f"{model.card['parameters']:,} parameters" in printed


@pytest.mark.parametrize("name", named(*MODELS))
def test_the_first_step_has_the_score_that_the_card_says(name, tmp_path):
    model = MODELS[name]
    store = triton_earth.prepare(model.card["recipe"], tmp_path / "truth.zarr")
    # The last digits of a simulation are the processor's, and turbulence makes other trajectories of them.
    is_simulated = isinstance(triton_earth.load_recipe(model.card["recipe"]).data, SimulationData)
    assert is_simulated or store.content_hash == model.card["data"]
    assert triton_earth.load_forecaster(name).parameter_count == model.card["parameters"]
    stored = triton_earth.forecast(name, tmp_path / "truth.zarr", tmp_path / "f.zarr", steps=1)
    scores = evaluate_forecast(stored, store, resamples=2)
    for variable, expected in model.card["single_steps"].items():
        found, persistence = scores["rmse"].sel(variable=variable).values[:2, 0]
        np.testing.assert_allclose(found, expected, rtol=0.05 if is_simulated else 2e-3)
        assert found < persistence


@pytest.mark.slow
@pytest.mark.parametrize(
    "task", [task for task, name in demo_module.MODELS.items() if name in MODELS]
)
def test_the_demonstration_uses_the_shipped_model(task, tmp_path):
    scores = demo_module.demo(task, tmp_path)
    assert (tmp_path / "report" / "report.html").is_file()
    assert not (tmp_path / "run").exists()
    assert np.isfinite(scores["rmse"].isel(forecast=0)).all()
