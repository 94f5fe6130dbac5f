"""Peak memory of training: what `triton-earth plan` says against what a run takes, and memory against the horizon.

    python benchmarks/training_memory.py --json training_memory.json

Each plan and each run is a fresh process; a run's peak is the most resident memory that the system saw (Linux:
`ru_maxrss` of that process). Simulations get a store of random fields on their grid, recipes with data in the package
their own. The horizon table has the whole process too; its first row shows what is there without longer rollouts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.data.preparation.trajectories import SimulationData
from triton_earth.data.store.training_store import create_store, finish_store, write_trajectory
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.recipes.recipe import load_recipe

SHORT = ["train.steps=2", "train.validation_windows=2", "train.device=cpu", "train.curriculum=[]"]
CASES = {
    "turbulence_small": ("turbulence_small", []),
    "turbulence_small, 4 steps": ("turbulence_small", ["train.horizon=4"]),
    "turbulence_small, 8 steps, recomputed": (
        "turbulence_small",
        ["train.horizon=8", "train.recompute_steps=true"],
    ),
    "weather_small": ("weather_small", ["train.horizon=2"]),
    "ocean_forced_small, 4 steps": ("ocean_forced_small", ["train.horizon=4"]),
    "turbulence, batch of 4": ("turbulence", ["train.batch_size=4"]),
    "turbulence": ("turbulence", []),
}
HORIZONS = (1, 2, 4, 8, 16)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--no-horizons", action="store_true")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Path] = {}
        plans = []
        for name in arguments.cases:
            recipe, overrides = CASES[name]
            if recipe not in stores:
                stores[recipe] = store_of(recipe, Path(folder) / f"{recipe}.zarr")
            planned = planned_peak(recipe, [*SHORT, *overrides], stores[recipe])
            measured = peak(recipe, [*SHORT, *overrides], stores[recipe], Path(folder) / "run")
            plans.append(
                {
                    "case": name,
                    "planned_mb": round(planned / 1e6),
                    "measured_mb": round(measured / 1e6),
                    "ratio": round(planned / measured, 3),
                }
            )
            print(plans[-1], flush=True)
        results["plan"] = plans
        if not arguments.no_horizons:
            store = stores.get("turbulence_small") or store_of(
                "turbulence_small", Path(folder) / "horizons.zarr"
            )
            results["horizon"] = []
            for horizon in HORIZONS:
                row: dict[str, object] = {"horizon": horizon}
                for recompute in ("false", "true"):
                    words = [
                        *SHORT,
                        f"train.horizon={horizon}",
                        f"train.recompute_steps={recompute}",
                    ]
                    measured = peak("turbulence_small", words, store, Path(folder) / "run")
                    row["recomputed_mb" if recompute == "true" else "plain_mb"] = round(
                        measured / 1e6
                    )
                results["horizon"].append(row)
                print(row, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def store_of(recipe: str, path: Path) -> Path:
    """Return a store that a recipe can be trained on, made at `path`."""
    data = load_recipe(recipe).data
    if isinstance(data, SimulationData):
        return random_store(path, data.source.grid)
    return prepare(recipe, path).path


def random_store(path: Path, cells: int) -> Path:
    """Write a store of random fields: 6 trajectories of 24 times."""
    splits = ["train"] * 4 + ["valid", "test"]
    times = 0.1 * np.arange(24)
    create_store(
        path,
        variables=Variables((VORTICITY,)),
        grid=PeriodicGrid(cells, cells),
        times=times,
        splits=splits,
        provenance={"source": "random fields"},
    )
    random = np.random.default_rng(0)
    shape = (len(times), 1, cells, cells)
    hashes = [
        write_trajectory(path, number, random.standard_normal(shape, dtype=np.float32))
        for number in range(len(splits))
    ]
    finish_store(path, hashes)
    return path


def planned_peak(recipe: str, overrides: list[str], store: Path) -> float:
    """Return what `plan` says in a fresh process, in bytes: what others have left in memory counts in none."""
    code = (
        "import sys, pathlib; from triton_earth.workflow.plan import plan; "
        "print(plan(sys.argv[1], sys.argv[3:], pathlib.Path(sys.argv[2])).peak_memory)"
    )
    command = [sys.executable, "-c", code, recipe, str(store), *overrides]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def peak(recipe: str, overrides: list[str], store: Path, out: Path) -> float:
    """Return the peak resident memory of a training run, in bytes."""
    words = ["train", recipe, str(store), *overrides, "--out", str(out), "--overwrite"]
    # A process counts as its own what the one that starts it holds at that moment: a small one starts it.
    code = (
        "import os, subprocess, sys; "
        "process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "_, status, usage = os.wait4(process.pid, 0); "
        "process.returncode = os.waitstatus_to_exitcode(status); "  # it was not Popen that waited
        "sys.exit(f'exit code {process.returncode}') if process.returncode else print(usage.ru_maxrss)"
    )
    command = [sys.executable, "-c", code, sys.executable, "-m", "triton_earth", "-q", *words]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise SystemExit(f"the run failed: {' '.join(words)}")
    return int(run.stdout) * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
