"""How strong a pattern of period two the ways of doubling a map leave in the output of a new network.

    python benchmarks/checkerboard.py --json benchmarks/results/checkerboard.json

Power of the output at a period of two cells (along either axis, and both) over the median power of the wavenumbers
around, when a network with random weights sees a smooth random field of 64 x 64 cells; medians over seeds. 1 means no
pattern.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.layers.padding import Padding
from triton_earth.models.registry import create

SIZE = 64
SMOOTHNESS = 6.0
PERIODIC: Padding = ("periodic", "periodic")
RESIDUAL: dict[str, Any] = {
    "name": "triton",
    "stages": "residual",
    "widths": [16, 32, 64],
    "temporal_hidden_dim": 64,
    "num_temporal_layers": 4,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {
        "name": "triton",
        "stages": "plain",
        "spatial_hidden_dim": 32,
        "temporal_hidden_dim": 64,
        "num_spatial_layers": 6,
        "num_temporal_layers": 4,
    },
    **{
        method: RESIDUAL | {"upsampling": method}
        for method in ("transposed", "nearest", "shuffle", "bilinear")
    },
}


def main() -> None:
    """Measure all networks, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = {}
    for name, values in NETWORKS.items():
        found = [_pattern(values, seed) for seed in range(arguments.seeds)]
        results[name] = {
            "median": float(f"{statistics.median(found):.3g}"),
            "least": float(f"{min(found):.3g}"),
            "most": float(f"{max(found):.3g}"),
        }
        print(name, json.dumps(results[name]), flush=True)
    report = {
        "command": " ".join(["python", "benchmarks/checkerboard.py", *sys.argv[1:]]),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "power_at_period_two_over_neighbours": results,
    }
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _pattern(values: dict[str, Any], seed: int) -> float:
    torch.manual_seed(seed)
    network = create(values).build(1, 1, 1, PERIODIC).eval()
    wavenumber = torch.fft.fftfreq(SIZE, 1 / SIZE)
    low_pass = torch.exp(-(wavenumber[:, None] ** 2 + wavenumber**2) / SMOOTHNESS**2)
    field = torch.fft.ifft2(torch.fft.fft2(torch.randn(4, 1, 1, SIZE, SIZE)) * low_pass).real
    with torch.no_grad():
        output = network(field / field.std())[:, 0, 0]
    power = torch.fft.fft2(output - output.mean((1, 2), keepdim=True)).abs().square().mean(0)
    return _over_neighbours(power)


def _over_neighbours(power: Float[Tensor, "y x"]) -> float:
    last, near = SIZE // 2, (-2, -1, 0, 1, 2)
    places = [(last, 0), (0, last), (last, last)]
    around = [
        power[(y + up) % SIZE, (x + right) % SIZE].item()
        for y, x in places
        for up in near
        for right in near
        if up or right
    ]
    return statistics.fmean(power[y, x].item() for y, x in places) / statistics.median(around)


if __name__ == "__main__":
    main()
