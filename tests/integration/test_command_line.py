"""The whole path through the command line, on a tiny experiment."""

import html
import json
import logging
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import xarray as xr

from tests.builders import TINY_RECIPE, files_below
from triton_earth import __version__
from triton_earth.models.zoo import shipped_models
from triton_earth.workflow import prepare as prepare_module
from triton_earth.workflow.recipes.recipe import load_recipe


def test_prepare_train_forecast_evaluate(command, tmp_path):
    store, run = tmp_path / "truth.zarr", tmp_path / "run"
    forecast, report = tmp_path / "forecast.zarr", tmp_path / "report"

    made = command("prepare", "turbulence_small", *TINY_RECIPE, "--out", store)
    assert (made.code, made.out[:16]) == (0, "training store: ")
    assert "prepare: 8/8" in made.err
    with xr.open_zarr(store) as dataset:
        assert dataset["state"].shape == (8, 8, 1, 16, 16)
        assert np.isfinite(dataset["state"].values).all()

    trained = command("train", "turbulence_small", store, *TINY_RECIPE, "--out", run)
    assert (trained.code, trained.out) == (0, f"model: {run / 'forecaster'}\n")
    assert "train: 6/6" in trained.err

    forecasted = command("forecast", run, store, "--out", forecast)
    assert (forecasted.code, forecasted.out) == (0, f"forecast: {forecast}\n")
    with xr.open_zarr(forecast) as dataset:
        assert dataset["vorticity"].shape == (2, 7, 16, 16)
        assert np.isfinite(dataset["vorticity"].values).all()

    judged = command("evaluate", forecast, store, "--out", report, "--resamples", 50)
    assert judged.code == 0
    assert judged.out.startswith("variable")
    assert "persistence" in judged.out
    assert judged.out.endswith(f"report: {report / 'report.html'}\n")
    assert sorted(path.name for path in report.iterdir()) == [
        "animation.gif", "report.html", "scores.json", "scores.nc",
    ]  # fmt: skip
    scores = json.loads((report / "scores.json").read_text())
    assert set(scores["forecasts"]) == {
        "triton", "persistence", "damped persistence", "climatology",
    }  # fmt: skip
    with xr.open_dataset(report / "scores.nc") as dataset:
        assert np.isfinite(dataset["rmse"]).all()
        assert dataset.sizes["lead_time"] == 7
    with PIL.Image.open(report / "animation.gif") as animation:
        assert animation.n_frames == 8
    page = (report / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "Decaying turbulence" in page
    assert "http://" not in page.replace("http://www.w3.org", "")

    # Nothing else is left beside the outputs.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "forecast.zarr", "report", "run", "truth.zarr",
    ]  # fmt: skip


def test_a_forecast_longer_than_the_truth_is_scored_where_there_is_truth(
    command, tiny_run, tiny_store, tmp_path
):
    out = tmp_path / "long.zarr"
    assert command("forecast", tiny_run, tiny_store, "--steps", 12, "--out", out).code == 0
    judged = command("evaluate", out, tiny_store, "--out", tmp_path / "report", "--resamples", 20)
    assert judged.code == 0
    scores = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert (scores["evaluated_leads"], scores["forecast_leads"]) == (7, 12)
    sentence = "cored over 7 of the forecast's 12 leads: the truth ends there"
    assert sentence in judged.out
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert sentence in html.unescape(page)


@pytest.mark.slow
def test_an_evaluation_that_replaces_another_is_the_same(
    command, tiny_forecast, tiny_store, tmp_path
):
    words = ["evaluate", tiny_forecast, tiny_store, "--resamples", 20, "--out", tmp_path / "report"]
    assert command(*words).code == 0
    first = files_below(tmp_path / "report")
    (tmp_path / "report" / "notes.txt").write_text("old")
    assert command(*words, "--overwrite").code == 0
    second = files_below(tmp_path / "report")
    assert second.keys() == first.keys()
    for name in ("scores.json", "animation.gif"):
        assert first[name] == second[name]


def test_quiet_work_says_its_result_only(command, tiny_run, tiny_store, tmp_path):
    outcome = command(
        "-q", "forecast", tiny_run, tiny_store, "--guard", "record", "--out", tmp_path / "a.zarr"
    )
    assert (outcome.code, outcome.err) == (0, "")


def test_recipes_and_models_are_listed(command):
    recipes = command("recipes")
    assert recipes.code == 0
    titles = dict(line.split(maxsplit=1) for line in recipes.out.splitlines())
    assert titles["turbulence_small"] == "Decaying turbulence, Re 1000, 64 x 64"
    assert all(titles.values())
    models = command("models")
    assert models.code == 0
    own, shipped, references = models.out.split("\n\n")
    lines = {name: (origin, *words) for name, origin, *words in map(str.split, own.splitlines())}
    assert lines["triton"][0] == lines["unet"][0] == "triton_earth"
    assert lines["fno"][1:4] == ("Fourier", "neural", "operator:")
    assert [line.split()[0] for line in shipped.splitlines()[1:]] == list(shipped_models())
    assert "persistence" in [line.split()[0] for line in references.splitlines()[1:]]


def test_a_recipe_is_printed_to_be_copied(command, tmp_path):
    printed = command("recipes", "turbulence_small")
    assert printed.code == 0
    (tmp_path / "mine.yaml").write_text(printed.out)
    assert load_recipe(tmp_path / "mine.yaml") == load_recipe("turbulence_small")
    unknown = command("recipes", "turbulence_smal")
    assert unknown.code == 2
    assert "did you mean 'turbulence_small'?" in unknown.err


def test_an_interrupted_command_says_how_to_go_on(command, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare_module, "prepare_store", interrupted)
    outcome = command("prepare", "turbulence_small", "--out", tmp_path / "a.zarr")
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == "interrupted; the same command with --resume goes on."


# --- true processes

NO_TORCH = """
import sys, time
sys.argv = {words}
code = 0
from triton_earth.cli import main
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
print(code, "torch" in sys.modules, time.process_time())
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["--version"], 0),
        (["prepare"], 2),
        (["forecast", "a", "b", "--out", "c", "--steps", "0"], 2),
        (["forecast", "a", "b", "--out", "c", "--steps", "many"], 2),
        (["forecats"], 2),
        ([], 0),
    ],
)
def test_help_and_wrong_arguments_do_not_import_torch(words, code):
    program = NO_TORCH.format(words=["triton-earth", *words])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    found_code, torch_is_there, seconds = done.stdout.splitlines()[-1].split()
    assert int(found_code) == code
    assert torch_is_there == "False"
    assert len(done.stderr.splitlines()) == (code == 2)
    assert float(seconds) < 1.5  # of processor time, so that a busy machine does not matter


def test_the_installed_command_answers():
    done = subprocess.run(
        [sys.executable, "-m", "triton_earth", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"triton-earth {__version__}\n", "")


def test_a_mistake_is_one_line_in_a_true_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "triton_earth", "prepare", "turbulence_small", "train.stepps=3",
         "--out", str(tmp_path / "a.zarr")],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "error: turbulence_small: unknown key 'train.stepps'; did you mean 'steps'?\n"
    )
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_the_guard_is_silent_where_only_results_are_wanted(command):
    guard = logging.getLogger("triton_earth.guard")
    assert command("-q", "recipes").code == 0
    assert not guard.isEnabledFor(logging.WARNING)
    assert command("recipes").code == 0
    assert guard.isEnabledFor(logging.WARNING)
