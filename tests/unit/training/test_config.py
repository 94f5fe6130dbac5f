import pytest

from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig

STAGES = [{"from_step": 0, "horizon": 1}, {"from_step": 50, "horizon": 2}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"horizon": 2, "curriculum": STAGES},
            "horizon=2 and a curriculum exclude each other; give one of them.",
        ),
        (
            {"steps": 50, "curriculum": STAGES},
            "a stage of the curriculum begins at step 50, but there are 50 steps, from 0. Raise steps, or drop the "
            "stage.",
        ),
        (
            {"steps": 100, "schedule": "trapezoid", "warmup_steps": 90},
            "warmup_steps=90 and a fall of 20 steps (decay_steps, or a fifth of all) do not fit into steps=100; "
            "shorten one of them.",
        ),
        (
            {"back_to_best": True, "parallel": "fsdp"},
            "train.back_to_best keeps whole weights in each process, but parallel=fsdp cuts them. Take parallel=ddp, "
            "or leave it out.",
        ),
    ],
)
def test_settings_that_exclude_each_other(values, message):
    with pytest.raises(UserError) as caught:
        TrainConfig.parse(values, "recipe")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_just_fits():
    TrainConfig.parse({"steps": 51, "warmup_steps": 0, "curriculum": STAGES}, "recipe")
    config = TrainConfig.parse(
        {"steps": 100, "schedule": "trapezoid", "warmup_steps": 80}, "recipe"
    )
    assert config.fall == 20
    # What a run writes down is read back, defaults included.
    assert TrainConfig.parse(config.model_dump(mode="json"), "recipe") == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"noise": -1}, "key 'noise': Input should be greater than or equal to 0, found -1."),
        (
            {"noise": {4: -1}},
            "key 'noise.4': Input should be greater than or equal to 0, found -1.",
        ),
        ({"noise": {0: 1}}, "key 'noise.0': Input should be greater than or equal to 1, found 0."),
        (
            {"curriculum": [{"from_step": 0, "horizon": 1, "noise": {4: -1}}]},
            "key 'curriculum.0.noise.4': Input should be greater than or equal to 0, found -1.",
        ),
    ],
)
def test_wrong_sizes_of_noise(values, message):
    with pytest.raises(UserError) as caught:
        TrainConfig.parse(values, "recipe")
    assert str(caught.value) == f"recipe: {message}"
