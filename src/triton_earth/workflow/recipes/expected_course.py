"""What a run of a shipped recipe looks like: loss and validation score by step of earlier runs, and their spread."""

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import read_json
from triton_earth.core.wording import number
from triton_earth.workflow.recipes.recipe import Recipe

FOLDER = Path(str(importlib.resources.files("triton_earth"))) / "workflow" / "recipes" / "expected"
"""Where the courses of shipped recipes are."""

SCORES = ("loss", "validation_mse", "validation_crps")
"""Columns of a log that have a course, where the runs have them."""

FREE = (
    "device",
    "compile",
    "precision",
    "threads",
    "loggers",
    "report",
    "memory_gb",
    "loader_workers",
    "mean_correction",
    "validate_every",
)
"""Settings of training that leave the course as it is, but for what bfloat16 rounds."""

SMOOTHED = 5
"""Logged losses, each of a single batch, whose mean is compared."""


@dataclass(frozen=True)
class Course:
    """Lowest, mean and highest value over runs that differ by their seed, at each logged step.

    Attributes:
        recipe: Name of the recipe.
        settings: Its data, model and training without what leaves the course as it is.
        seeds: Seeds of the runs.
        machine: What they ran on.
        command: How a run of them is made.
        steps: Steps [step] of each score.
        lowest: Least value over runs [step], by score.
        mean: Mean over runs [step].
        highest: Largest value over runs [step].
    """

    recipe: str
    settings: dict[str, Any]
    seeds: list[int]
    machine: str
    command: str
    steps: dict[str, list[int]]
    lowest: dict[str, list[float]]
    mean: dict[str, list[float]]
    highest: dict[str, list[float]]

    def at_end(self, score: str) -> str:
        """Return the last value of a score in words."""
        low, high = self.lowest[score][-1], self.highest[score][-1]
        if len(self.seeds) == 1:
            return number(low)
        return f"{number(self.mean[score][-1])} ({number(low)} to {number(high)})"


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return the settings that decide the course of a run, as plain values."""
    values: dict[str, Any] = json.loads(recipe.model_dump_json(include={"data", "model", "train"}))
    values["train"] = {key: one for key, one in values["train"].items() if key not in FREE}
    return values


def course_of(
    recipe: Recipe, logs: Mapping[int, xr.Dataset], *, name: str, machine: str, command: str
) -> Course:
    """Return the course of runs of one recipe.

    Args:
        recipe: What they were trained by.
        logs: Their logs by seed, as `triton_earth.training.logs.log.read_logs` gives them.
        name: Name of the recipe.
        machine: What they ran on.
        command: How a run of them is made.

    Raises:
        UserError: if there is no run, or they logged at different steps.
    """
    if not logs:
        raise UserError("expected the logs of one run at least, found none.")
    found: dict[str, dict[str, list[Any]]] = {
        part: {} for part in ("steps", "lowest", "mean", "highest")
    }
    for score in SCORES:
        if any(score not in one for one in logs.values()):
            continue
        curves = [_curve(one, score) for one in logs.values()]
        steps = curves[0][0].tolist()
        if any(one[0].tolist() != steps for one in curves):
            raise UserError(
                f"the runs logged '{score}' at different steps; take runs that differ by their seed alone."
            )
        values = np.stack([one[1] for one in curves])
        found["steps"][score] = steps
        for part, reduced in (
            ("lowest", values.min(axis=0)),
            ("mean", values.mean(axis=0)),
            ("highest", values.max(axis=0)),
        ):
            found[part][score] = [float(f"{value:.4g}") for value in reduced]
    return Course(name, settings_of(recipe), sorted(logs), machine, command, **found)


def expected_course(recipe: Recipe) -> Course | None:
    """Return the course of the shipped recipe whose data, model and training are those of `recipe`.

    None where there is none, or its runs were trained otherwise.
    """
    settings = settings_of(recipe)
    for file in sorted(FOLDER.glob("*.json")):
        course = Course(**read_json(file, "expected course"))
        # Read as a recipe is: settings that came later have their defaults.
        trained = Recipe.parse({"title": course.recipe, **course.settings}, course.recipe)
        if settings_of(trained) == settings:
            return course
    return None


def write_course(course: Course, path: Path) -> None:
    """Write a course as a file that `expected_course` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(course), indent=1) + "\n", encoding="utf-8")


def with_course(logs: xr.Dataset, course: Course) -> xr.Dataset:
    """Return logs with the course beside them: `expected_NAME` (expected_NAME_step, expected_bound)."""
    added = {
        f"expected_{score}": (
            (f"expected_{score}_step", "expected_bound"),
            np.stack([course.lowest[score], course.mean[score], course.highest[score]], axis=1),
        )
        for score in course.steps
    }
    coordinates: dict[str, list[Any]] = {
        f"expected_{score}_step": steps for score, steps in course.steps.items()
    }
    coordinates["expected_bound"] = ["lowest", "mean", "highest"]
    return (
        logs.assign_coords(coordinates).assign(added).assign_attrs(expected=compared(logs, course))
    )


def compared(logs: xr.Dataset, course: Course) -> str:
    """Return in a sentence how a run ended beside the runs of its course: by the CRPS of its members, if it has any."""
    score = "validation_crps" if "validation_crps" in course.steps else "validation_mse"
    steps, values = _curve(logs, score)
    seeds = _listed(course.seeds)
    begun = f"Runs of recipe {course.recipe} (seed{'s' if len(course.seeds) > 1 else ''} {seeds}, {course.machine})"
    last = course.steps[score][-1]
    expected = f"{begun} end with a {score} of {course.at_end(score)} after {last} steps"
    if not steps.size:
        return f"{expected}."
    place = np.flatnonzero(np.array(course.steps[score]) == steps[-1])
    if not place.size:
        return f"{expected}; this one has {number(float(values[-1]))} after {steps[-1]}."
    mean = course.mean[score][int(place[0])]
    return (
        f"{expected}; this one has {number(float(values[-1]))} after {steps[-1]}, "
        f"{float(values[-1]) / mean:.2f} times the mean of theirs there."
    )


def _curve(logs: xr.Dataset, score: str) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and values of a score where it is known; losses are means over the last few."""
    there = np.isfinite(logs[score].values)
    values = logs[score].values[there]
    if score == "loss":
        sums = np.cumsum(np.concatenate([[0.0], values]))
        ends = np.arange(1, values.size + 1)
        begins = np.maximum(0, ends - SMOOTHED)
        values = (sums[ends] - sums[begins]) / (ends - begins)
    return logs["step"].values[there], values


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
