"""Time and memory of `Triton` beside the same mathematics written plainly (`plain_triton.py`).

    python benchmarks/network.py --threads 2 --repeats 7 --json network.json
    python benchmarks/network.py --threads 1 --cases --recipes turbulence_small weather --json network_recipes.json

Both hold the same weights and see the same input; their outputs are compared first. Runs alternate
(plain, float32, bfloat16, plain, …), so that other load on the machine meets all alike; medians and
their ratios are reported. CPU seconds (summed over threads) suffer less from other load. Peak memory
is that of a fresh process per entry, above what it holds before the step (Linux only).

With `--recipes` the networks of shipped recipes run too: for inference and a training step, the operations a second in
matrix products and convolutions over what a large matrix product reaches in the same run and precision, and the part of
the time that each kind of operation takes. CPU seconds are used for both, so other load counts little.
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
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from plain_triton import PlainTriton
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from triton_earth.core.processes.kept_memory import kept_memory
from triton_earth.interop.official import load_network
from triton_earth.layers.padding import Padding
from triton_earth.models.cast_once import CastOnce
from triton_earth.models.triton import Triton
from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.optimizers import adamw
from triton_earth.workflow.recipes.recipe import load_recipe

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

GLOBAL: Padding = ("zero", "periodic")
BOX: Padding = ("periodic", "periodic")
RECIPES: dict[str, tuple[int, int, int, tuple[int, int], Padding]] = {
    "turbulence_small": (8, 1, 1, (64, 64), BOX),
    "turbulence": (1, 1, 1, (128, 128), BOX),
    "weather_small": (8, 6, 4, (32, 64), GLOBAL),
    "weather": (4, 72, 69, (32, 64), GLOBAL),
    "ocean": (1, 33, 29, (120, 240), GLOBAL),
    "kuroshio": (1, 2, 2, (256, 256), ("zero", "zero")),
}
"""Batch, channels in and out, cells and borders of the recipes whose networks are measured."""
KINDS = {
    "convolutions": ("convolution", "conv2d"),
    "attention": ("attention", "Attention", "bmm", "softmax", "exp_"),
    "matrix products": ("mm", "linear"),
    "norms": ("norm", "Norm", "var_mean"),
    "activations": ("silu", "gelu", "relu"),
    "optimizer": ("adamw", "AdamW"),
    "resampling": ("upsample", "pixel_shuffle"),
    "copies and borders": (
        "copy_",
        "cat",
        "index",
        "clone",
        "_Wrapped",
        "contiguous",
        "fill_",
        "zero_",
        "slice",
        "pad",
    ),
}
"""Kinds of operation by parts of their names; the first that fits counts."""
MATRIX_SIZE = 2048


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--recipes", nargs="*", choices=list(RECIPES), default=[])
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
        "recipes": {
            recipe: _utilization(recipe, arguments.repeats) for recipe in arguments.recipes
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
        with memory_of(mode):
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


def _utilization(recipe: str, repeats: int) -> dict[str, Any]:
    """Return achieved operations a second over those of a large matrix product, and the share of each kind."""
    batch, inputs, outputs, shape, padding = RECIPES[recipe]
    model = load_recipe(recipe).model
    network = model.network.for_shape(shape).build(model.history, inputs, outputs, padding)
    x = torch.randn(batch, model.history, inputs, *shape)
    result: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "batch": batch,
    }
    for mode in MODES:
        with memory_of(mode):
            for variant in VARIANTS[1:]:
                step = _step(network, x, variant, mode)
                result[f"{mode}, {variant}"] = _rates(step, variant, repeats)
    return result


def _rates(step: Callable[[], Tensor], variant: str, repeats: int) -> dict[str, Any]:
    """Return time and operations of a step, a large matrix product's in turns with it, and the share of each kind."""
    with FlopCounterMode(display=False) as counter:
        step()
    operations = counter.get_total_flops()
    dtype = torch.bfloat16 if variant == "bfloat16" else torch.float32
    seconds, peaks = [], []
    for _ in range(repeats):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
        peaks.append(_matrix_speed(dtype))
    fractions = [operations / taken / peak for taken, peak in zip(seconds, peaks, strict=True)]
    return {
        "gigaflop": round(operations / 1e9, 2),
        "cpu_seconds": round(statistics.median(seconds), 4),
        "gigaflop_per_second": round(operations / statistics.median(seconds) / 1e9, 1),
        "matrix_product_gigaflop_per_second": round(statistics.median(peaks) / 1e9, 1),
        "fraction_of_matrix_product": round(statistics.median(fractions), 3),
        "share_of_time": _shares(step),
    }


def _matrix_speed(dtype: torch.dtype) -> float:
    """Return the operations a second of CPU that a large square matrix product reaches."""
    a, b = (torch.randn(MATRIX_SIZE, MATRIX_SIZE, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    start = time.process_time()
    torch.mm(a, b)
    return 2 * MATRIX_SIZE**3 / (time.process_time() - start)


def _shares(step: Callable[[], Tensor]) -> dict[str, float]:
    """Return the part of the time that each kind of operation takes, largest first."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    times: dict[str, float] = {}
    for event in profiled.key_averages():
        kind = next((k for k, parts in KINDS.items() if any(p in event.key for p in parts)), "else")
        times[kind] = times.get(kind, 0.0) + event.self_cpu_time_total
    total = sum(times.values())
    ordered = sorted(times, key=lambda kind: -times[kind])
    return {kind: round(times[kind] / total, 3) for kind in ordered}


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


def memory_of(mode: str) -> AbstractContextManager[None]:
    """Return what memory is like in a mode: as `triton_earth.train` has it, and as it is for forecasts."""
    return kept_memory() if mode == "training" else nullcontext()


def _step(network: nn.Module, x: Tensor, variant: str, mode: str) -> Callable[[], Tensor]:
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=variant == "bfloat16")
    optimizer = adamw(list(network.parameters()), TrainConfig(learning_rate=1e-6))
    cast_once = CastOnce()

    def infer() -> Tensor:
        network.eval()
        with torch.no_grad(), autocast:
            output: Tensor = cast_once(network, x)
            return output

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
    with memory_of(mode):
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
