"""Every mistake is one clear line and exit code 2, and leaves the disk as it was."""

import os
import re
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
import zarr

from tests.builders import (
    TINY_RECIPE,
    tiny_forecaster,
    wave_store,
    weather_store,
)
from triton_earth.core.outputs.claim import MARK
from triton_earth.core.outputs.files import write_json
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.data.store.training_store import write_trajectory
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.workflow.recipes.recipe import find_recipe


@pytest.fixture
def new(tmp_path):
    """An output that is not there, in a folder that is not there."""
    return tmp_path / "new" / "output"


def test_a_run_that_another_process_is_at(refused, command, tiny_run, tiny_store, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    words = ["train", "turbulence_small", tiny_store, *TINY_RECIPE, "--out", run]
    with sole_use(run):
        for option in ("--resume", "--overwrite"):
            line = refused(*words, option)
            assert line.startswith(f"error: {run}: another process is writing it (process ")
            assert line.endswith("). Wait for its end, stop it, or choose another path.")
    assert command(*words, "--resume").code == 0
    with sole_use(run):
        pass


@pytest.fixture
def copied_store(tiny_store, tmp_path):
    return shutil.copytree(tiny_store, tmp_path / "copy.zarr")


# --- recipes


def test_an_unknown_recipe_key_names_the_nearest(refused, tiny_store, new):
    expected = "error: turbulence_small: unknown key 'train.batchsize'; did you mean 'batch_size'?"
    override = "train.batchsize=4"
    assert refused("prepare", "turbulence_small", override, "--out", new) == expected
    assert refused("train", "turbulence_small", tiny_store, override, "--out", new) == expected


def test_an_unknown_key_in_a_recipe_file(refused, tmp_path, new):
    path = tmp_path / "mine.yaml"
    recipe = find_recipe("turbulence_small").read_text(encoding="utf-8")
    for key, misspelt, problem in [
        ("seed", "sed", "unknown key 'sed'; did you mean 'seed'?"),
        ("data", "dta", "unknown key 'dta'; did you mean 'data'?"),
        ("splits", "split", "unknown key 'data.split'; did you mean 'splits'?"),
        ("name", "nme", "model.network: unknown key 'nme'; did you mean 'name'?"),
        (
            "temporal_hidden_dim",
            "temporal_hiden_dim",
            "unknown key 'model.network.temporal_hiden_dim'; did you mean 'temporal_hidden_dim'?",
        ),
        (
            "kind: decaying_turbulence",
            "kind: decayin",
            "key 'data.source.kind': unknown kind 'decayin'; did you mean 'decaying_turbulence'?",
        ),
    ]:
        assert key in recipe
        path.write_text(recipe.replace(key, misspelt, 1), encoding="utf-8")
        assert refused("prepare", path, "--out", new) == f"error: {path}: {problem}"


def test_an_empty_recipe_file(refused, tmp_path, new):
    path = tmp_path / "mine.yaml"
    path.write_text("")
    line = refused("prepare", path, "--out", new)
    assert line.startswith(f"error: {path}: the file is empty; expected a mapping")


def test_a_missing_recipe(refused, new):
    line = refused("prepare", "no_such_recipe.yaml", "--out", new)
    assert "no such file, and no recipe of that name comes with the package" in line


def test_a_recipe_that_is_no_yaml(refused, tmp_path, new):
    path = tmp_path / "mine.yaml"
    path.write_text("title: [a\n")
    assert f"{path}: not valid YAML at line 2:" in refused("prepare", path, "--out", new)


def test_a_bad_override(refused, new):
    assert "expected KEY=VALUE" in refused("prepare", "turbulence_small", "seed", "--out", new)
    line = refused("prepare", "turbulence_small", "train.steps=-1", "--out", new)
    assert "key 'train.steps': Input should be greater than or equal to 1, found -1." in line


def test_an_unknown_network(refused, tiny_store, new):
    line = refused(
        "train",
        "turbulence_small",
        tiny_store,
        "model.network.name=tritno",
        "--out",
        new,
    )
    assert "unknown network 'tritno'; did you mean 'triton'?" in line


def test_an_impossible_network(refused, tiny_store, new):
    words = [*TINY_RECIPE, "model.network.widths=[12]"]
    line = refused("train", "turbulence_small", tiny_store, *words, "--out", new)
    assert "widths: the first block attends with 8 heads" in line


def test_zero_steps(refused, tiny_run, tiny_store, new):
    line = refused("forecast", tiny_run, tiny_store, "--steps", 0, "--out", new)
    assert line == "error: --steps: expected at least 1, found 0."
    line = refused("forecast", tiny_run, tiny_store, "--batch-size", 0, "--out", new)
    assert line == "error: --batch-size: expected auto or a number of at least 1, found 0."
    words = [*TINY_RECIPE, "train.steps=0"]
    line = refused("train", "turbulence_small", tiny_store, *words, "--out", new)
    assert "key 'train.steps': Input should be greater than or equal to 1, found 0." in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["forecast", "a", "b", "--out", "c", "--steps", "many"], "Invalid value for '--steps': "),
        (["forecast", "--out", "c"], "Missing argument 'MODEL'. See `triton-earth forecast --help`."),
        (["train", "a", "--out", "c"], "train: expected a training store after a, found nothing. Write `triton-earth "
         "train a STORE --out RUN`."),
        (["train", "a", "train.steps=3", "--out", "c"], "train: expected a training store after a, found the change "
         "'train.steps=3'. Write `triton-earth train a STORE --out RUN train.steps=3`."),
        (["evaluate", "a", "b", "--out", "c", "--weights", "no"], "'no' is not one of 'cell_area', 'cos_latitude'."),
        (["forecast", "--stepps", "2"], "No such option: --stepps"),
        (["forecats"], "No such command 'forecats'"),
    ],
)  # fmt: skip
def test_wrong_words(refused, words, expected):
    assert expected in refused(*words)


# --- stores


def each_reader(refused, tiny_run, tiny_forecast, store, new):
    """The error lines of the verbs that read a training store."""
    return [
        refused("train", "turbulence_small", store, *TINY_RECIPE, "--out", new),
        refused("forecast", tiny_run, store, "--out", new),
        refused("evaluate", tiny_forecast, store, "--out", new),
    ]


def test_a_missing_store(refused, tiny_run, tiny_forecast, tmp_path, new):
    store = tmp_path / "no.zarr"
    for line in each_reader(refused, tiny_run, tiny_forecast, store, new):
        assert f"{store}: there is no training store; make it with" in line


def test_a_store_with_a_missing_file(refused, tiny_run, tiny_forecast, copied_store, new):
    shutil.rmtree(copied_store / "state" / "c" / "7")
    for line in each_reader(refused, tiny_run, tiny_forecast, copied_store, new):
        assert "not a readable training store: 8 of 64 fields are missing" in line


def test_a_store_with_truncated_metadata(refused, tiny_run, tiny_forecast, copied_store, new):
    path = copied_store / "zarr.json"
    path.write_bytes(path.read_bytes()[:200])
    for line in each_reader(refused, tiny_run, tiny_forecast, copied_store, new):
        assert "not a readable training store" in line


@pytest.mark.parametrize("kept", [0, 100, -10])
def test_a_store_with_truncated_files(refused, tiny_run, tiny_forecast, copied_store, new, kept):
    for shard in (copied_store / "state" / "c").rglob("*"):
        if shard.is_file():
            shard.write_bytes(shard.read_bytes()[:kept])
    for line in each_reader(refused, tiny_run, tiny_forecast, copied_store, new):
        assert "the store is damaged, make it again" in line


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def test_a_store_with_a_flipped_bit(refused, tiny_run, tiny_forecast, copied_store, new):
    for file in [p for p in (copied_store / "state" / "c").rglob("0") if p.is_file()]:
        flip_a_bit(file)
    for line in each_reader(refused, tiny_run, tiny_forecast, copied_store, new):
        assert re.match(
            rf"error: {copied_store}: trajectory \d cannot be read \(the checksum of time \d is wrong\); the store is "
            "damaged, make it again",
            line,
        )


@pytest.mark.parametrize("name", ["time", "split", "x"])
def test_a_store_with_a_lost_coordinate(refused, tiny_run, tiny_forecast, copied_store, new, name):
    shutil.rmtree(copied_store / name / "c")
    for line in each_reader(refused, tiny_run, tiny_forecast, copied_store, new):
        assert (
            f"not a readable training store (the values of '{name}' are lost); make it again"
            in line
        )


def test_an_unfinished_store(refused, tiny_run, tiny_forecast, copied_store, new):
    del zarr.open_group(copied_store, mode="r+").attrs["content_hash"]
    for line in each_reader(refused, tiny_run, tiny_forecast, copied_store, new):
        assert "not a finished training store" in line


def test_a_store_without_a_variable_that_the_model_needs(refused, tiny_run, tmp_path, new):
    store = weather_store(tmp_path / "weather.zarr").path
    line = refused("forecast", tiny_run, store, "--out", new)
    assert "the model 'triton' needs variables ['vorticity'], which are not there; found" in line


def test_a_store_on_another_grid(refused, tiny_run, tiny_forecast, tmp_path, new):
    store = wave_store(tmp_path / "waves.zarr", cells=8).path
    line = refused("forecast", tiny_run, store, "--out", new)
    assert "the grid is periodic box 8 x 8" in line
    assert "trained on periodic box 16 x 16" in line
    assert "grid" in refused("evaluate", tiny_forecast, store, "--out", new)


def test_a_store_with_another_time_step(refused, tiny_run, tmp_path, new):
    store = wave_store(tmp_path / "waves.zarr", cells=16).path
    line = refused("forecast", tiny_run, store, "--out", new)
    assert "the time step is 0.1, but the model 'triton' advances by 0.055" in line


def test_a_split_that_is_not_there(refused, tiny_run, tiny_store, new):
    line = refused("forecast", tiny_run, tiny_store, "--split", "tset", "--out", new)
    assert "no trajectory is in split 'tset'; it has ['test', 'train', 'valid']" in line


def test_an_initial_time_that_is_not_there(refused, tiny_run, tiny_store, new):
    line = refused("forecast", tiny_run, tiny_store, "--init", "77", "--out", new)
    assert "--init 77: not a time of" in line


def test_nan_in_the_initial_state(refused, tiny_run, copied_store, new):
    fields = np.array(zarr.open_array(copied_store, path="state", mode="r")[7])
    fields[0, 0, 3, 5] = np.nan
    write_trajectory(copied_store, 7, fields)
    line = refused("forecast", tiny_run, copied_store, "--out", new)
    assert "the initial state holds 1 values that are not finite, the first in 'vorticity'" in line
    assert "cell (3, 5)" in line


def test_nan_in_the_training_data(refused, copied_store, new):
    fields = np.array(zarr.open_array(copied_store, path="state", mode="r")[1])
    fields[2, 0, 3, 5] = np.nan
    write_trajectory(copied_store, 1, fields)
    line = refused("train", "turbulence_small", copied_store, *TINY_RECIPE, "--out", new)
    assert "variable 'vorticity' has 1 values that are not finite in the training data" in line


def test_too_few_windows_for_a_batch(refused, tiny_store, new):
    words = [*TINY_RECIPE, "train.batch_size=1000"]
    line = refused("train", "turbulence_small", tiny_store, *words, "--out", new)
    assert "a batch of 1000 needs at least as many training windows; there are 28" in line


# --- models and forecasts


def test_a_missing_model(refused, tmp_path, tiny_store, new):
    line = refused("forecast", tmp_path / "no", tiny_store, "--out", new)
    assert "there is no trained model" in line


def test_weights_that_are_a_pickle(refused, tmp_path, tiny_run, tiny_store, new):
    model = shutil.copytree(tiny_run / "forecaster", tmp_path / "model")
    weights = safetensors.torch.load_file(model / "weights.safetensors")
    held = {name: tensor.clone() for name, tensor in weights.items()}  # no longer in that file
    torch.save(held, model / "weights.safetensors")
    line = refused("forecast", model, tiny_store, "--out", new)
    assert "weights.safetensors are not the weights that were written: the file is damaged." in line


def test_a_missing_forecast(refused, tmp_path, tiny_store, new):
    assert "there is no forecast" in refused("evaluate", tmp_path / "no", tiny_store, "--out", new)


def test_a_truncated_forecast(refused, tmp_path, tiny_forecast, tiny_store, new):
    forecast = shutil.copytree(tiny_forecast, tmp_path / "forecast.zarr")
    chunk = forecast / "vorticity" / "c" / "0" / "3" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-10])
    line = refused("evaluate", forecast, tiny_store, "--out", new)
    assert "lead 4 cannot be read (" in line


def test_a_forecast_with_a_flipped_bit(refused, tmp_path, tiny_forecast, tiny_store, new):
    forecast = shutil.copytree(tiny_forecast, tmp_path / "forecast.zarr")
    flip_a_bit(forecast / "vorticity" / "c" / "0" / "3" / "0" / "0")
    line = refused("evaluate", forecast, tiny_store, "--out", new)
    assert f"{forecast}: lead 4 cannot be read (" in line


def test_a_forecast_that_lost_a_file(refused, tmp_path, tiny_forecast, tiny_store, new):
    forecast = shutil.copytree(tiny_forecast, tmp_path / "forecast.zarr")
    (forecast / "vorticity" / "c" / "0" / "3" / "0" / "0").unlink()
    for words in (["evaluate", forecast], ["compare", forecast, tiny_forecast]):
        line = refused(*words, tiny_store, "--out", new)
        assert f"{forecast}: 'vorticity' at lead 4 of the forecasts from" in line
        assert "is missing: the file vorticity/c/0/3/0/0 is lost. Make the forecast again." in line


def test_a_store_in_place_of_a_forecast(refused, tiny_store, new):
    assert "not a forecast" in refused("evaluate", tiny_store, tiny_store, "--out", new)


def test_a_forecast_of_a_model_with_forcings_beyond_the_store(refused, tmp_path, new):
    store = weather_store(tmp_path / "weather.zarr")
    save_forecaster(tiny_forecaster(store), tmp_path / "model", {})
    line = refused("forecast", tmp_path / "model", store.path, "--steps", 30, "--out", new)
    assert "forcings end 9 steps after the last initial time, but a forecast of 30" in line


@pytest.mark.parametrize("words", [["--resamples", "1"], ["--seed", "-1"]])
def test_a_bootstrap_that_cannot_be(refused, tiny_forecast, tiny_store, new, words):
    assert words[1] in refused("evaluate", tiny_forecast, tiny_store, *words, "--out", new)


# --- outputs


def all_verbs(tiny_run, tiny_store, tiny_forecast):
    return {
        "prepare": ["prepare", "turbulence_small", *TINY_RECIPE],
        "train": ["train", "turbulence_small", tiny_store, *TINY_RECIPE],
        "forecast": ["forecast", tiny_run, tiny_store],
        "evaluate": ["evaluate", tiny_forecast, tiny_store, "--resamples", 20],
    }


VERBS = ["prepare", "train", "forecast", "evaluate"]


@pytest.fixture
def words(request, tiny_run, tiny_store, tiny_forecast):
    return all_verbs(tiny_run, tiny_store, tiny_forecast)[request.param]


@pytest.mark.parametrize("words", VERBS, indirect=True)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_output_that_exists(refused, tmp_path, words, kind):
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("precious")
    else:
        out.mkdir()
        (out / "notes.txt").write_text("precious")
    is_run = words[0] == "train" and kind == "file"
    problem = "is a file, no run folder" if is_run else "exists already"
    assert f"{out} {problem}. Choose another" in refused(*words, "--out", out)


@pytest.mark.parametrize("words", ["prepare", "forecast"], indirect=True)
def test_an_output_that_was_left_unfinished(refused, tmp_path, words):
    (tmp_path / "out.partial").mkdir()
    write_json(tmp_path / "out.partial" / MARK, {"created": True})
    line = refused(*words, "--out", tmp_path / "out")
    assert "is an unfinished output of an earlier run. Add --resume to go on with it" in line


@pytest.mark.parametrize("words", ["prepare", "train", "forecast"], indirect=True)
def test_an_output_is_replaced_if_asked_for(
    command, tmp_path, words, tiny_store, tiny_run, tiny_forecast
):
    old = {"prepare": tiny_store, "train": tiny_run, "forecast": tiny_forecast}[words[0]]
    out = shutil.copytree(old, tmp_path / "out")
    (out / "notes.txt").write_text("old")
    assert command(*words, "--out", out, "--overwrite").code == 0
    assert not (out / "notes.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("words", VERBS, indirect=True)
def test_only_an_output_of_its_kind_is_replaced(refused, tmp_path, words):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("precious")
    kind = {
        "prepare": "training store",
        "train": "run folder",
        "forecast": "forecast",
        "evaluate": "report",
    }
    line = refused(*words, "--out", out, "--overwrite")
    assert f"{out} is no {kind[words[0]]}, and --overwrite replaces nothing else." in line


@pytest.mark.parametrize("words", ["prepare", "train", "forecast"], indirect=True)
def test_resume_and_overwrite_together(refused, new, words):
    assert "exclude each other" in refused(*words, "--out", new, "--resume", "--overwrite")


@pytest.mark.parametrize("words", VERBS, indirect=True)
def test_an_output_below_a_file(refused, tmp_path, words):
    (tmp_path / "file").write_text("")
    line = refused(*words, "--out", tmp_path / "file" / "out")
    assert f"{tmp_path / 'file'} is no folder. Choose another path." in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("words", VERBS, indirect=True)
def test_an_output_in_a_folder_that_may_not_be_written(refused, tmp_path, words):
    (tmp_path / "locked").mkdir(mode=0o500)
    line = refused(*words, "--out", tmp_path / "locked" / "out")
    assert "may not be written (Permission denied). Choose another path." in line


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="only Linux has it")
@pytest.mark.parametrize("words", VERBS, indirect=True)
def test_an_output_where_the_system_makes_no_folder(refused, words):
    line = refused(*words, "--out", "/proc/new/output")
    assert line == (
        "error: /proc/new/output cannot be made: /proc may not be written (No such file or directory). "
        "Choose another path."
    )


def test_resume_with_another_recipe(command, refused, tiny_store, tmp_path):
    out = shutil.copytree(tiny_store, tmp_path / "truth.zarr")
    other = [*TINY_RECIPE, "data.source.seed=5"]
    line = refused("prepare", "turbulence_small", *other, "--out", out, "--resume")
    assert "the store there is of another recipe" in line
    run = tmp_path / "run"
    words = ["train", "turbulence_small", tiny_store, *TINY_RECIPE, "--out", run]
    assert command(*words).code == 0
    line = refused(*words, "seed=5", "--resume")
    assert "was started with another recipe or other overrides" in line


def test_resume_with_another_model(command, refused, tiny_run, tiny_store, tmp_path):
    out = tmp_path / "forecast.zarr"
    assert command("forecast", tiny_run, tiny_store, "--out", out).code == 0
    line = refused("forecast", tiny_run, tiny_store, "--out", out, "--steps", 3, "--resume")
    assert "the forecast there is another: it has 7 steps, you ask for " in line
    assert "forecast again with another --out: the steps that both have are the same" in line


def test_a_gpu_that_is_not_there(refused, tiny_run, tiny_store, new):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    line = refused("forecast", tiny_run, tiny_store, "--device", "cuda", "--out", new)
    assert "no GPU is found" in line


def test_an_unknown_demonstration(refused, new):
    line = refused("demo", "turbulense", "--out", new)
    assert line == "error: no demonstration is called 'turbulense'; did you mean 'turbulence'?"
