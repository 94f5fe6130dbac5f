"""How operations, memory and time of Triton grow with the number of grid points.

    python benchmarks/scaling.py --json benchmarks/results/scaling.json

Operations (of convolutions, matrix products and attention, one application of a batch of one) and the bytes of
activations that a training step keeps in float32 are counted without computing anything, from 64 x 32 to 1440 x 720
cells; CPU seconds of a training step are measured on the grids of at most `--largest` cells. The exponent p of
cost ~ points^p is the slope of a straight line through the logarithms. The plain stages are the published V-cycle, of
two levels on every grid; the residual ones have levels by the rule (`levels: auto`).
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from triton_earth.layers.padding import Padding
from triton_earth.models.triton import TritonConfig

GLOBAL: Padding = ("zero", "periodic")
GRIDS = ((32, 64), (64, 128), (90, 180), (120, 240), (180, 360), (360, 720), (720, 1440))
SMALL = {
    "plain": TritonConfig(
        stages="plain", spatial_hidden_dim=32, num_spatial_layers=4, temporal_hidden_dim=64
    ),
    "residual": TritonConfig(stages="residual", widths=(32, 64), temporal_hidden_dim=64),
    "residual, axial": TritonConfig(
        stages="residual", widths=(32, 64), temporal_hidden_dim=64, attention="axial"
    ),
}
FULL = {
    "plain": TritonConfig(
        stages="plain", spatial_hidden_dim=256, num_spatial_layers=4, temporal_hidden_dim=512
    ),
    "residual": TritonConfig(stages="residual", widths=(128, 256, 256), temporal_hidden_dim=512),
    "residual, axial": TritonConfig(
        stages="residual", widths=(128, 256, 256), temporal_hidden_dim=512, attention="axial"
    ),
}
CHANNELS = {"small": (6, 4), "full": (97, 93)}


def main() -> None:
    """Count, time, fit, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=0, help="cells up to which steps are timed")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for size, configs in (("small", SMALL), ("full", FULL)):
        for name, config in configs.items():
            rows = [_counted(config, CHANNELS[size], shape) for shape in GRIDS]
            if size == "small":
                for row, shape in zip(rows, GRIDS, strict=True):
                    if row["points"] <= arguments.largest:
                        row["cpu_seconds"] = _timed(
                            config, CHANNELS[size], shape, arguments.repeats
                        )
            results[f"{size}, {name}"] = {
                "exponents": {
                    key: _exponent(rows, key)
                    for key in ("gigaflop", "activations_gb", "cpu_seconds")
                    if sum(key in row for row in rows) > 1
                },
                "grids": rows,
            }
            print(f"{size}, {name}", json.dumps(results[f"{size}, {name}"]), flush=True)
    report = {
        "command": " ".join(["python", "benchmarks/scaling.py", *sys.argv[1:]]),
        "machine": {"processor": platform.machine(), "threads": 1, "gpu": None},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "networks": results,
    }
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _counted(
    config: TritonConfig, channels: tuple[int, int], shape: tuple[int, int]
) -> dict[str, Any]:
    network = config.for_shape(shape).build(1, *channels, GLOBAL)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        y = network(torch.zeros(1, 1, channels[0], *shape))
    del y
    network.to("meta")  # where attention is counted as the matrix products that it is
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, channels[0], *shape, device="meta"))
    return {
        "grid": list(shape),
        "points": shape[0] * shape[1],
        "latent_cells": _latent_cells(network.total_stride, shape),
        "parameters": parameters,
        "gigaflop": round(counter.get_total_flops() / 1e9, 2),
        "activations_gb": round((sum(kept.values()) - 4 * parameters) / 1e9, 4),
    }


def _latent_cells(stride: int, shape: tuple[int, int]) -> int:
    return -(-shape[0] // stride) * -(-shape[1] // stride)


def _timed(
    config: TritonConfig, channels: tuple[int, int], shape: tuple[int, int], repeats: int
) -> float:
    """Return the median seconds of CPU of forward and backward pass."""
    network = config.for_shape(shape).build(1, *channels, GLOBAL)
    x = torch.randn(1, 1, channels[0], *shape)
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        network(x).square().mean().backward()
        times.append(time.process_time() - start)
    return round(statistics.median(times[1:]), 4)


def _exponent(rows: list[dict[str, Any]], key: str) -> float:
    pairs = [(row["points"], row[key]) for row in rows if key in row]
    points, costs = np.log(np.array(pairs)).T
    return round(float(np.polyfit(points, costs, 1)[0]), 3)


if __name__ == "__main__":
    main()
