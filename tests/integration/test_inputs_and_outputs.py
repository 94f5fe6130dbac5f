"""No command destroys what it reads, and what is replaced goes away only for something as good."""

import pathlib
import shutil

import pytest

from tests.builders import TINY_RECIPE, files_below
from tests.gridded import dataset, write, write_recipe
from triton_earth.workflow.recipes.recipe import find_recipe


@pytest.fixture
def case(tmp_path, tiny_store, tiny_run, tiny_forecast):
    """Copies of all inputs, in a folder of their own."""
    folder = tmp_path / "inputs"
    shutil.copytree(tiny_store, folder / "truth.zarr")
    shutil.copytree(tiny_run, folder / "run")
    shutil.copytree(tiny_forecast, folder / "forecast.zarr")
    shutil.copyfile(find_recipe("turbulence_small"), folder / "recipe.yaml")
    return folder


COMMANDS = {
    "prepare": (["prepare", "recipe.yaml", *TINY_RECIPE], ["recipe.yaml", "../inputs"]),
    "train": (
        ["train", "recipe.yaml", "truth.zarr", *TINY_RECIPE, "train.init_from=run"],
        ["recipe.yaml", "truth.zarr", "truth.zarr/state", "run", "run/forecaster", "../inputs"],
    ),
    "forecast": (
        ["forecast", "run", "truth.zarr", "--forcings", "copy.zarr"],
        ["run", "run/forecaster/new", "truth.zarr", "copy.zarr", "../inputs"],
    ),
    "evaluate": (
        ["evaluate", "forecast.zarr", "truth.zarr"],
        ["forecast.zarr", "truth.zarr", "truth.zarr/new", "../inputs"],
    ),
    "evaluate a model": (["evaluate", "run", "truth.zarr", "--steps", 2], ["run", "truth.zarr"]),
    "compare": (
        ["compare", "forecast.zarr", "other.zarr", "truth.zarr"],
        ["forecast.zarr", "other.zarr/new", "truth.zarr", "../inputs"],
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_would_destroy_an_input(refused, case, monkeypatch, name):
    (case / "copy.zarr").symlink_to(case / "truth.zarr")
    (case / "other.zarr").symlink_to(case / "forecast.zarr")
    monkeypatch.chdir(case)
    words, outputs = COMMANDS[name]
    for out in outputs:
        line = refused(*words, "--out", out, "--overwrite")
        assert f"{pathlib.Path(out)} is, holds or lies within " in line
        assert "which this command reads. Choose another path." in line


def test_a_store_in_place_of_the_files_it_is_made_from(refused, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    file = write(data / "a.nc", dataset())
    recipe = write_recipe(tmp_path / "recipe.yaml", file)
    for out in (data, file):
        line = refused("prepare", recipe, "--out", out, "--overwrite")
        assert f"{out} is, holds or lies within " in line


def train_words(store):
    return ["train", "turbulence_small", store, *TINY_RECIPE]


def test_a_run_that_diverges_leaves_the_run_that_it_was_to_replace(command, case, tiny_store):
    run = case / "run"
    before = files_below(run)
    words = [*train_words(tiny_store), "train.learning_rate=1e9", "train.warmup_steps=0"]
    outcome = command(*words, "--out", run, "--overwrite")
    assert outcome.code == 2
    assert f"{run}: what was there before is back." in outcome.err
    assert files_below(run) == before
    assert not list(case.glob(".*"))


def test_a_run_that_diverges_in_a_new_folder_leaves_its_logs(command, case, tiny_store, tmp_path):
    words = [*train_words(tiny_store), "train.learning_rate=1e9", "train.warmup_steps=0"]
    assert command(*words, "--out", tmp_path / "new").code == 2
    assert (tmp_path / "new" / "log.csv").exists()


def test_an_unfinished_run_does_not_take_the_place_of_the_one_it_was_to_replace(
    command, case, tiny_store
):
    """Killed before its first forecaster, then started again."""
    run = case / "run"
    before = files_below(run)
    run.rename(case / "old")
    run.mkdir()
    (run / "log.csv").write_text("begun")
    (case / "old").rename(run / "replaced")
    words = [*train_words(tiny_store), "--out", run, "--overwrite"]
    assert command(*words, "train.learning_rate=1e9", "train.warmup_steps=0").code == 2
    assert files_below(run) == before
    assert command(*words).code == 0
    assert not (run / "replaced").exists()
