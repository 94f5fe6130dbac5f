"""What `triton-earth plan` estimates without running anything, against real steps: rate, and bytes of activations.

    python benchmarks/plan_rate.py --json benchmarks/results/plan_rate.json

Steps and matrix products are timed in seconds of one processor core, which other work on the machine changes little.
The share is the rate of a step, counted operations over time, over that of the matrix product that `plan` times.
Activations are the bytes that a step holds, as `plan` counts them and as a real step holds them, for each byte of its
windows.
"""

import argparse
import json
import math
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.logs.cost import counted_step, measured_step
from triton_earth.workflow.plan import NUMBER, on_meta
from triton_earth.workflow.recipes.expected_data import expected_data
from triton_earth.workflow.recipes.recipe import load_recipe

RECIPES = ("turbulence_small", "weather_small", "kuroshio_small", "ocean_small")
SIDE, ROUNDS = 768, 10


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="*", choices=RECIPES, default=RECIPES)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    rows = [measure(name) for name in arguments.recipes]
    result = {
        "command": "python benchmarks/plan_rate.py",
        "torch": torch.__version__,
        "median_share": statistics.median(row["share"] for row in rows),
        "largest_activations": max(row["activations"] for row in rows),
        "rows": rows,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")


def measure(name: str) -> dict[str, float | str]:
    """Return the row of a recipe: one step of its first horizon, counted and done."""
    recipe = load_recipe(name, ["train.device=cpu"])
    data = expected_data(recipe, None)
    config = recipe.train
    horizon = config.stages[0].longest
    batch = min(config.batch_size, 4)
    unmade = on_meta(recipe, data, torch.device("cpu"))
    with FakeTensorMode(allow_non_fake_inputs=True):
        unmade.network.to_empty(device="cpu")
        counted = counted_step(unmade, config.at(0), batch, horizon)
    real = NetworkForecaster(
        recipe.model, data.variables, data.grid, data.time_step, unmade.normalizer, precision=unmade.precision
    )  # fmt: skip
    rate = matrix_rate()
    done = measured_step(real, config.at(0), batch, horizon)
    window = NUMBER * batch * real.history * (1 + horizon) * len(data.variables)
    window *= math.prod(data.grid.shape)
    return {
        "recipe": name,
        "batch": batch,
        "horizon": horizon,
        "gflop": counted.flops / 1e9,
        "matrix_gflops": rate / 1e9,
        "seconds": done.cpu_seconds,
        "share": counted.flops / done.cpu_seconds / rate,
        "activations": counted.memory / window,
        "measured_activations": done.memory / window,
    }


def matrix_rate() -> float:
    """Return the operations in a second of a core of the product that `plan` times."""
    one = torch.ones(SIDE, SIDE)
    best = math.inf
    for _ in range(ROUNDS):
        started = time.process_time()
        _ = one @ one
        best = min(best, time.process_time() - started)
    return 2.0 * SIDE**3 / best


if __name__ == "__main__":
    main()
