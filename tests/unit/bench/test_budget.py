import pytest

from triton_earth.bench.budget import Cost, affordable_steps, measured_cost, schedule_for
from triton_earth.bench.config import Budget
from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig
from triton_earth.workflow.recipes.recipe import load_recipe

COST = Cost(parameters=9, flops=2e6, cpu_seconds=0.5, wall_seconds=0.25)


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (Budget(samples=815), 101),
        (Budget(flops=1e8), 50),
        (Budget(cpu_seconds=20), 40),
        (Budget(wall_seconds=20), 80),
    ],
)
def test_a_budget_pays_for_whole_steps(budget, steps):
    assert affordable_steps(budget, COST, batch_size=8) == steps


def test_a_budget_of_less_than_ten_steps_is_refused():
    text = (
        r"budget\.cpu_seconds=2 pays for 4 steps of 0\.5 each, .* needs 10; raise it to 5, or take"
    )
    with pytest.raises(UserError, match=text):
        affordable_steps(Budget(cpu_seconds=2), COST, batch_size=8)


def test_a_shorter_run_has_a_shorter_schedule():
    stages = [{"from_step": 0, "horizon": 1}, {"from_step": 800, "horizon": 2}]
    config = TrainConfig(
        steps=1000, warmup_steps=100, curriculum=stages, schedule="trapezoid", decay_steps=200
    )
    settings = {
        key.removeprefix("train__"): value for key, value in schedule_for(config, 300).items()
    }
    shorter = config.model_copy(update=settings)
    assert (shorter.steps, shorter.warmup_steps, shorter.decay_steps) == (300, 30, 60)
    assert [stage["from_step"] for stage in settings["curriculum"]] == [0, 240]
    assert settings["validate_every"] == 60


def test_the_cost_of_a_curriculum_lies_between_those_of_its_stages(waves):
    overrides = ["model.network={name: resnet, width: 4, blocks: 1}", "train.batch_size=4"]
    overrides.append("train.steps=1200")

    def flops(*more):
        return measured_cost(load_recipe("turbulence_small", [*overrides, *more]), waves).flops

    one, two = flops(), flops("train.horizon=2")
    half = flops("train.curriculum=[{from_step: 0, horizon: 1}, {from_step: 600, horizon: 2}]")
    assert one < two
    assert half == pytest.approx((one + two) / 2)
    cost = measured_cost(load_recipe("turbulence_small", overrides), waves)
    assert cost.parameters == 4 + 4 + 20 + 2 * (8 + 148) + 20 + 5
    assert cost.cpu_seconds > 0
    assert cost.wall_seconds > 0


def test_the_cost_of_a_curriculum_counts_the_members_of_each_stage(weather):
    overrides = [
        "model.noise={channels: 1, scales: [1]}",
        "model.network={name: resnet, width: 4, blocks: 1}",
        "train.batch_size=2",
        "train.steps=1000",
    ]
    alone = "{from_step: 0, horizon: 1, members: 1, loss: mse}"
    together = "{from_step: %d, horizon: 1, members: 2, loss: crps}"

    def flops(*stages):
        recipe = load_recipe(
            "turbulence_small", [*overrides, f"train.curriculum=[{', '.join(stages)}]"]
        )
        return measured_cost(recipe, weather).flops

    one, two = flops(alone), flops(together % 0)
    assert two == pytest.approx(2 * one, rel=0.01)
    assert flops(alone, together % 750) == pytest.approx(0.75 * one + 0.25 * two)
