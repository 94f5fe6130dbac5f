"""What `gpu.py` measures: one function for each of its checks, and the setting that they share."""

import copy
import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from training_memory import random_store

from triton_earth.core.state import State
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Windows, batch_indices
from triton_earth.models.checkpoint import load_forecaster
from triton_earth.models.triton import TritonConfig
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.forcing import Forcings
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.row_forecaster import RowForecaster
from triton_earth.training.logs.meter import Meter
from triton_earth.training.parallel.sharding import gathered, shard
from triton_earth.training.step import TrainingStep
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.plan import plan
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.recipes.recipe import load_recipe
from triton_earth.workflow.train import train

LONG = 4.0
"""Seconds after which work is timed no more."""


@dataclass(frozen=True)
class Setting:
    """What is measured, and where.

    Attributes:
        folder: Where everything goes.
        device: What it is measured on.
        networks: Batch (of the CPU), channels in and out, cells and borders by recipe.
        recipe: What is trained, and is the network of all but the first two.
        changes: What is changed in recipes.
        cells: Cells along each side of its fields.
        steps: Steps of forecasts, and of training where data is waited for.
        repeats: How often what is timed is done.
        matrix: Rows of the matrices whose product is the measure.
        largest_batch: Largest batch that is tried.
        until: When the time is over, as `time.monotonic` counts.
        largest: Rows and columns of the largest grid.
        model: Recipe and shipped model whose forecasts are counted in simulated days.
    """

    folder: Path
    device: torch.device
    networks: dict[str, tuple[Any, ...]]
    recipe: str
    changes: list[str]
    cells: int
    steps: int
    repeats: int
    matrix: int
    largest_batch: int
    until: float
    largest: tuple[int, int]
    model: tuple[str, str]

    def wait(self) -> None:
        """Wait for what the GPU has still to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the median seconds of some work, which was done once before; of fewer repeats where it takes long."""
        taken: list[float] = []
        while len(taken) <= self.repeats and (len(taken) < 2 or sum(taken) < LONG):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            taken.append(time.perf_counter() - started)
        return statistics.median(taken[1:])

    def network(self, recipe: str) -> tuple[nn.Module, Callable[[int], Tensor]]:
        """Return the network of a recipe on the CPU, and what makes inputs for a batch of a size."""
        _, inputs, outputs, shape, padding = self.networks[recipe]
        torch.manual_seed(0)
        model = load_recipe(recipe, self.changes).model
        network = model.network.for_shape(shape).build(model.history, inputs, outputs, padding)
        return network, lambda batch: torch.randn(batch, model.history, inputs, *shape)

    def store(self) -> TrainingStore:
        """Return random fields of the recipe's size."""
        path = self.folder / "random.zarr"
        return TrainingStore.open(path if path.exists() else random_store(path, self.cells))

    def trained(self) -> Path:
        """Return a run of two steps on random fields."""
        words = ["train.steps=2", "train.validate_every=2", "train.validation_windows=2"]
        words += [*self.changes, "train.report=false", f"train.device={self.device.type}"]
        run = self.folder / "two_steps"
        if not (run / "forecaster_last").exists():
            train(self.recipe, self.store().path, run, [*words[3:], *words[:3]], overwrite=True)
        return run


def agreement(setting: Setting) -> dict[str, Any]:
    """Return how far outputs are from those of the CPU in float32, relative in L2."""
    found = {}
    for recipe in setting.networks:
        network, inputs = setting.network(recipe)
        x = inputs(1)
        with torch.no_grad():
            exact = network.eval()(x)
            moved, given = network.to(setting.device), x.to(setting.device)
            row = {}
            for name in ("float32", "bfloat16"):
                with torch.autocast(setting.device.type, torch.bfloat16, enabled=name != "float32"):
                    y = moved(given).float().cpu()
                row[name] = float((y - exact).norm() / exact.norm())
        found[recipe] = row
    return found


def speed(setting: Setting) -> dict[str, Any]:
    """Return operations a second over those of a matrix product in bfloat16, at the batch that does best."""
    found: dict[str, Any] = {}
    for recipe in setting.networks:
        network, inputs = setting.network(recipe)
        network.to(setting.device)
        for mode in ("inference", "training"):
            best: dict[str, Any] = {"of_matrix_product": 0.0}
            batch = 1
            while batch <= setting.largest_batch:
                work = work_of(network, inputs(batch).to(setting.device), mode)
                try:
                    with FlopCounterMode(display=False) as counter:
                        work()
                    taken, peak = setting.seconds(work), matrix_speed(setting)
                except torch.cuda.OutOfMemoryError:
                    break
                rate = counter.get_total_flops() / taken
                if rate / peak < 1.03 * best["of_matrix_product"]:
                    break
                best = {"batch": batch, "seconds": taken, "teraflop_per_second": rate / 1e12}
                best["of_matrix_product"] = rate / peak
                batch *= 2
            found[f"{recipe}, {mode}"] = best
    return found


def work_of(network: nn.Module, x: Tensor, mode: str) -> Callable[[], None]:
    """Return what applies a network to an input in bfloat16 or, in the mode `training`, takes a step on it."""
    learns = mode == "training"
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)

    def work() -> None:
        network.train(learns)
        with torch.set_grad_enabled(learns), torch.autocast(x.device.type, torch.bfloat16):
            y = network(x)
        if learns:
            y.float().square().mean().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return work


def matrix_speed(setting: Setting) -> float:
    """Return the operations a second of a large square matrix product in bfloat16."""
    size = setting.matrix
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=setting.device) for _ in range(2))
    return 2 * size**3 / setting.seconds(lambda: a @ b)


def compiled(setting: Setting) -> dict[str, Any]:
    """Return seconds of inference and of a training step as they are and compiled, and what compiling took.

    Inference of one map is replayed from a CUDA graph besides, on a GPU; on a CPU what is compiled is only traced, as
    its compiler takes minutes.
    """
    found: dict[str, Any] = {}
    batches = {"inference": 1, "training": min(32, setting.largest_batch)}
    for mode, batch in batches.items():
        network, inputs = setting.network(setting.recipe)
        x = inputs(batch).to(setting.device)
        network.to(setting.device)
        work = work_of(network, x, mode)
        with FlopCounterMode(display=False) as counter:
            work()
        row = {"batch": batch, "as_it_is": setting.seconds(work)}
        on_gpu = setting.device.type == "cuda"
        network.compile(dynamic=False, backend="inductor" if on_gpu else "aot_eager")
        started = time.perf_counter()
        work()
        setting.wait()
        row["compiling"] = time.perf_counter() - started
        row["compiled"] = setting.seconds(work)
        row["times_faster"] = row["as_it_is"] / row["compiled"]
        rate = counter.get_total_flops() / min(row["compiled"], row["as_it_is"])
        row["of_matrix_product"] = rate / matrix_speed(setting)
        if on_gpu and mode == "inference":
            network, _ = setting.network(setting.recipe)
            replay = graph_of(network.to(setting.device).eval(), x)
            row["graph"] = setting.seconds(replay)
        found[mode] = row
    torch.compiler.reset()
    return found


def graph_of(network: nn.Module, x: Tensor) -> Callable[[], None]:
    """Return what replays the application of a network to x in bfloat16 from a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
        with torch.cuda.stream(stream):
            for _ in range(3):
                network(x)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            network(x)
    return graph.replay


def kinds(setting: Setting) -> dict[str, Any]:
    """Return the part of a training step's time on the device that each kind of kernel takes, the first ten."""
    network, inputs = setting.network(setting.recipe)
    x = inputs(min(32, setting.largest_batch)).to(setting.device)
    work = work_of(network.to(setting.device), x, "training")
    work()
    on_gpu = setting.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiled:
        work()
        setting.wait()
    events = profiled.key_averages()
    taken = {
        event.key[:80]: event.self_device_time_total if on_gpu else event.self_cpu_time_total
        for event in events
        if "#" not in event.key
    }
    whole = sum(taken.values())
    first = sorted(taken.items(), key=lambda item: -item[1])[:10]
    return {name: round(time / whole, 4) for name, time in first}


def largest(setting: Setting) -> dict[str, Any]:
    """Return seconds and memory of a training step on the largest grid, 97 channels in and 93 out, at batch one."""
    shape = setting.largest
    config = TritonConfig(stages="residual", widths=(128, 256, 256), temporal_hidden_dim=512)
    network = config.for_shape(shape).build(1, 97, 93, ("zero", "periodic")).to(setting.device)
    x = torch.randn(1, 1, 97, *shape, device=setting.device)
    work = work_of(network, x, "training")
    with FlopCounterMode(display=False) as counter:
        work()
    on_gpu = setting.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    found: dict[str, Any] = {"shape": shape, "seconds": setting.seconds(work)}
    rate = counter.get_total_flops() / found["seconds"]
    found["teraflop"] = counter.get_total_flops() / 1e12
    found["of_matrix_product"] = rate / matrix_speed(setting)
    found["gigabytes"] = torch.cuda.max_memory_allocated() / 1e9 if on_gpu else None
    return found


def days(setting: Setting) -> dict[str, Any]:
    """Return the simulated days a second of a shipped weather model, alone and in a batch, written or not."""
    recipe, name = setting.model
    store = prepare(recipe, setting.folder / "weather.zarr", resume=True)
    forecaster = load_forecaster(name, setting.device)
    step = float(np.asarray(forecaster.time_step) / np.timedelta64(1, "D"))
    (segment,) = store.segments("test")
    found: dict[str, Any] = {}
    for batch in (1, min(32, setting.largest_batch)):
        starts = [segment.start + number % 20 for number in range(batch)]
        seeds = EnsembleConfig(members=1).noise_seeds([0] * batch, list(range(batch)))
        rows = RowForecaster(forecaster, one_by_one=False, noise_seeds=seeds)
        times = store.times[starts]
        forcings = Forcings(forecaster, store, [0] * batch, times, setting.steps, "repeat")
        window = store.windows([0] * batch, starts, 1).to(setting.device)

        def work(
            rows: RowForecaster = rows, window: State = window, forcings: Forcings = forcings
        ) -> None:
            inits = list(range(len(window.data)))
            given = forcings.states(inits, 0, str(setting.device))
            with torch.no_grad():
                for _ in rollout(rows, window, given, setting.steps):
                    pass

        found[f"batch of {batch}"] = batch * setting.steps * step / setting.seconds(work)
    return found


def forecasts(setting: Setting) -> dict[str, Any]:
    """Return steps of a forecast a second, from two lengths, so that what happens once does not count."""
    run, store = setting.trained(), setting.store()
    forecaster = load_forecaster(run, setting.device)
    initial = store.windows([int(store.trajectories_in("test")[0])], [0], forecaster.history)
    initial = initial.to(setting.device)

    def kept(steps: int) -> None:
        with torch.no_grad():
            for _ in rollout(forecaster, initial, None, steps):
                pass

    def written(steps: int) -> None:
        out = setting.folder / "forecast.zarr"
        forecast(
            run,
            store.path,
            out,
            steps=steps,
            device=setting.device.type,
            guard="record",
            overwrite=True,
        )

    found = {}
    for name, work in (("rollout", kept), ("with_writing", written)):
        short, long = (
            setting.seconds(functools.partial(work, n)) for n in (setting.steps, 4 * setting.steps)
        )
        found[f"{name}_steps_per_second"] = 3 * setting.steps / max(long - short, 1e-9)
    found["writing_takes_times"] = (
        found["rollout_steps_per_second"] / found["with_writing_steps_per_second"]
    )
    return found


def waiting(setting: Setting) -> dict[str, Any]:
    """Return the part of the time that training waits for data, read from the store and kept in memory."""
    config = load_recipe(setting.recipe, setting.changes).train
    forecaster, store = load_forecaster(setting.trained(), setting.device), setting.store()
    forecaster.network.requires_grad_(True)
    step = TrainingStep(forecaster, config)
    windows = Windows(store.segments("train"), forecaster.history + 1)
    order = [
        batch_indices(len(windows), config.batch_size, 0, number) for number in range(setting.steps)
    ]
    found = {}
    for name, memory in (("store", 0.0), ("memory", 1e3)):
        data = ForecastDataset(store, windows, forecaster.history, memory_gb=memory)
        meter = Meter(setting.device)
        pinned = setting.device.type == "cuda"
        for history, truth in meter.waiting(data.batches(order, workers=2, pinned=pinned)):
            loss, _ = step(history.to(setting.device), truth.to(setting.device))
            loss.backward()
        setting.wait()
        found[f"waiting_for_{name}"] = meter.waiting_share
    return found


def parallel(setting: Setting) -> dict[str, Any]:
    """Return seconds of a step and its loss, plain, distributed and sharded, in a group of one process."""
    network, inputs = setting.network(setting.recipe)
    x, found = inputs(2).to(setting.device), {}
    backend = "nccl" if setting.device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=distributed.HashStore(), rank=0, world_size=1)
    try:
        for name in ("plain", "distributed", "sharded"):
            own = copy.deepcopy(network).to(setting.device)
            if name == "sharded":
                shard(own)
            model = DistributedDataParallel(own) if name == "distributed" else own
            optimizer = torch.optim.SGD(own.parameters(), lr=1e-3)

            def work(model: nn.Module = model, optimizer: Any = optimizer) -> Tensor:
                optimizer.zero_grad()
                loss = model(x).square().mean()
                loss.backward()
                optimizer.step()
                return loss.detach()

            losses = [float(work()) for _ in range(3)]
            whole = gathered(dict(own.state_dict()))
            size = float(sum(value.double().norm() for value in whole.values()))
            found[name] = {"seconds": setting.seconds(work), "losses": losses, "weights": size}
    finally:
        distributed.destroy_process_group()
    return found


def memory(setting: Setting) -> dict[str, Any]:
    """Return the memory of a training as `plan` says and, on a GPU, as it was; bytes."""
    words = [*setting.changes, f"train.device={setting.device.type}", "train.steps=2"]
    words += ["train.validate_every=2", "train.validation_windows=2", "train.report=false"]
    found = {"planned": plan(setting.recipe, words, setting.store().path).peak_memory}
    if setting.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        train(
            setting.recipe, setting.store().path, setting.folder / "memory", words, overwrite=True
        )
        found["measured"] = float(torch.cuda.max_memory_allocated())
        found["planned_over_measured"] = found["planned"] / found["measured"]
    return found
