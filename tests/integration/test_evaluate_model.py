"""A model judged while it is rolled out: `triton-earth evaluate MODEL STORE --steps N`."""

import numpy as np
import pytest
import torch
import xarray as xr

from tests.builders import tiny_forecaster, weather_store
from triton_earth.evaluation.noise_response import noise_response
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.workflow import evaluate

RESPONSE = ("noise_gain", "noise_small_scales", "one_step_growth")
"""Scores of the model itself, which a stored forecast does not have."""


def test_scores_are_those_of_the_stored_forecast(
    command, tiny_run, tiny_forecast, tiny_store, tmp_path
):
    options = ["--resamples", 20, "--out"]
    live = command("evaluate", tiny_run, tiny_store, "--steps", 7, *options, tmp_path / "live")
    assert live.code == 0
    assert live.out.endswith(f"report: {tmp_path / 'live' / 'report.html'}\n")
    stored = command("evaluate", tiny_forecast, tiny_store, *options, tmp_path / "stored")
    assert stored.code == 0
    with (
        xr.open_dataset(tmp_path / "live" / "scores.nc") as one,
        xr.open_dataset(tmp_path / "stored" / "scores.nc") as other,
    ):
        for name in ("rmse", "correlation", "extreme", "enstrophy_spectrum"):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5)
        assert "--steps 7" in one.attrs["command"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live", "stored"]


def test_the_report_says_how_the_model_treats_noise(command, tiny_run, tiny_store, tmp_path):
    words = ["evaluate", tiny_run, tiny_store, "--steps", 4, "--resamples", 20, "--out"]
    assert command(*words, tmp_path / "live").code == 0
    with xr.open_dataset(tmp_path / "live" / "scores.nc") as scores:
        gain = scores["noise_gain"].load()
        growth = scores["one_step_growth"].item()
    assert gain.dims == ("step", "octave", "variable")
    assert gain["step"].values.tolist() == [1, 2]  # not 5: the forecasts have four leads
    assert (gain > 0).all()
    assert growth > 0
    page = (tmp_path / "live" / "report.html").read_text(encoding="utf-8")
    assert "Response to noise" in page
    value = np.sqrt((gain**2).mean("variable")).sel(step=2).isel(octave=-1).item()
    assert f"{value:.2f}" in page
    assert f"The model {'damps' if value < 1 else 'amplifies'} the smallest scales" in page


def test_the_response_to_noise_leaves_land_out(tmp_path):
    store = weather_store(tmp_path / "store.zarr")
    assert store.valid_mask is not None
    forecaster = tiny_forecaster(store)
    window = store.windows([0], [0], forecaster.history)
    forcings = [store.windows([0], [number], 1) for number in (1, 2)]
    found = noise_response(forecaster, window, forcings, steps=(1, 2))
    assert np.isfinite(found["noise_gain"]).all()
    assert np.isfinite(found["noise_small_scales"]).all()


def test_not_in_several_processes(command, tiny_run, tiny_store, tmp_path):
    words = ["evaluate", tiny_run, tiny_store, "--steps", 7, "--out", tmp_path / "live"]
    refused = command(*words, "--workers", 2)
    assert refused.code == 2
    assert "a model is rolled out in one process" in refused.err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def relaxed(tmp_path):
    """A model whose recipe relaxes it to climatology, and its store."""
    store = weather_store(tmp_path / "store.zarr")
    forecaster = tiny_forecaster(store)
    with torch.no_grad():
        for parameter in forecaster.network.parameters():
            parameter.mul_(3.0)
    recipe = {"forecast": {"stabilizers": {"relaxation": {"steps": 2}}, "threads": 1}}
    save_forecaster(forecaster, tmp_path / "model", {"recipe": recipe})
    return tmp_path / "model", tmp_path / "store.zarr"


@pytest.fixture
def drawn(monkeypatch):
    """What reports are drawn of, in place of the reports: sections about the rollout."""
    about = []

    def note(scores, example, path, title, about_rollout, others, more):
        path.touch()
        about.append(about_rollout)

    monkeypatch.setattr(evaluate, "write_report", note)
    return about


@pytest.mark.parametrize(
    "more", [[], pytest.param(["--members", 3, "--guard", "stop"], marks=pytest.mark.slow)]
)
def test_the_set_up_is_that_of_the_stored_forecast(command, relaxed, more, drawn, tmp_path):
    model, store = relaxed
    made = command("forecast", model, store, "--steps", 5, "--out", tmp_path / "f.zarr", *more)
    assert made.code == 0
    how = ["--resamples", 20, "--out"]
    assert command("evaluate", tmp_path / "f.zarr", store, *how, tmp_path / "stored").code == 0
    live = command("evaluate", model, store, "--steps", 5, *more, *how, tmp_path / "live")
    assert live.code == 0
    warned = [line for line in made.err.splitlines() if line.startswith("guard: ")]
    assert [line for line in live.err.splitlines() if line.startswith("guard: ")] == warned
    with (
        xr.open_dataset(tmp_path / "live" / "scores.nc") as one,
        xr.open_dataset(tmp_path / "stored" / "scores.nc") as other,
    ):
        assert set(one) - set(RESPONSE) == set(other)
        assert ("crps" in one) == bool(more)
        xr.testing.assert_allclose(
            one.drop_dims(["step", "octave"]).drop_vars("one_step_growth"), other, rtol=1e-5
        )
    assert [section.title for section in drawn[0]] == ["Guard", "Stabilisers"]
    assert drawn[0] == drawn[1]


def test_options_of_a_rollout_need_a_model(command, relaxed, tmp_path):
    model, store = relaxed
    assert command("forecast", model, store, "--steps", 2, "--out", tmp_path / "f.zarr").code == 0
    words = ["evaluate", tmp_path / "f.zarr", store, "--out", tmp_path / "scores"]
    refused = command(*words, "--members", 3, "--stabilize", "relaxation.steps=9")
    assert refused.code == 2
    assert "--members, --stabilize: " in refused.err
    assert "judge a model with --steps" in refused.err
