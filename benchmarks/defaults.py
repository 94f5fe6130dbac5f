"""What the choices around the plain stages are worth: one change after the other, at equal steps.

    python benchmarks/defaults.py --steps 400 --folder defaults --json benchmarks/results/defaults.json

The script starts from the original system (zero padding, full state, one skip) and adds this package's choices one by
one. It trains every variant from the same seed on the same store, forecasts 99 steps from the test trajectories and
judges them as `triton-earth evaluate` does. `stages.py` measures the gain of residual stages over the last variant.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import xarray as xr

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.train import train

RECIPE = "turbulence_small"
ORIGINAL = {
    "model.network": "{name: triton, stages: plain, spatial_hidden_dim: 32}",
    "model.network.temporal_hidden_dim": "64",
    "model.network.num_temporal_layers": "4",
    "model.prediction": "state",
    "model.network.padding": "zero",
    "model.network.skip": "full_resolution",
    "model.network.num_spatial_layers": "4",
    "train.noise": "0",
    "train.optimizer": "adamw",
    "train.learning_rate": "4e-3",
}
CHANGES = {
    "original": {},
    "+ periodic padding": {"model.network.padding": "grid"},
    "+ tendency": {"model.prediction": "tendency"},
    "+ skip at every level": {"model.network.skip": "every_level"},
    "+ six spatial layers": {"model.network.num_spatial_layers": "6"},
    "+ noise 0.25": {"train.noise": "0.25"},
}
LEADS = (1, 25, 50, 99)


def main() -> None:
    """Train, forecast and judge every variant, and print and save what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("defaults"), help="for stores and runs")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder
    prepare(RECIPE, folder / "truth.zarr", resume=True)
    settings = dict(ORIGINAL)
    results = {}
    for number, (name, change) in enumerate(CHANGES.items()):
        settings |= change
        overrides = [f"{key}={value}" for key, value in settings.items()]
        overrides += [f"train.steps={arguments.steps}", f"train.validate_every={arguments.steps}"]
        results[name] = _judge(folder, number, overrides)
        print(name, json.dumps(results[name]))
    report = {
        "command": " ".join(["python", "benchmarks/defaults.py", *sys.argv[1:]]),
        "machine": {"processor": platform.machine(), "threads": arguments.threads, "gpu": None},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "variants": results,
    }
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


def _judge(folder: Path, number: int, overrides: list[str]) -> dict[str, Any]:
    store = folder / "truth.zarr"
    run, forecasts = folder / f"run{number}", folder / f"forecast{number}.zarr"
    before = time.process_time()
    train(RECIPE, store, run, overrides, overwrite=True)
    seconds = time.process_time() - before
    stored = forecast(run, store, forecasts, steps=99, overwrite=True)
    scores = evaluate_forecast(stored, TrainingStore.open(store))
    model, baseline = (
        scores.sel(forecast=name, variable="vorticity") for name in ("triton", "persistence")
    )
    at = {lead: int(position) for position, lead in enumerate(scores["lead"].values)}
    return {
        "training_cpu_seconds": round(seconds),
        "mse_over_persistence_lead_1": _number(model["mse"][0] / baseline["mse"][0]),
        "relative_l2": {lead: _number(model["relative_l2"][at[lead]]) for lead in LEADS},
        "persistence_relative_l2": {
            lead: _number(baseline["relative_l2"][at[lead]]) for lead in LEADS
        },
        "small_scale_enstrophy_over_truth_lead_99": _number(
            _ratio(scores, "small_scale_enstrophy")
        ),
        "enstrophy_over_truth_lead_99": _number(_ratio(scores, "enstrophy")),
        "stable_fraction": _number(model["stable_fraction"]),
    }


def _ratio(scores: xr.Dataset, name: str) -> xr.DataArray:
    last = scores[name].isel(lead_time=-1)
    return last.sel(source="triton") / last.sel(source="truth")


def _number(value: xr.DataArray) -> float:
    return float(f"{float(value):.4g}")


if __name__ == "__main__":
    main()
