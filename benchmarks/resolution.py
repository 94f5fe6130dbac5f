"""Measure how the error of a simulation depends on k_max η: the threshold of `physics/solvers/resolution.py`.

For each Reynolds number one McWilliams field is simulated on a fine grid (the truth) and, truncated, on coarser
grids. Printed as JSON: k_max η at its smallest over the run, and at the final time the relative L2 error of
vorticity over the waves of the coarsest grid and the relative error of the enstrophy in them.

    python benchmarks/resolution.py --reynolds 1000 2000 5000
"""

import argparse
import json
import platform
import sys

import torch

from triton_earth.physics.flow import enstrophy
from triton_earth.physics.solvers.initial_conditions import mcwilliams_vorticity
from triton_earth.physics.solvers.navier_stokes import NavierStokes
from triton_earth.physics.solvers.resolution import resolution
from triton_earth.physics.spectral import resample

LENGTHS = (2 * torch.pi, 2 * torch.pi)
LOOKS = 9


def simulate(
    start: torch.Tensor, grid: int, reynolds: float, duration: float, courant: float
) -> tuple[torch.Tensor, float]:
    """Return the final vorticity on `grid`² points and the smallest k_max η of the run."""
    solver = NavierStokes((grid, grid), 1 / reynolds, dtype=torch.float32)
    times = [duration * (look + 1) / LOOKS for look in range(LOOKS)]
    smallest, field = float("inf"), start
    for field in solver.integrate(resample(start, (grid, grid)), times, courant / grid):
        smallest = min(smallest, resolution(field, LENGTHS, 1 / reynolds).number)
    return field, smallest


def main() -> None:
    """Read the sizes, simulate, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reynolds", type=float, nargs="+", default=[1000.0, 2000.0, 5000.0])
    parser.add_argument("--grids", type=int, nargs="+", default=[64, 96, 128, 192, 256])
    parser.add_argument("--truth", type=int, default=512)
    parser.add_argument("--duration", type=float, default=4.5, help="simulated time in s")
    parser.add_argument("--courant", type=float, default=1.28, help="time step times grid points")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    rows = []
    common = (min(arguments.grids), min(arguments.grids))
    for reynolds in arguments.reynolds:
        start = mcwilliams_vorticity(arguments.seed, arguments.truth, peak_wavenumber=4.0)
        run = (reynolds, arguments.duration, arguments.courant)
        truth, truth_number = simulate(start, arguments.truth, *run)
        truth = resample(truth, common)
        for grid in arguments.grids:
            field, number = simulate(start, grid, *run)
            field = resample(field, common)
            rows.append(
                {
                    "reynolds": reynolds,
                    "grid": grid,
                    "k_max_eta": round(number, 3),
                    "relative_l2_error": float((field - truth).norm() / truth.norm()),
                    "relative_enstrophy_error": float(enstrophy(field) / enstrophy(truth) - 1),
                    "truth_k_max_eta": round(truth_number, 3),
                }
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    result = {
        "command": " ".join(sys.argv),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": arguments.threads,
        "rows": rows,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
