"""What the step of an optimiser takes beside the gradient of a batch.

    python benchmarks/optimizer_cost.py --json benchmarks/results/optimizer_cost.json

Milliseconds of one processor core, medians of `--repeats` steps: forward and backward pass of the network of a small
recipe for batches of 2 and 8 samples, and the step of each optimiser after it.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from network import RECIPES as NETWORKS

from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.optimizers import build_optimizers
from triton_earth.workflow.recipes.recipe import load_recipe

RECIPES = ("weather_small", "turbulence_small")
BATCHES = (2, 8)
OPTIMIZERS: tuple[str, ...] = get_args(TrainConfig.model_fields["optimizer"].annotation)


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Measure what the command line asks for, and print, save and return it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    report = {
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "recipes": {recipe: measured(recipe, arguments.repeats) for recipe in arguments.recipes},
    }
    print(json.dumps(report, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def measured(recipe: str, repeats: int) -> dict[str, Any]:
    """Return the milliseconds of gradient and step by optimiser and batch."""
    _, inputs, outputs, shape, padding = NETWORKS[recipe]
    network = load_recipe(recipe).model.network.for_shape(shape).build(1, inputs, outputs, padding)
    network = network.to(memory_format=torch.channels_last)
    found: dict[str, Any] = {"parameters": sum(p.numel() for p in network.parameters())}
    for name in OPTIMIZERS:
        optimizers = build_optimizers(
            network, TrainConfig.parse({"optimizer": name, "learning_rate": 1e-6}, "benchmark")
        )
        for batch in BATCHES:
            x = torch.randn(batch, 1, inputs, *shape)
            taken: list[tuple[float, float]] = []
            # The first step makes room for the moments.
            for _ in range(repeats + 1):
                network.zero_grad()
                started = time.process_time()
                network(x).square().mean().backward()
                between = time.process_time()
                for optimizer in optimizers:
                    optimizer.step()
                taken.append((between - started, time.process_time() - between))
            gradient, step = (
                round(1e3 * statistics.median(each), 2) for each in zip(*taken[1:], strict=True)
            )
            found[f"{name}, batch of {batch}"] = {"gradient": gradient, "step": step}
    return found


if __name__ == "__main__":
    main()
