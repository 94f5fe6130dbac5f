"""The schema for editors: the shipped recipes fit it, mistakes do not, and the shipped file is what is printed."""

import json

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from triton_earth.cli import app
from triton_earth.models import registry
from triton_earth.workflow.recipes.recipe import shipped_recipes


@pytest.fixture(scope="module")
def printed():
    ours = {
        name: config
        for name, config in registry._CONFIGS.items()
        if config.__module__.startswith("triton_earth.")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_CONFIGS", ours)  # other tests register theirs
        done = CliRunner().invoke(app, ["schema"])
    assert done.exit_code == 0
    return done.output


@pytest.fixture(scope="module")
def validator(printed):
    return jsonschema.Draft202012Validator(json.loads(printed))


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_names_the_schema_and_fits_it(name, validator):
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    validator.validate(yaml.safe_load(text))


def test_the_shipped_schema_is_up_to_date(printed):
    there = (shipped_recipes()["weather"].parent / "recipe.schema.json").read_text("utf-8")
    assert there == printed, "run: triton-earth schema > recipes/recipe.schema.json"


@pytest.mark.parametrize(
    "change",
    [
        {"tarin": {}},
        {"train": {"stpes": 3}},
        {"train": {"steps": "many"}},
        {"model": {"network": {"name": "triton", "widht": 3}}},
        {"data": {"kind": "griddde"}},
    ],
)
def test_a_mistake_does_not_fit(change, validator):
    recipe = yaml.safe_load(shipped_recipes()["turbulence_small"].read_text(encoding="utf-8"))
    assert not list(validator.iter_errors({**recipe, "model": {"network": {"name": "a:B"}}}))
    assert list(validator.iter_errors({**recipe, **change}))


def test_attributes_are_described_where_editors_show_them(printed):
    recipe = json.loads(printed)
    assert recipe["properties"]["title"]["description"] == "What reports call it."
    assert recipe["description"] == "An experiment: its data, model, training and forecast."
