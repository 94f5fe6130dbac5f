"""Triton's stages, core, skips and norms against each other, at equal CPU time, on the small turbulence recipe.

    python benchmarks/stages.py --steps 1200 --seeds 0 1 2 --folder stages --json benchmarks/results/stages.json

The seconds of CPU that a training step takes are measured first, all variants in turns in one process; the first one
gets `--steps` steps, each other one as many as take the same time. Forecasts start from the trajectories of one split
(`valid`, to choose by; `test`, to report) and are judged as `triton-earth evaluate` judges. A variant that has been
trained and judged before, with the same settings in the same folder, is not trained again.
"""

import argparse
import hashlib
import json
import math
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import xarray as xr
from defaults import _number, _ratio
from torch import Tensor

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.layers.padding import Padding
from triton_earth.models.registry import create
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.train import train

RECIPE = "turbulence_small"
PERIODIC: Padding = ("periodic", "periodic")
PLAIN: dict[str, Any] = {
    "name": "triton",
    "stages": "plain",
    "spatial_hidden_dim": 32,
    "temporal_hidden_dim": 64,
    "num_spatial_layers": 6,
    "num_temporal_layers": 4,
}
RESIDUAL: dict[str, Any] = {
    "name": "triton",
    "stages": "residual",
    "widths": [16, 32, 64],
    "temporal_hidden_dim": 64,
    "num_temporal_layers": 4,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "residual": RESIDUAL,
    "transposed": RESIDUAL | {"upsampling": "transposed"},
    "nearest": RESIDUAL | {"upsampling": "nearest"},
    "shuffle": RESIDUAL | {"upsampling": "shuffle"},
    "norm of a cell": RESIDUAL | {"norm": "channel"},
    "no norm": RESIDUAL | {"norm": "none"},
    "input to readout": RESIDUAL | {"input_to_readout": True},
    "no core": RESIDUAL | {"num_temporal_layers": 0},
    "core of convolutions": RESIDUAL | {"blocks": "convolution"},
    "core of 8 blocks": RESIDUAL | {"num_temporal_layers": 8},
    "core of 128": RESIDUAL | {"temporal_hidden_dim": 128},
    "no skip": RESIDUAL | {"skip": "none"},
    "one skip": RESIDUAL | {"skip": "full_resolution"},
    "two levels": RESIDUAL | {"widths": [16, 32], "levels": 2},
    "one level": RESIDUAL | {"widths": [16], "levels": 1},
    "flat": RESIDUAL | {"widths": [16], "levels": 0},
    "zero padding": RESIDUAL | {"padding": "zero"},
}
LEADS = (1, 10, 25, 50, 99)


def main() -> None:
    """Train, forecast and judge every variant with every seed, and print and save what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200, help="of the first variant")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--only", choices=list(VARIANTS), help="train this one of them alone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--equal", choices=("time", "steps"), default="time")
    parser.add_argument("--folder", type=Path, default=Path("stages"), help="for stores and runs")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prepare(RECIPE, arguments.folder / "truth.zarr", resume=True)
    seconds = _kept_seconds(arguments.folder, arguments.variants, arguments.precision)
    first = seconds[arguments.variants[0]]
    results: dict[str, Any] = {}
    for name in [arguments.only] if arguments.only else arguments.variants:
        steps = arguments.steps
        if arguments.equal == "time":
            steps = round(arguments.steps * first / seconds[name])
        settings = [
            f"model.network={json.dumps(VARIANTS[name])}",
            f"train.precision={arguments.precision}",
            f"train.steps={steps}",
            f"train.validate_every={steps}",
        ]
        runs = [
            _judge(arguments.folder, arguments.split, [*settings, f"seed={seed}"])
            for seed in arguments.seeds
        ]
        results[name] = {
            "parameters": _count(name),
            "cpu_seconds_of_a_step": round(seconds[name], 4),
            "steps": steps,
            "mean": _mean(runs),
            "seeds": runs,
        }
        print(name, json.dumps(results[name]), flush=True)
    report = {
        "command": " ".join(["python", "benchmarks/stages.py", *sys.argv[1:]]),
        "split": arguments.split,
        "machine": {"processor": platform.machine(), "threads": 1, "gpu": None},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "variants": results,
    }
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _kept_seconds(folder: Path, names: list[str], precision: str) -> dict[str, float]:
    """Return what steps take as it was measured when these variants were first asked for."""
    key = hashlib.sha256(" ".join([*names, precision]).encode()).hexdigest()[:12]
    file = folder / f"seconds-{key}.json"
    if not file.is_file():
        file.write_text(json.dumps(_seconds_of_a_step(names, precision)))
    seconds: dict[str, float] = json.loads(file.read_text())
    return seconds


def _seconds_of_a_step(names: list[str], precision: str, rounds: int = 7) -> dict[str, float]:
    """Return the median seconds of CPU of a training step with a batch of 8 on 64 x 64 cells, all variants in turns."""
    networks = {name: create(VARIANTS[name]).build(1, 1, 1, PERIODIC) for name in names}
    optimizers = {
        name: torch.optim.AdamW(network.parameters(), lr=1e-4) for name, network in networks.items()
    }
    times: dict[str, list[float]] = {name: [] for name in names}
    x: Tensor = torch.randn(8, 1, 1, 64, 64)
    for turn in range(rounds + 1):
        for name, network in networks.items():
            start = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                y = network(x)
            y.float().square().mean().backward()
            optimizers[name].step()
            optimizers[name].zero_grad()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def _judge(folder: Path, split: str, overrides: list[str]) -> dict[str, Any]:
    store = folder / "truth.zarr"
    key = hashlib.sha256(" ".join(overrides).encode()).hexdigest()[:12]
    run, forecasts, file = (folder / f"{key}{end}" for end in ("", ".zarr", f".{split}.json"))
    if file.is_file():
        scores: dict[str, Any] = json.loads(file.read_text())
        return scores
    before = time.process_time()
    train(RECIPE, store, run, [*overrides, "train.report=false"], overwrite=True)
    cpu = time.process_time() - before
    stored = forecast(run, store, forecasts, split=split, steps=max(LEADS), overwrite=True)
    judged = evaluate_forecast(stored, TrainingStore.open(store))
    scores = _scores(judged) | {"training_cpu_seconds": round(cpu)}
    file.write_text(json.dumps(scores))
    return scores


def _scores(judged: xr.Dataset) -> dict[str, Any]:
    model = judged.sel(forecast="triton", variable="vorticity")
    at = {lead: int(position) for position, lead in enumerate(judged["lead"].values)}
    return {
        f"relative_l2_lead_{lead}": _number(model["relative_l2"][at[lead]]) for lead in LEADS
    } | {
        "small_scale_enstrophy_over_truth_lead_99": _number(
            _ratio(judged, "small_scale_enstrophy")
        ),
        "enstrophy_over_truth_lead_99": _number(_ratio(judged, "enstrophy")),
        "stable_fraction": _number(model["stable_fraction"]),
    }


def _mean(runs: list[dict[str, Any]]) -> dict[str, float]:
    means = {key: statistics.fmean(run[key] for run in runs) for key in runs[0]}
    return {
        key: value if math.isinf(value) else float(f"{value:.4g}") for key, value in means.items()
    }


def _count(name: str) -> int:
    network = create(VARIANTS[name]).build(1, 1, 1, PERIODIC)
    return sum(parameter.numel() for parameter in network.parameters())


if __name__ == "__main__":
    main()
