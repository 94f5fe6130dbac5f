"""The verbs as Python functions: what they leave on disk, and that going on gives the same bits."""

import json
import sys

import numpy as np
import pytest
import torch
import yaml

from tests.builders import (
    TINY_RECIPE,
    WEATHER_DATA,
    files_below,
    tiny_forecaster,
    wave_store,
    weather_store,
)
from tests.crashes import dies_at_call
from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, load_provenance, save_forecaster
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.training import step as training_step
from triton_earth.workflow import demo as demo_module
from triton_earth.workflow.demo import demo
from triton_earth.workflow.device import resolve_device
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.provenance import provenance
from triton_earth.workflow.recipes.recipe import Recipe, load_recipe
from triton_earth.workflow.train import train


def test_a_run_folder_explains_itself(tiny_run, tiny_store):
    assert sorted(path.name for path in tiny_run.iterdir()) == [
        "config.yaml", "forecaster", "forecaster_last", "log.csv", "losses.csv", "start.safetensors", "store.json",
        "training_state.previous.pt", "training_state.pt",
    ]  # fmt: skip
    resolved = load_recipe("turbulence_small", TINY_RECIPE)
    config = yaml.safe_load((tiny_run / "config.yaml").read_text())
    assert Recipe.parse(config, "config.yaml") == resolved
    training = load_provenance(tiny_run)["training"]
    assert training["recipe"] == resolved.model_dump(mode="json")
    assert training["store_hash"] == TrainingStore.open(tiny_store).content_hash
    assert training["seed"] == 0
    assert set(training["versions"]) == {
        "triton_earth",
        "python",
        "torch",
        "numpy",
        "xarray",
        "zarr",
    }
    assert training["validation"]["validation_mse"] > 0


def test_a_forecast_explains_itself(tiny_forecast, tiny_run):
    stored = ForecastStore.open(tiny_forecast)
    assert stored.provenance["model"] == "triton"
    assert stored.provenance["split"] == "test"
    assert stored.provenance["model_hash"] == load_provenance(tiny_run)["model_hash"]
    assert stored.provenance["training"] == load_provenance(tiny_run)["training"]
    assert stored.trajectories.tolist() == [6, 7]
    assert len(stored.lead_times) == 7


def test_initial_times_and_steps_may_be_chosen(tiny_run, tiny_store, tmp_path):
    times = TrainingStore.open(tiny_store).times
    stored = forecast(
        tiny_run,
        tiny_store,
        tmp_path / "a.zarr",
        steps=2,
        split="valid",
        init=[str(times[3]), f"{times[1]:.6f}"],
    )
    assert stored.trajectories.tolist() == [4, 4, 5, 5]
    np.testing.assert_allclose(stored.init_times, times[[3, 1, 3, 1]])


def test_calendar_times_may_be_chosen(tmp_path):
    store = weather_store(tmp_path / "weather.zarr")
    save_forecaster(tiny_forecaster(store, history=2), tmp_path / "model", {})
    stored = forecast(
        tmp_path / "model", store.path, tmp_path / "a.zarr", steps=2, init=["2000-01-01T12"]
    )
    assert stored.init_times.tolist() == [np.datetime64("2000-01-01T12", "ns").astype(int)] * 2


@pytest.mark.parametrize("init", ["5.55", "-1"])
def test_an_initial_time_that_is_not_there_is_refused(tiny_run, tiny_store, tmp_path, init):
    with pytest.raises(UserError) as caught:
        forecast(tiny_run, tiny_store, tmp_path / "a.zarr", init=[init])
    assert f"--init {init}: not a time of {tiny_store} with 1 states up to it" in str(caught.value)
    assert "in steps of 0.055." in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_initial_time_that_is_no_number_is_refused(tiny_run, tiny_store, tmp_path):
    with pytest.raises(UserError, match=r"--init nan: not a time; the store's times look like 0\."):
        forecast(tiny_run, tiny_store, tmp_path / "a.zarr", init=["nan"])
    assert list(tmp_path.iterdir()) == []


def test_an_initial_time_without_enough_history_is_refused(tmp_path):
    store = weather_store(tmp_path / "weather.zarr")
    save_forecaster(tiny_forecaster(store, history=2), tmp_path / "model", {})
    with pytest.raises(UserError, match=r"with 2 states up to it.*in steps of 6 h\."):
        forecast(
            tmp_path / "model", store.path, tmp_path / "a.zarr", steps=1, init=["2000-01-01T00"]
        )


def test_what_is_no_time_is_refused(tiny_run, tiny_store, tmp_path):
    with pytest.raises(UserError, match="--init noon: not a time; the store's times look like"):
        forecast(tiny_run, tiny_store, tmp_path / "a.zarr", init=["noon"])


def test_a_recipe_may_say_a_length(tiny_store, tmp_path):
    overrides = [*TINY_RECIPE, "forecast.steps=null", "forecast.length=0.12"]
    train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    stored = forecast(tmp_path / "run", tiny_store, tmp_path / "a.zarr")
    assert len(stored.lead_times) == 2  # steps of 0.055
    with pytest.raises(
        UserError, match=r"forecast\.steps and forecast\.length: give one of the two"
    ):
        load_recipe("turbulence_small", ["forecast.length=0.12"])


def test_a_model_without_a_recipe_needs_steps(waves, tmp_path):
    save_forecaster(tiny_forecaster(waves), tmp_path / "model", {})
    with pytest.raises(UserError, match="does not say how many steps to forecast; add --steps"):
        forecast(tmp_path / "model", waves.path, tmp_path / "a.zarr")
    stored = forecast(tmp_path / "model", waves.path, tmp_path / "a.zarr", steps=2)
    assert len(stored.lead_times) == 2


def test_a_store_with_mask_and_forcing_can_be_trained_on(tmp_path):
    store = weather_store(tmp_path / "weather.zarr")
    forecaster = train(
        "turbulence_small",
        store.path,
        tmp_path / "run",
        [*TINY_RECIPE, WEATHER_DATA, "train.horizon=2"],
    )
    assert torch.equal(forecaster.valid_mask, torch.from_numpy(store.valid_mask[:1]))
    scores = load_provenance(tmp_path / "run")["training"]["validation"]
    assert np.isfinite(scores["validation_mse"])
    assert np.isfinite(scores["persistence_mse"])
    stored = forecast(tmp_path / "run", store.path, tmp_path / "a.zarr", steps=3)
    assert (np.isfinite(stored.read(slice(None), 2)) == store.valid_mask[:1]).all()


# --- training: resume, overwrite, refusals


def train_until(step, store, out):
    with dies_at_call(step, training_step, "mean_over_leads"):
        train("turbulence_small", store, out, TINY_RECIPE)


@pytest.mark.parametrize("step", [1, 5])
def test_a_resumed_run_gives_the_same_model(tiny_store, tiny_run, tmp_path, step):
    train_until(step, tiny_store, tmp_path / "run")
    resumed = train("turbulence_small", tiny_store, tmp_path / "run", TINY_RECIPE, resume=True)
    whole = load_forecaster(tiny_run)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name])
    assert files_below(tmp_path / "run" / "forecaster") == files_below(tiny_run / "forecaster")


def test_another_recipe_cannot_resume(tiny_store, tmp_path):
    out = tmp_path / "run"
    train_until(5, tiny_store, out)
    before = files_below(out)
    with pytest.raises(UserError, match="was started with another recipe or other overrides"):
        train("turbulence_small", tiny_store, out, [*TINY_RECIPE, "seed=3"], resume=True)
    assert files_below(out) == before


def test_another_store_cannot_resume(tiny_store, tmp_path):
    out = tmp_path / "run"
    train_until(5, tiny_store, out)
    other = wave_store(tmp_path / "waves.zarr", cells=16)
    before = files_below(out)
    with pytest.raises(UserError, match="was started with another training store"):
        train("turbulence_small", other.path, out, TINY_RECIPE, resume=True)
    assert files_below(out) == before


def test_a_folder_that_is_no_run_cannot_be_resumed(tiny_store, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(UserError, match=r"no run to go on with \(no config.yaml, but cat.png\)"):
        train("turbulence_small", tiny_store, tmp_path / "photos", TINY_RECIPE, resume=True)


def test_resume_and_overwrite_exclude_each_other(tiny_store, tmp_path):
    with pytest.raises(UserError, match="exclude each other"):
        train(
            "turbulence_small", tiny_store, tmp_path / "a", TINY_RECIPE, resume=True, overwrite=True
        )


def test_overwrite_starts_a_new_run(tiny_store, tiny_run, tmp_path):
    out = tmp_path / "run"
    train_until(5, tiny_store, out)
    (out / "note.txt").write_text("old")
    train("turbulence_small", tiny_store, out, TINY_RECIPE, overwrite=True)
    assert not (out / "note.txt").exists()
    assert files_below(out / "forecaster") == files_below(tiny_run / "forecaster")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.batch_size=1000", "a batch of 1000 needs at least as many training windows"),
        ("train.horizon=100", "a window of 101 times (history × (1 + horizon)) does not fit"),
        ("model.network.widths=[12]", "widths: the first block attends with 8 heads"),
        (
            "model.network.spatial_hidden_dim=8",
            "belongs to stages 'plain', found stages 'residual'",
        ),
    ],
)
def test_a_run_that_cannot_start_leaves_nothing(tiny_store, tmp_path, override, expected):
    with pytest.raises(UserError) as caught:
        train("turbulence_small", tiny_store, tmp_path / "new" / "run", [*TINY_RECIPE, override])
    assert expected in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# --- the small verbs


def test_the_device_is_what_was_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("cpu") == resolve_device("auto") == torch.device("cpu")
    with pytest.raises(UserError, match=r"no GPU is found .* use --device cpu"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda")


def test_provenance_is_the_same_for_a_resumed_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "train", "a", "--out", "b"])
    plain = provenance(seed=1)
    monkeypatch.setattr(sys, "argv", ["y", "train", "--resume", "a", "--out", "b", "--overwrite"])
    assert provenance(seed=1) == plain
    assert plain["command"] == "triton-earth train a --out b"
    assert plain["seed"] == 1
    json.dumps(plain, allow_nan=False)


def test_an_unknown_demonstration_names_the_nearest():
    with pytest.raises(UserError, match=r"no demonstration is called 'turbulense'; did you mean"):
        demo("turbulense")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_demonstration_does_not_replace_a_report_of_another(tmp_path, kind):
    report = tmp_path / "report"
    if kind == "file":
        report.write_text("precious")
    else:
        report.mkdir()
        (report / "thesis.txt").write_text("precious")
    before = files_below(tmp_path)
    with pytest.raises(UserError, match=r"report exists already and is no report of ours"):
        demo("turbulence", tmp_path)
    assert files_below(tmp_path) == before


def test_every_demonstration_has_a_small_recipe():
    assert list(demo_module.TASKS) == ["turbulence", "weather", "ocean", "kuroshio"]
    for name in demo_module.TASKS.values():
        assert name.endswith(("_small", "_small_quick"))
        train = load_recipe(name).train
        assert train.steps * train.batch_size <= 12_000  # samples, minutes of a core


def test_a_second_demo_uses_what_the_first_has_made(tmp_path, monkeypatch):
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(
        yaml.safe_dump(load_recipe("turbulence_small", TINY_RECIPE).model_dump(mode="json"))
    )
    monkeypatch.setattr(demo_module, "TASKS", {"turbulence": str(recipe)})
    monkeypatch.setattr(sys, "argv", ["triton-earth", "demo"])
    first = demo("turbulence", tmp_path / "demo", train=True)
    kept = {
        name: files_below(tmp_path / "demo" / name)
        for name in ("truth.zarr", "run", "forecast.zarr")
    }
    assert (tmp_path / "demo" / "report" / "report.html").is_file()
    second = demo("turbulence", tmp_path / "demo", train=True)
    for name, before in kept.items():
        assert files_below(tmp_path / "demo" / name) == before
    assert first.identical(second)


def test_the_recipe_says_how_many_threads_a_forecast_has(
    tiny_run, tiny_store, tmp_path, monkeypatch
):
    seen = []

    def write(*arguments, **options):
        seen.append(torch.get_num_threads())
        return write_forecast(*arguments, **options)

    monkeypatch.setattr("triton_earth.workflow.forecast.write_forecast", write)
    torch.set_num_threads(2)
    try:
        forecast(tiny_run, tiny_store, tmp_path / "a.zarr")
    finally:
        torch.set_num_threads(1)
    assert seen == [1]
