"""Time and memory of `Triton` beside the same mathematics written plainly (`plain_triton.py`).

    python benchmarks/network.py --threads 2 --repeats 7 --json network.json

Both hold the same weights and see the same input; their outputs are compared first. Runs alternate
(plain, float32, bfloat16, plain, …), so that other load on the machine meets all alike; medians and
their ratios are reported. CPU seconds (summed over threads) suffer less from other load. Peak memory
is that of a fresh process per entry, above what it holds before the step (Linux only).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from plain_triton import PlainTriton
from torch import Tensor, nn

from triton_earth.interop.official import load_network
from triton_earth.models.triton import Triton

CASES: dict[str, dict[str, Any]] = {
    "turbulence_128x128": {
        "shape_in": (1, 1, 128, 128),
        "spatial_hidden_dim": 128,
        "output_channels": 1,
        "temporal_hidden_dim": 256,
    },
    "example_10x256x256": {
        "shape_in": (10, 2, 256, 256),
        "spatial_hidden_dim": 32,
        "output_channels": 1,
        "temporal_hidden_dim": 64,
    },
}
VARIANTS = ("plain", "float32", "bfloat16")
MODES = ("inference", "training")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--peak", nargs=3, metavar=("CASE", "VARIANT", "MODE"), help="internal")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.peak:
        print(_peak_memory(*arguments.peak))
        return
    results: dict[str, Any] = {
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": _processor(),
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "load_average_at_start": os.getloadavg()[0],
        "cases": {
            case: _measure(case, arguments.repeats, arguments.threads) for case in arguments.cases
        },
    }
    results["load_average_at_end"] = os.getloadavg()[0]
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


def _measure(case: str, repeats: int, threads: int) -> dict[str, Any]:
    networks, x = _networks(case)
    result: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in networks["plain"].parameters()),
        "relative_difference_of_output": _differences(networks, x),
    }
    for mode in MODES:
        steps = {variant: _step(networks[variant], x, variant, mode) for variant in VARIANTS}
        seconds: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
        cpu_seconds: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
        for repeat in range(repeats + 1):
            for variant, step in steps.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                step()
                if repeat:
                    seconds[variant].append(time.perf_counter() - start)
                    cpu_seconds[variant].append(time.process_time() - cpu_start)
        medians = {variant: statistics.median(values) for variant, values in seconds.items()}
        cpu_medians = {v: statistics.median(values) for v, values in cpu_seconds.items()}
        memory = {variant: _memory_of_process(case, variant, mode, threads) for variant in VARIANTS}
        result[mode] = {
            "median_seconds": medians,
            "times_faster_than_plain": {v: medians["plain"] / medians[v] for v in VARIANTS},
            "median_cpu_seconds": cpu_medians,
            "cpu_time_ratio_to_plain": {v: cpu_medians["plain"] / cpu_medians[v] for v in VARIANTS},
            "peak_memory_mib": memory,
            "memory_relative_to_plain": {v: memory[v] / memory["plain"] for v in VARIANTS},
        }
    return result


def _networks(case: str) -> tuple[dict[str, nn.Module], Tensor]:
    """Return one network per variant, all with the same weights, and an input."""
    torch.manual_seed(0)
    arguments = CASES[case]
    plain = PlainTriton(**arguments, local_ends=arguments["shape_in"][0] > 1)
    for name, parameter in plain.named_parameters():
        if "gamma" in name:  # so that an error inside the blocks shows in the output
            nn.init.normal_(parameter, std=0.5)
    ours = Triton(**arguments, drop_path=0.0)
    ours.load_state_dict(load_network(plain.state_dict()).state_dict())
    return {"plain": plain, "float32": ours, "bfloat16": ours}, torch.randn(
        1, *arguments["shape_in"]
    )


def _step(network: nn.Module, x: Tensor, variant: str, mode: str) -> Callable[[], Tensor]:
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=variant == "bfloat16")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)

    def infer() -> Tensor:
        network.eval()
        with torch.no_grad(), autocast:
            return network(x)

    def train() -> Tensor:
        network.train()
        optimizer.zero_grad()
        with autocast:
            y = network(x)
        y.float().square().mean().backward()
        optimizer.step()
        return y

    return infer if mode == "inference" else train


def _differences(networks: dict[str, nn.Module], x: Tensor) -> dict[str, float]:
    outputs = {v: _step(networks[v], x, v, "inference")().float() for v in VARIANTS}
    exact = outputs["plain"]
    return {v: ((outputs[v] - exact).norm() / exact.norm()).item() for v in VARIANTS}


def _peak_memory(case: str, variant: str, mode: str) -> float:
    """Return the MiB that two steps take at most beyond what weights, torch and input take."""
    networks, x = _networks(case)
    step = _step(networks.pop(variant), x, variant, mode)
    networks.clear()
    before = _status("VmRSS")
    step()
    step()
    return (_status("VmHWM") - before) / 1024


def _memory_of_process(case: str, variant: str, mode: str, threads: int) -> float:
    command = [sys.executable, __file__, "--threads", str(threads), "--peak", case, variant, mode]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _status(key: str) -> int:
    """Return an entry of this process's status in KiB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {key}: peak memory needs Linux.")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores"


if __name__ == "__main__":
    main()
