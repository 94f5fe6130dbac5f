"""What runs of a recipe looked like, and what is said of a run beside them."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.plots.training_curves import log_curves
from triton_earth.workflow.recipes import expected_course as module
from triton_earth.workflow.recipes.expected_course import (
    compared,
    course_of,
    expected_course,
    with_course,
    write_course,
)
from triton_earth.workflow.recipes.recipe import load_recipe, shipped_recipes

STEPS = [20, 40, 60]


def logs(losses, scores):
    """Logs whose score is known at the steps where it is not NaN."""
    known = np.array(scores)
    return xr.Dataset(
        {
            "loss": ("step", np.array(losses)),
            "validation_mse": ("step", known),
            "persistence_mse": ("step", np.where(np.isnan(known), np.nan, 1.0)),
            "learning_rate": ("step", np.full(3, 1e-3)),
            "gradient_norm": ("step", np.ones(3)),
            "samples_per_second": ("step", np.ones(3)),
        },
        coords={"step": STEPS},
    )


FIRST = logs([4.0, 2.0, 1.2], [np.nan, 0.4, 0.2])
SECOND = logs([2.0, 2.0, 0.8], [np.nan, 0.6, 0.1])


@pytest.fixture
def course():
    recipe = load_recipe("turbulence_small")
    runs = {0: FIRST, 3: SECOND}
    return course_of(recipe, runs, name="turbulence_small", machine="a machine", command="c")


def test_a_course_is_mean_and_range_over_seeds(course):
    assert course.steps == {"loss": STEPS, "validation_mse": [40, 60]}
    assert course.lowest["validation_mse"] == [0.4, 0.1]
    assert course.mean["validation_mse"] == pytest.approx([0.5, 0.15])
    assert course.highest["validation_mse"] == [0.6, 0.2]
    # Losses are means over those logged so far: 4, 3, 2.4 and 2, 2, 1.6.
    assert course.lowest["loss"] == [2.0, 2.0, 1.6]
    assert course.highest["loss"] == [4.0, 3.0, 2.4]
    assert course.seeds == [0, 3]


def test_a_run_is_compared_at_its_last_step(course):
    run = logs([1.0, 1.0, 1.0], [np.nan, np.nan, 0.3])
    assert compared(run, course) == (
        "Runs of recipe turbulence_small (seeds 0, 3, a machine) end with a validation_mse of 0.150 (0.100 to 0.200) "
        "after 60 steps; this one has 0.300 after 60, 2.00 times the mean of theirs there."
    )
    shorter = logs([1.0, 1.0, 1.0], [0.9, np.nan, np.nan])
    assert compared(shorter, course).endswith("; this one has 0.900 after 20.")
    lost = logs([1.0, 1.0, 1.0], [np.nan] * 3)
    assert compared(lost, course).endswith("(0.100 to 0.200) after 60 steps.")


def test_runs_that_logged_otherwise_have_no_course():
    recipe = load_recipe("turbulence_small")
    other = logs([1.0, 1.0, 1.0], [0.9, np.nan, 0.3])
    with pytest.raises(UserError, match=r"logged 'validation_mse' at different steps; take runs"):
        course_of(recipe, {0: FIRST, 1: other}, name="n", machine="m", command="c")
    with pytest.raises(UserError, match="the logs of one run at least, found none"):
        course_of(recipe, {}, name="n", machine="m", command="c")


def test_a_recipe_finds_its_own_course_alone(course, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    write_course(course, tmp_path / "turbulence_small.json")
    same = load_recipe("turbulence_small", ["seed=5", "train.threads=2", "train.validate_every=7"])
    assert expected_course(same) == course
    for change in ("train.steps=7", "model.history=2", "data.source.reynolds=500"):
        assert expected_course(load_recipe("turbulence_small", [change])) is None


def test_settings_that_came_later_have_their_defaults(course, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    del course.settings["train"]["ema_decay"]
    write_course(course, tmp_path / "turbulence_small.json")
    assert expected_course(load_recipe("turbulence_small")) == course
    assert expected_course(load_recipe("turbulence_small", ["train.ema_decay=0.9"])) is None


def test_every_course_of_the_package_is_that_of_its_recipe_as_it_is():
    files = sorted(module.FOLDER.glob("*.json"))
    assert files
    for file in files:
        assert file.stem in shipped_recipes()
        found = expected_course(load_recipe(file.stem))
        assert found is not None
        assert found.recipe == file.stem


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_that_has_chosen_its_precision_has_the_course_of_auto(precision):
    recipe = load_recipe("weather_small_quick", [f"train.precision={precision}"])
    found = expected_course(recipe)
    assert found is not None
    assert found.recipe == "weather_small_quick"


def test_the_figure_shows_the_range_behind_the_run(course):
    score = log_curves(with_course(FIRST, course)).axes[1]
    (mean,) = (line for line in score.get_lines() if line.get_label() == "expected")
    assert mean.get_xdata().tolist() == [40, 60]
    assert mean.get_ydata() == pytest.approx([0.5, 0.15])
    (band,) = score.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.1, 0.6)
    assert not log_curves(FIRST).axes[1].collections


def test_a_stochastic_run_is_compared_by_the_crps_of_its_members():
    def with_crps(run, values):
        return run.assign(validation_crps=("step", np.array(values)))

    recipe = load_recipe("weather_small")
    runs = {0: with_crps(FIRST, [np.nan, 0.3, 0.2]), 1: with_crps(SECOND, [np.nan, 0.3, 0.4])}
    found = course_of(recipe, runs, name="weather_small", machine="a machine", command="c")
    assert found.steps["validation_crps"] == [40, 60]
    run = with_crps(FIRST, [np.nan, 0.5, 0.6])
    assert compared(run, found) == (
        "Runs of recipe weather_small (seeds 0, 1, a machine) end with a validation_crps of 0.300 (0.200 to 0.400) "
        "after 60 steps; this one has 0.600 after 60, 2.00 times the mean of theirs there."
    )
    panels = {axes.get_title(loc="left"): axes for axes in log_curves(with_course(run, found)).axes}
    assert len(panels["Validation CRPS"].collections) == 1
    assert "Validation CRPS" not in [axes.get_title(loc="left") for axes in log_curves(FIRST).axes]


def test_members_of_some_runs_alone_have_no_course():
    recipe = load_recipe("weather_small")
    one = FIRST.assign(validation_crps=("step", np.array([np.nan, 0.3, 0.2])))
    found = course_of(recipe, {0: one, 1: SECOND}, name="n", machine="m", command="c")
    assert list(found.steps) == ["loss", "validation_mse"]
