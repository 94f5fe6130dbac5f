"""Time and memory of a curvilinear grid of the size of a quarter-degree ocean model, onto latitudes times longitudes.

    python benchmarks/curvilinear.py --json curvilinear.json

A synthetic tripolar mesh (default: 1021 x 1442 cells, as ORCA at a quarter of a degree): rows of latitude up to 60 N,
then columns that lead to two poles on land. Each method runs in its own process: "set-up" makes the weights
(once for a preparation), "map" applies them to a map with land. Seconds are those of the processor; memory is
the peak of the process, and what it had before, with Python and the mesh. The field is 2 + cos² φ cos 2λ + sin φ; the
error is its largest and its root mean square one where the target has a value.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1021)
    parser.add_argument("--columns", type=int, default=1442)
    parser.add_argument("--latitudes", type=int, default=180)
    parser.add_argument("--longitudes", type=int, default=360)
    parser.add_argument("--method", choices=("conservative", "bilinear"))
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    if arguments.method is not None:
        print(json.dumps(measure(arguments)))
        return
    results = [
        json.loads(
            subprocess.run(
                [sys.executable, __file__, "--method", method, *sys.argv[1:]],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            ).stdout.splitlines()[-1]
        )
        for method in ("conservative", "bilinear")
    ]
    print(json.dumps(results, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Return seconds, memory and errors of one method."""
    from triton_earth.data.curvilinear.mesh import Mesh
    from triton_earth.data.curvilinear.weights import mesh_regrid
    from triton_earth.data.sources.places.regrid import equal_angle_box

    latitude, longitude = tripolar(arguments.rows, arguments.columns)
    mesh = Mesh("nav_lat, nav_lon", latitude, longitude)
    size = arguments.latitudes, arguments.longitudes
    target = equal_angle_box(-77.0, 90.0, None, *size)
    before, start = peak_mb(), time.process_time()
    regrid = mesh_regrid(mesh, target, arguments.method)
    set_up = time.process_time() - start
    field = smooth(latitude, longitude)
    field[np.abs(np.mod(longitude - 100, 360)) < 40] = np.nan
    start = time.process_time()
    made = regrid(field[None])[0]
    one_map = time.process_time() - start
    error = (made - smooth(*np.meshgrid(target.y, target.x, indexing="ij")))[np.isfinite(made)]
    return {
        "mesh": list(mesh.shape),
        "target": list(target.shape),
        "method": arguments.method,
        "set_up_cpu_s": round(set_up, 2),
        "map_cpu_s": round(one_map, 4),
        "weights": int(regrid.weights.nnz),
        "before_mb": round(before),
        "peak_mb": round(peak_mb()),
        "rms_error": float(np.sqrt(np.mean(error**2))),
        "largest_error": float(np.abs(error).max()),
        "cells_with_a_value": round(float(np.isfinite(made).mean()), 4),
    }


def peak_mb() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def smooth(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return a field of the largest scales."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return 2 + np.cos(phi) ** 2 * np.cos(2 * lam) + np.sin(phi)


def tripolar(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes and longitudes [row, column]: circles of latitude to 60 N, confocal arcs beyond it.

    In the stereographic plane of the cap, scaled to the unit disc, w = (e^(s + it) − 1) / (e^(s + it) + 1) maps columns
    (s = ln cot θ/2) to circles through the poles w = ±1 and rows (t = ±π/2 (1 − q)) to their orthogonals.
    """
    cap = rows // 4
    below = rows - cap
    theta = (np.arange(columns) + 0.5) * 2 * np.pi / columns
    latitude = np.empty((rows, columns))
    longitude = np.empty((rows, columns))
    latitude[:below] = (-77 + 137 / below * (np.arange(below) + 0.5))[:, None]
    longitude[:below] = np.rad2deg(theta)
    s = -np.log(np.abs(np.tan(theta / 2)))
    t = np.where(theta < np.pi, 1, -1) * np.pi / 2 * (1 - (np.arange(cap)[:, None] + 0.5) / cap)
    w = np.tanh((s + 1j * t) / 2)
    latitude[below:] = 90 - 2 * np.rad2deg(np.arctan(np.abs(w) * np.tan(np.deg2rad(15))))
    longitude[below:] = np.rad2deg(np.angle(w))
    return latitude, np.mod(longitude + 80, 360)


if __name__ == "__main__":
    main()
