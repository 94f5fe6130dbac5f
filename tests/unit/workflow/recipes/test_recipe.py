import shutil

import pytest

from triton_earth.core.config import to_yaml
from triton_earth.core.errors import UserError
from triton_earth.workflow.recipes.recipe import load_recipe, shipped_recipes


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_every_shipped_recipe_is_valid_and_survives_yaml(name, tmp_path):
    recipe = load_recipe(name)
    path = tmp_path / "resolved.yaml"
    path.write_text(to_yaml(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe
    if recipe.data.kind == "simulation":
        assert recipe.data.source.grid <= recipe.data.source.simulation_grid


def test_a_recipe_is_a_file_or_a_name(tmp_path):
    path = tmp_path / "mine.yaml"
    shutil.copy(shipped_recipes()["turbulence_small"], path)
    assert load_recipe(path) == load_recipe("turbulence_small")


def test_overrides_change_it():
    recipe = load_recipe("turbulence_small", ["train.steps=7", "data.source.grid=32"])
    assert recipe.train.steps == 7
    assert recipe.data.source.grid == 32


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train.stepps=7"], "unknown key 'train.stepps'; did you mean 'steps'?"),
        (["data.source.reynold=7"], "unknown key 'data.source.reynold'; did you mean 'reynolds'?"),
        (["modle.history=7"], "unknown key 'modle'; did you mean 'model'?"),
        (["model.network.blcoks=7"], "unknown key 'model.network.blcoks'; did you mean 'blocks'?"),
        (["model.network.name=unett"], "unknown network 'unett'; "),
        (["model.network=5"], "expected a mapping with the key 'name', found 5"),
        (
            ["train.steps=0"],
            "key 'train.steps': Input should be greater than or equal to 1, found 0.",
        ),
        (["train.learning_rate=fast"], "key 'train.learning_rate': Input should be a valid number"),
        (["data.splits.test=0"], "key 'data.splits.test': Input should be greater than or equal"),
        (["data.source.kind=rain"], "key 'data.source.kind': unknown kind 'rain'; known are"),
        (
            ["data.source.simulation_grid=32"],
            "key 'data.source': expected simulation_grid of at least",
        ),
        (["train=5"], "key 'train': Input should be a valid dictionary"),
    ],
)
def test_a_wrong_recipe_is_explained_in_one_line(overrides, expected):
    with pytest.raises(UserError) as caught:
        load_recipe("turbulence_small", overrides)
    text = str(caught.value)
    assert text.startswith("turbulence_small: ")
    assert expected in text
    assert "\n" not in text
    assert len(text) < 300


def test_a_missing_recipe_names_the_nearest():
    with pytest.raises(UserError) as caught:
        load_recipe("turbulence_smal")
    assert "no such file, and no recipe of that name" in str(caught.value)
    assert "did you mean 'turbulence_small'?" in str(caught.value)
