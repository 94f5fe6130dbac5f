"""All that is to be measured on one GPU, in ten minutes: run it again and it goes on with what it left undone.

    python benchmarks/gpu.py --out gpu --minutes 10

In this order, each result written to OUT/results.json as soon as it is there, a check that fails with its reason:
outputs against those of the CPU in float32; what compiling and a CUDA graph gain; a training step of 97 channels at
0.25 degrees; memory against `plan`; operations a second over those of a large matrix product in the same run, for
inference and training, at the batch that does best; which kernels a training step spends its time in; distributed and
sharded training of a single process against plain training; how long training waits for data; steps of a forecast a
second, with and without writing it; simulated days a second of the shipped weather model; then training of the
turbulence recipe (with fewer trajectories) in the time that is left, with weights and logs in OUT/run. Without a GPU
it runs on the CPU, for which `--small` has networks and fields that take seconds. `--only` names the checks that are
wanted.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from gpu_checks import (
    Setting,
    agreement,
    compiled,
    days,
    forecasts,
    kinds,
    largest,
    memory,
    parallel,
    speed,
    waiting,
)
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
    one.__name__: one
    for one in (
        agreement,
        compiled,
        largest,
        memory,
        speed,
        kinds,
        parallel,
        waiting,
        forecasts,
        days,
        training,
    )
}


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Do what is not done yet, and print, save and return all results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--small", action="store_true", help="networks and fields of seconds")
    arguments = parser.parse_args(words)
    until = time.monotonic() + 60 * arguments.minutes
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "results.json"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    setting = Setting(
        folder=arguments.out,
        device=device,
        networks=RECIPES,
        recipe="turbulence",
        changes=[],
        cells=128,
        steps=64,
        repeats=5,
        matrix=8192,
        largest_batch=256,
        until=until,
        largest=(720, 1440),
        model=("weather_small", "weather-small"),
    )
    if arguments.small:
        setting = replace(
            setting,
            networks={"turbulence_small": (2, 1, 1, (16, 16), BOX)},
            recipe="turbulence_small",
            changes=SMALL,
            cells=16,
            steps=2,
            repeats=1,
            matrix=256,
            largest_batch=2,
            largest=(16, 32),
        )
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    results["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    results["command"] = " ".join(["python", "benchmarks/gpu.py", *(words or sys.argv[1:])])
    for name, check in CHECKS.items():
        if name not in arguments.only or "failed" not in (results.get(name) or {"failed": ""}):
            continue
        if time.monotonic() > until:
            break
        try:
            found = check(setting)
        except Exception as error:  # the next check says nothing about this one
            found = {"failed": f"{type(error).__name__}: {str(error)[:200]}"}
        if found is not None:
            results[name] = found
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(name, json.dumps(found), flush=True)
    left = [name for name in arguments.only if name not in results]
    if left:
        print(f"not done: {', '.join(left)}; the same command goes on with them.")
    return results


if __name__ == "__main__":
    main()
