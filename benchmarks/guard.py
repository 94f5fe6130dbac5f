"""What the guard costs: time of a rollout of the full turbulence network with and without it.

    python benchmarks/guard.py [--steps 20] [--batch 4] [--cells 128] [--device cpu] [--recipe turbulence]

Prints seconds per step without the guard, of the guard alone, and their ratio.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.data.statistics.normalization import Normalizer
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.guard.guard import Guard
from triton_earth.rollout.guard.training_range import training_climate
from triton_earth.rollout.rollout import rollout
from triton_earth.workflow.recipes.recipe import load_recipe


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--recipe", default="turbulence")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        store = noise_store(Path(folder) / "store.zarr", arguments.cells, arguments.batch)
        config = load_recipe(arguments.recipe).model
        normalizer = Normalizer((VORTICITY.name,), (0.0,), (1.0,), (0.1,))
        model = NetworkForecaster(config, store.variables, store.grid, store.time_step, normalizer)
        model.network.to(arguments.device).eval()
        initial = store.windows(list(range(arguments.batch)), [0] * arguments.batch, model.history)
        climate = training_climate(store, store.variables)
        with torch.inference_mode():
            times = measure(model, initial.to(arguments.device), climate, arguments.steps)
    rolling, guarding = times
    print(
        f"{model.parameter_count / 1e6:.1f} million parameters, {arguments.cells} x {arguments.cells}"
    )
    print(f"rollout {rolling * 1e3:.2f} ms per step, guard {guarding * 1e3:.2f} ms per step")
    print(f"guard / rollout: {100 * guarding / rolling:.2f} %")


def measure(model, initial, climate, steps):  # noqa: ANN001, ANN201
    """Return seconds per step of the rollout and of the guard, timed within the same rollout."""
    rolling = guarding = 0.0
    guard = Guard(climate, "record", initial)
    states = rollout(model, initial, None, steps + 2)
    for step in range(steps + 2):
        synchronize(initial.data.device)
        start = time.perf_counter()
        state = next(states)
        synchronize(initial.data.device)
        middle = time.perf_counter()
        guard.check(state)
        synchronize(initial.data.device)
        if step >= 2:  # the first two warm up
            rolling += middle - start
            guarding += time.perf_counter() - middle
    return rolling / steps, guarding / steps


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def noise_store(path: Path, cells: int, trajectories: int) -> TrainingStore:
    """A store of noise, which costs the guard as much as any field."""
    generator = np.random.default_rng(0)
    create_store(
        path,
        variables=Variables((VORTICITY,)),
        grid=PeriodicGrid(cells, cells),
        times=0.1 * np.arange(12),
        splits=["train"] * trajectories,
        provenance={},
    )
    shape = (12, 1, cells, cells)
    fields = [generator.standard_normal(shape).astype(np.float32) for _ in range(trajectories)]
    finish_store(path, [write_trajectory(path, n, field) for n, field in enumerate(fields)])
    return TrainingStore.open(path)


if __name__ == "__main__":
    main()
