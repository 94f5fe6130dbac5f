"""What skill costs: training until the validation error first reaches the original configuration's best, side by side.

    python benchmarks/time_to_skill.py --folder time_to_skill --json benchmarks/results/time_to_skill.json

The script trains two configurations of each recipe with each seed, for equal steps and on the same store: the
original system (plain stages, zero padding, full state, one skip, no noise) and this package's. The goal is the
lowest validation error (`validation_mse`, one step, normalised) of the original system at any of its validations. The
cost of a configuration is the training until its error is first as low: samples, and seconds (of the processor, on a
GPU of the clock) of so many steps. What a step takes is the difference of a longer and a shorter training, so that
opening the data and validations, which are there to be measured by, do not count; it is the median of `--repeats`
such pairs, original and ours in turns. The weather recipe is trained without
noise channels and ensemble loss in both configurations, with the normalisation and inputs of the recipe: a single
member of a stochastic forecast has no error that compares. The script keeps the trainings of the same folder and
settings, and does not repeat them.
"""

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from defaults import ORIGINAL

from triton_earth.training.logs.log import read_logs
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.recipes.recipe import load_recipe
from triton_earth.workflow.train import train

SINGLE = {
    "model.noise": "null",
    "train.members": "1",
    "train.loss": "mse",
    "train.select_by": "validation_mse",
    "train.curriculum": "[]",
}
"""Changes that turn a stochastic recipe into a recipe of single forecasts."""

PUBLISHED = {**ORIGINAL, "model.damping": "{}"}
"""The original system's choices, for any recipe."""

RECIPES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "turbulence_small": ({}, PUBLISHED),
    "weather_small_quick": (
        SINGLE,
        PUBLISHED
        | {
            "train.learning_rate": "2e-3",
            "train.warmup_steps": "100",
            "train.weight_decay": "0.01",
            "train.batch_size": "8",
            "train.precision": "float32",
        },
    ),
}
"""Changes to each recipe in both configurations, and those for the original system."""


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Train what the command line asks for, and print, save and return what it costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--validations", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--repeats", type=int, default=3, help="measurements of what a step takes")
    parser.add_argument(
        "--timed", type=int, nargs=2, default=[20, 60], help="steps of the two trainings of a pair"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", nargs="*", default=[], help="further changes of the recipes")
    parser.add_argument("--folder", type=Path, default=Path("time_to_skill"))
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for recipe in arguments.recipes:
        store = arguments.folder / f"{recipe}.zarr"
        prepare(recipe, store, arguments.set, resume=True)
        step_seconds = seconds_of_a_step(recipe, store, arguments)
        pairs = []
        for seed in arguments.seeds:
            every = max(1, arguments.steps // arguments.validations)
            common = settings(recipe, arguments.device, seed, arguments.steps, every)
            both = [
                course(recipe, store, [*words_of(own | common), *arguments.set])
                for own in (RECIPES[recipe][1], {})
            ]
            for one, seconds in zip(both, step_seconds, strict=True):
                one["seconds"] = [seconds * step for step in one["steps"]]
            pairs.append(compared(*both))
            print(recipe, seed, json.dumps(pairs[-1]), flush=True)
        results[recipe] = {
            "seeds": pairs,
            "times_cheaper": spread(pairs),
            "seconds_of_a_step": dict(zip(("original", "ours"), step_seconds, strict=True)),
        }
    report = {
        "command": " ".join(["python", "benchmarks/time_to_skill.py", *(words or sys.argv[1:])]),
        "machine": {
            "processor": platform.machine(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "recipes": results,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def settings(recipe: str, device: str, seed: int, steps: int, every: int) -> dict[str, str]:
    """Return what both configurations of a recipe share."""
    return {
        **RECIPES[recipe][0],
        "seed": str(seed),
        "train.steps": str(steps),
        "train.validate_every": str(every),
        "train.device": device,
        "train.report": "false",
    }


def words_of(changes: dict[str, str]) -> list[str]:
    """Return changes of a recipe as the command line takes them."""
    return [f"{key}={value}" for key, value in changes.items()]


def course(recipe: str, store: Path, overrides: list[str]) -> dict[str, Any]:
    """Train and return the error at each validation, with the steps and samples until then."""
    key = hashlib.sha256(" ".join([recipe, *overrides]).encode()).hexdigest()[:12]
    run = store.with_name(key)
    file = run.with_suffix(".json")
    if file.is_file():
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept
    forecaster = train(recipe, store, run, overrides, overwrite=True)
    errors = read_logs(run)["validation_mse"].dropna("step")
    steps = errors["step"].values
    batch = load_recipe(recipe, overrides).train.batch_size
    found = {
        "parameters": forecaster.parameter_count,
        "errors": errors.values.tolist(),
        "steps": steps.tolist(),
        "samples": (batch * steps).tolist(),
    }
    file.write_text(json.dumps(found))
    return found


def seconds_of_a_step(recipe: str, store: Path, arguments: argparse.Namespace) -> list[float]:
    """Return what a training step of the original and one of ours takes, as the module says."""
    key = hashlib.sha256(repr([recipe, arguments.timed, arguments.repeats, arguments.set]).encode())
    run = store.with_name(f"timed_{key.hexdigest()[:12]}")
    file = run.with_suffix(".json")
    if file.is_file():
        kept: list[float] = json.loads(file.read_text())
        return kept
    shorter, longer = arguments.timed

    def seconds(own: dict[str, str], steps: int) -> float:
        changes = (
            own | settings(recipe, arguments.device, 0, steps, steps) | {"train.warmup_steps": "0"}
        )
        clock = time.perf_counter if torch.cuda.is_available() else time.process_time
        started = clock()
        train(recipe, store, run, [*words_of(changes), *arguments.set], overwrite=True)
        return clock() - started

    found: list[list[float]] = [[], []]
    for _ in range(arguments.repeats):
        for own, taken in zip((RECIPES[recipe][1], {}), found, strict=True):
            difference = seconds(own, longer) - seconds(own, shorter)
            taken.append(difference / (longer - shorter))
    shutil.rmtree(run)
    medians = [statistics.median(taken) for taken in found]
    file.write_text(json.dumps(medians))
    return medians


def compared(original: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return when each first has the original's lowest error; None where ours never has."""
    goal = min(original["errors"])
    rows: dict[str, Any] = {"goal": goal, "lowest_of_ours": min(ours["errors"])}
    for name, one in (("original", original), ("ours", ours)):
        reached = np.flatnonzero(np.array(one["errors"]) <= goal)
        first = int(reached[0]) if reached.size else None
        rows[name] = None if first is None else {k: one[k][first] for k in ("seconds", "samples")}
    cost = rows["ours"]
    rows["times_cheaper"] = (
        None if cost is None else {unit: rows["original"][unit] / cost[unit] for unit in cost}
    )
    return rows


def spread(pairs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return median, least and largest of how many times cheaper ours is; 0 where it never gets there."""
    found = {}
    for unit in ("seconds", "samples"):
        ratios = [one["times_cheaper"][unit] if one["times_cheaper"] else 0.0 for one in pairs]
        found[unit] = [round(f(ratios), 2) for f in (statistics.median, min, max)]
    assert all(math.isfinite(value) for values in found.values() for value in values)
    return found


if __name__ == "__main__":
    main()
