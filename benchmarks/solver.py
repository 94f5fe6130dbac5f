"""Time the solver against torch-cfd on the same problem: decaying turbulence from the same field.

The solvers take turns on the same number of steps of the same length, so that a change of the machine's load meets
all of them. Printed as JSON: median milliseconds per step of the whole batch, ratios of torch-cfd's time to ours (the
median over the rounds of the ratio within a round), and how far the fields are apart after one round.

    python benchmarks/solver.py --grids 128 256 --precisions float32 float64 --batches 1 16
"""

import argparse
import importlib.metadata
import itertools
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import torch
from torch_cfd.grids import Grid
from torch_cfd.spectral import NavierStokes2DSpectral, RK4CrankNicolsonStepper

from triton_earth.physics.solvers.initial_conditions import mcwilliams_vorticity
from triton_earth.physics.solvers.navier_stokes import NavierStokes
from triton_earth.physics.solvers.time_stepping import (
    IntegratingFactorRK4,
    LowStorageCrankNicolson,
    Stepper,
)

VISCOSITY = 1e-3


def ours(
    start: torch.Tensor, steps: int, dt: float, stepper: type[Stepper]
) -> Callable[[], torch.Tensor]:
    """Return a function that advances by `steps` and gives the field, checks and transforms included."""
    solver = NavierStokes(
        tuple(start.shape[-2:]), VISCOSITY, dtype=start.dtype, device=start.device
    )
    times = (steps * dt * n for n in itertools.count())
    fields: Iterator[torch.Tensor] = solver.integrate(start, times, dt, stepper)
    next(fields)
    return lambda: next(fields)


def theirs(start: torch.Tensor, steps: int, dt: float) -> Callable[[], torch.Tensor]:
    """Return a function that advances torch-cfd by `steps` and gives the field; its first axis is x."""
    torch.set_default_dtype(start.dtype)
    grid = Grid(tuple(start.shape[-2:]), domain=((0, 2 * math.pi), (0, 2 * math.pi)))
    solver = NavierStokes2DSpectral(VISCOSITY, grid, step_fn=RK4CrankNicolsonStepper())
    solver = solver.to(start.device)
    torch.set_default_dtype(torch.float32)
    waves = torch.fft.rfft2(start.mT)

    def advance() -> torch.Tensor:
        nonlocal waves
        waves, _ = solver(waves, dt, steps=steps)
        return torch.fft.irfft2(waves, s=start.shape[-2:]).mT

    return advance


def compare(
    grid: int, batch: int, precision: str, arguments: argparse.Namespace
) -> dict[str, object]:
    """Return the times of one case."""
    dtype = getattr(torch, precision)
    start = torch.stack([mcwilliams_vorticity(seed, grid, 4.0) for seed in range(batch)])
    start = start.to(arguments.device, dtype)
    # Only waves below the 2/3 cut, so that both solvers start from the same field.
    start = next(
        NavierStokes((grid, grid), VISCOSITY, dtype=dtype, device=start.device).integrate(
            start, [0.0], arguments.dt
        )
    )
    run = (start, arguments.steps, arguments.dt)
    solvers = {
        "ours_integrating_factor": ours(*run, IntegratingFactorRK4),
        "torch_cfd": theirs(*run),
        "ours_same_scheme": ours(*run, LowStorageCrankNicolson),
    }
    fields = {name: advance() for name, advance in solvers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(arguments.rounds):
        for name, advance in solvers.items():
            synchronise(arguments.device)
            begin = time.perf_counter()
            advance()
            synchronise(arguments.device)
            seconds[name].append(time.perf_counter() - begin)
    expected = fields["torch_cfd"]
    result: dict[str, object] = {"grid": grid, "batch": batch, "precision": precision}
    for name in solvers:
        result[f"{name}_ms_per_step"] = round(
            1e3 * statistics.median(seconds[name]) / arguments.steps, 4
        )
    for name in ("ours_integrating_factor", "ours_same_scheme"):
        ratios = [
            their / our for our, their in zip(seconds[name], seconds["torch_cfd"], strict=True)
        ]
        result[f"{name}_times_faster"] = round(statistics.median(ratios), 3)
        result[f"{name}_times_faster_range"] = [round(min(ratios), 3), round(max(ratios), 3)]
        result[f"{name}_relative_difference"] = float(
            (fields[name] - expected).norm() / expected.norm()
        )
    return result


def synchronise(device: str) -> None:
    """Wait until an accelerator has finished, so that the clock sees its work."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def main() -> None:
    """Read the sizes, time each case, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--precisions", nargs="+", default=["float32", "float64"])
    parser.add_argument("--steps", type=int, default=10, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dt", type=float, default=1e-3, help="time step in s")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    cases = itertools.product(arguments.precisions, arguments.grids, arguments.batches)
    with torch.no_grad():
        rows = [compare(grid, batch, precision, arguments) for precision, grid, batch in cases]
    cuda = arguments.device.startswith("cuda")
    result = {
        "command": " ".join(["python", *sys.argv]),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torch-cfd": importlib.metadata.version("torch-cfd"),
        },
        "device": torch.cuda.get_device_name() if cuda else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "rows": rows,
    }
    print(json.dumps(result, indent=1))


def _processor() -> str:
    """Return the processor's name, which `platform` does not give on Linux."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
