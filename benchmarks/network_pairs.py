"""Networks of shipped recipes as they are and as they were in another work tree, in turns: CPU seconds of each step.

    python benchmarks/network_pairs.py --base ../base --recipes turbulence weather --rounds 5 --json network_pairs.json

Each version runs in a process of its own, with its own `benchmarks/network.py`; steps of both alternate, so that
other load on the machine meets both alike. Printed and saved are medians, and the median ratio of neighbouring steps,
which suffers less from a machine that changes its speed than a ratio of medians.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

MODES, VARIANTS = ("inference", "training"), ("float32", "bfloat16")
HERE = Path(__file__).resolve().parents[1]
WORKER = """
import sys, time
from contextlib import ExitStack, nullcontext
import torch
import network
from triton_earth.workflow.recipes.recipe import load_recipe

torch.set_num_threads(1)
torch.manual_seed(0)
batch, inputs, outputs, shape, padding = network.RECIPES[sys.argv[1]]
model = load_recipe(sys.argv[1]).model
net = model.network.for_shape(shape).build(model.history, inputs, outputs, padding)
x = torch.randn(batch, model.history, inputs, *shape)
steps, held = {}, ExitStack()
for line in sys.stdin:
    mode, variant = line.split()
    if (mode, variant) not in steps:
        held.enter_context(getattr(network, "memory_of", nullcontext)(mode))
        steps[mode, variant] = network._step(net, x, variant, mode)
        steps[mode, variant]()
    net.train(mode == "training")
    start = time.process_time()
    steps[mode, variant]()
    print(time.process_time() - start, flush=True)
"""
"""Reads a mode and a variant, answers with the CPU seconds of one step; the first of each is not counted."""


class Version:
    """A work tree, and a process that applies a network of it."""

    def __init__(self, tree: Path, recipe: str) -> None:
        paths = os.pathsep.join(str(tree / part) for part in ("src", "benchmarks"))
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, recipe],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tree,
        )

    def seconds(self, mode: str, variant: str) -> float:
        """Return the CPU seconds of one step."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{mode} {variant}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def pairs(base: Path, recipe: str, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each mode and precision of a recipe's network."""
    versions = {"before": Version(base, recipe), "now": Version(HERE, recipe)}
    rows = []
    for mode in MODES:
        seconds: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for variant in VARIANTS:
                for name, version in versions.items():
                    seconds.setdefault((name, variant), []).append(version.seconds(mode, variant))
        row = {"recipe": recipe, "mode": mode, "rounds": rounds}
        row |= {f"{one}_{other}": statistics.median(all_) for (one, other), all_ in seconds.items()}
        for variant in VARIANTS:
            row[f"{variant}_faster"] = _ratio(seconds["before", variant], seconds["now", variant])
        for name in versions:
            row[f"bfloat16_over_float32_{name}"] = _ratio(
                seconds[name, "float32"], seconds[name, "bfloat16"]
            )
        rows.append(row)
        print(json.dumps(row), flush=True)
    for version in versions.values():
        version.close()
    return rows


def _ratio(longer: list[float], shorter: list[float]) -> list[float]:
    """Return the median, least and largest ratio of neighbouring steps."""
    ratios = [one / other for one, other in zip(longer, shorter, strict=True)]
    return [round(one, 2) for one in (statistics.median(ratios), min(ratios), max(ratios))]


def main() -> None:
    """Print a row for each recipe and mode; save them where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="work tree of the other version")
    parser.add_argument("--recipes", nargs="+", default=["turbulence", "weather", "ocean"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [
        row
        for recipe in arguments.recipes
        for row in pairs(arguments.base.resolve(), recipe, arguments.rounds)
    ]
    if arguments.json:
        machine = {"processor": platform.processor(), "python": platform.python_version()}
        found = {"machine": machine, "command": " ".join(sys.argv), "rows": rows}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
