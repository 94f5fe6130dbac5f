from pathlib import Path

import pytest
import yaml

from triton_earth.bench.config import BenchConfig, load_bench
from triton_earth.core.errors import UserError

BENCHES = Path(__file__).parents[3] / "benchmarks" / "benches"

BENCH = {
    "title": "Bench",
    "recipe": "turbulence_small",
    "variants": {"one": {}, "wide": {"model.network.temporal_hidden_dim": 128}},
    "budget": {"samples": 800},
}


def written(folder, **changes):
    file = folder / "bench.yaml"
    file.write_text(yaml.safe_dump(BENCH | changes), encoding="utf-8")
    return file


def test_a_variant_changes_the_recipe(tmp_path):
    config = load_bench(written(tmp_path, overrides={"train.noise": 1e-05}))
    recipes = [
        config.recipe_of(name, train__learning_rate=3e-5, seed=4) for name in BENCH["variants"]
    ]
    assert [recipe.model.network.temporal_hidden_dim for recipe in recipes] == [48, 128]
    assert {recipe.train.noise for recipe in recipes} == {1e-5}
    assert {(recipe.train.learning_rate, recipe.seed) for recipe in recipes} == {(3e-5, 4)}


def test_a_recipe_beside_the_bench_is_found(tmp_path):
    from triton_earth.workflow.recipes.recipe import shipped_recipes

    text = shipped_recipes()["turbulence_small"].read_text(encoding="utf-8")
    (tmp_path / "own.yaml").write_text(text.replace("seed: 0", "seed: 7"), encoding="utf-8")
    config = load_bench(written(tmp_path, recipe="own.yaml"))
    assert config.recipe_of("one").seed == 7


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"variant": {}}, r"unknown key 'variant'; did you mean 'variants'\?"),
        ({"variants": {}}, r"key 'variants': .*at least 1 item"),
        ({"variants": {"a/b": {}}}, r"variants: 'a/b' is also the name of a folder; use letters"),
        ({"variants": {"a": {"train.steps": 9}}}, r"'a' changes 'train\.steps', but the budget"),
        (
            {"variants": {"a": {"data.source.grid": 9}}},
            r"'a' changes 'data\.source\.grid', but all",
        ),
        ({"variants": {"a": {"seed": 9}}}, r"'a' changes 'seed', but the key 'seeds' has them"),
        (
            {"variants": {"a": {"model.network.widht": 9}}},
            r"^variant 'a': turbulence_small: unknown key 'model\.network\.widht'; ",
        ),
        (
            {"budget": {}},
            r"budget: expected one of samples, flops, .* found none; give exactly one",
        ),
        ({"budget": {"samples": 9, "flops": 9}}, r"found \['samples', 'flops'\]; give exactly one"),
        (
            {"budget": {"samples": 0}},
            r"'budget\.samples': Input should be greater than or equal to 1",
        ),
        ({"search": {"rates": []}}, r"'search\.rates': .*at least 1 item"),
        (
            {"leads": [1, 100]},
            r"^leads: lead 100 is beyond the forecasts of variant 'one', which have 99 steps\. Set "
            r"forecast\.steps: 100 in 'overrides', or take shorter leads\.$",
        ),
        ({"recipe": "turbulence_smal"}, r"variant 'one': turbulence_smal: no such file, and no"),
    ],
)
def test_refusals(tmp_path, changes, text):
    with pytest.raises(UserError, match=text) as refused:
        load_bench(written(tmp_path, **changes))
    assert "\n" not in str(refused.value)


def test_leads_and_seeds_are_sorted():
    config = BenchConfig.parse(BENCH | {"leads": [50, 1, 1], "seeds": [2, 0]}, "here")
    assert (config.leads, config.seeds) == ((1, 50), (0, 2))


def test_leads_of_the_default_need_not_be_reached(tmp_path):
    config = load_bench(written(tmp_path, overrides={"forecast.steps": 5}))
    assert max(config.leads) == 99


def test_a_budget_in_words():
    config = BenchConfig.parse(BENCH | {"budget": {"cpu_seconds": 90}}, "here")
    assert str(config.budget) == "90 CPU seconds"


def test_baselines_are_known_and_hold_what_errors_are_shown_over():
    config = BenchConfig.parse(BENCH | {"baselines": ["persistence", "linear_inverse"]}, "here")
    assert config.baselines == ("persistence", "linear_inverse")
    with pytest.raises(
        UserError, match=r"'linear_invers' is no reference forecast; .*linear_inverse"
    ):
        BenchConfig.parse(BENCH | {"baselines": ["persistence", "linear_invers"]}, "here")
    with pytest.raises(UserError, match=r"errors are shown over those of persistence; add it"):
        BenchConfig.parse(BENCH | {"baselines": ["climatology"]}, "here")


@pytest.mark.parametrize("name", sorted(path.name for path in BENCHES.glob("*.yaml")))
def test_the_benches_of_the_repository_can_be_read(name):
    config = load_bench(BENCHES / name)
    for variant in config.variants:
        assert config.recipe_of(variant).model.network.name
