"""All that is to be measured on one GPU, in ten minutes: run it again and it goes on with what it left undone.

    python benchmarks/gpu.py --out gpu --minutes 10

In this order, each result written to OUT/results.json as soon as it is there: outputs against those of the CPU in
float32; operations a second over those of a large matrix product in the same run, for inference and training, at the
batch that does best; steps of a forecast a second, with and without writing it; how long training waits for data;
distributed and sharded training of a single process against plain training; memory against `plan`; then training of the
turbulence recipe (with fewer trajectories) in the time that is left, with weights and logs in OUT/run. Without a GPU it
runs on the CPU, for which `--small` has networks and fields that take seconds.
"""

import argparse
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from gpu_checks import Setting, agreement, forecasts, memory, parallel, speed, waiting
from network import BOX, RECIPES

from triton_earth.training.interruption import Interrupted
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.train import train

SMALL = [
    "data.source.grid=16",
    "data.source.simulation_grid=32",
    "data.source.snapshots=8",
    "data.batch_size=2",
    "model.network.widths=[8]",
    "model.network.temporal_hidden_dim=8",
    "model.network.num_temporal_layers=2",
    "train.steps=4",
    "train.batch_size=2",
    "train.warmup_steps=1",
    "train.validate_every=2",
]
"""What makes of the small turbulence recipe one of seconds."""

FEWER = "data.splits={train: 96, valid: 8, test: 8}"
FEWEST = "data.splits={train: 2, valid: 1, test: 1}"


def training(setting: Setting) -> dict[str, Any] | None:
    """Train in the time that is left; None where that was not enough, and the next run goes on."""
    store, run = setting.folder / "truth.zarr", setting.folder / "run"
    splits = FEWEST if SMALL[0] in setting.changes else FEWER
    words = [*setting.changes, splits, f"train.device={setting.device.type}"]
    prepare(setting.recipe, store, words, device=setting.device.type, resume=True)
    left = setting.until - time.monotonic()
    if left <= 0:
        return None
    timer = threading.Timer(left, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        forecaster = train(setting.recipe, store, run, words, resume=True)
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        return None
    finally:
        timer.cancel()
    return {"run": run.name, "parameters": forecaster.parameter_count}


CHECKS: dict[str, Callable[[Setting], dict[str, Any] | None]] = {
    one.__name__: one for one in (agreement, speed, forecasts, waiting, parallel, memory, training)
}


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Do what is not done yet, and print, save and return all results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--small", action="store_true", help="networks and fields of seconds")
    arguments = parser.parse_args(words)
    until = time.monotonic() + 60 * arguments.minutes
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "results.json"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    setting = Setting(
        arguments.out, device, RECIPES, "turbulence", [], 128, 64, 5, 8192, 256, until
    )
    if arguments.small:
        own = {"turbulence_small": (2, 1, 1, (16, 16), BOX)}
        setting = Setting(
            arguments.out, device, own, "turbulence_small", SMALL, 16, 2, 1, 256, 2, until
        )
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    results["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    results["command"] = " ".join(["python", "benchmarks/gpu.py", *(words or sys.argv[1:])])
    for name, check in CHECKS.items():
        if name in results:
            continue
        if time.monotonic() > until:
            break
        found = check(setting)
        if found is not None:
            results[name] = found
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(name, json.dumps(found), flush=True)
    left = [name for name in CHECKS if name not in results]
    if left:
        print(f"not done: {', '.join(left)}; the same command goes on with them.")
    return results


if __name__ == "__main__":
    main()
