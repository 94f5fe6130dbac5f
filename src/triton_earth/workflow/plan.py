"""`triton-earth plan`: what training a recipe will take, before anything starts."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from triton_earth.core.errors import UserError, first_line
from triton_earth.core.processes.machine import (
    Needs,
    free_disk,
    free_memory,
    in_bytes,
    require_fits,
)
from triton_earth.core.variables import Role
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.statistics.damping import no_damping
from triton_earth.data.statistics.normalization import Normalizer
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.training.config import TrainConfig
from triton_earth.training.logs.cost import RATE_SHARE, StepCost, matrix_rate, step_cost
from triton_earth.training.losses.objective import require_predicted
from triton_earth.training.optimization.optimizers import moments
from triton_earth.training.parallel.distributed import Processes
from triton_earth.training.without_values import WithoutValues
from triton_earth.workflow.device import resolve_device, resolve_precision
from triton_earth.workflow.recipes.expected_data import (
    DescribedData,
    expected_data,
    of_store,
    require_agreement,
)
from triton_earth.workflow.recipes.recipe import Recipe, load_recipe
from triton_earth.workflow.running.training_windows import training_windows

NUMBER = 4
"""Bytes of a float32."""

ACTIVATIONS, WEIGHTS = 3000, 8
"""Bytes that a step may hold for each byte of its windows, and a training for each of its weights: bounds from above,
under which nothing need be counted. Networks that are shipped hold up to 295 for each (docs/measurements.md, "What plan
counts")."""

GPU_FLOPS = 1e14
"""Operations a second of matrix products on a GPU, where none is there to measure."""

LIBRARIES = 7.2e7
"""Bytes of what a training imports and counting not, torch's compiler above all: what `plan` took when it imported
that, less what it takes now (docs/measurements.md, "What plan counts")."""

IN_PIECES = 1.25
"""Memory that a step holds on a CPU, over that of its tensors: what is free stays with the process, in pieces of which
some are too small for the next tensor (`kept_memory`; docs/measurements.md, "Memory of training")."""

ADVICE = (
    "Take a smaller train.batch_size, train.accumulate parts of it, or train.recompute_steps=true."
)


@dataclass(frozen=True)
class Plan:
    """What training takes; bytes, seconds.

    Attributes:
        data: What it is trained on, and where that is known from.
        device: Where it was measured.
        processes: How many share each batch; memory and hours are those of each.
        parameters: Trainable parameters.
        flops: Floating-point operations of one optimiser step at the longest horizon.
        weights_memory: The weights and their moving average.
        optimizer_memory: The optimiser's moments.
        step_memory: Most that a step holds beside these: activations and gradients at the longest horizon.
        saving_memory: What writing the training state takes, while no step runs.
        data_memory: Fields that are kept in memory, and batches on their way.
        process_memory: The process without any of these.
        store_disk: The training store.
        run_disk: The run folder.
        seconds: All steps, validation apart.
        total_flops: Floating-point operations of all steps.
    """

    data: str
    device: torch.device
    processes: int
    parameters: int
    flops: float
    weights_memory: float
    optimizer_memory: float
    step_memory: float
    saving_memory: float
    data_memory: float
    process_memory: float
    store_disk: float
    run_disk: float
    seconds: float
    total_flops: float

    @property
    def peak_memory(self) -> float:
        """Most memory that the training process holds at once; on a GPU, most memory of the GPU."""
        training = self.weights_memory + self.optimizer_memory
        if self.device.type == "cuda":
            return training + self.step_memory
        momentary = max(self.step_memory, self.saving_memory)
        return self.process_memory + self.data_memory + training + momentary


def plan(
    recipe: str | Path,
    overrides: list[str] | None = None,
    store: str | Path | None = None,
    processes: int = 1,
    *,
    measure: bool = False,
) -> Plan:
    """Count the operations of training steps and work out what all of a recipe's training takes.

    Nothing is built, run or written. The time is that of the operations at 0.22 of the rate of a matrix product.

    Args:
        recipe: Recipe file, or name of a shipped recipe.
        overrides: Dotted assignments to the recipe.
        store: Its training store, where it is prepared; else what the recipe says or names is assumed.
        processes: How many will share each batch.
        measure: Build the network and run small steps in place of counting: slower, and the time is closer.

    Raises:
        UserError: if the recipe does not tell what its data will be, or for the reasons that `train` has to refuse
            recipe and data.

    Example:
        planned = triton_earth.plan("turbulence_small", tiny)
        planned.parameters, planned.peak_memory, planned.seconds
    """
    resolved = load_recipe(recipe, overrides)
    if store is not None:
        require_agreement(resolved, TrainingStore.open(store))
    return _planned(resolved, expected_data(resolved, store), processes, measure=measure)


def require_training_fits(recipe: Recipe, store: TrainingStore, out: Path, processes: int) -> None:
    """Refuse a training that memory or disk do not suffice for.

    Small ones are known to fit without counting.

    Args:
        recipe: What is trained.
        store: With which data.
        out: Run folder.
        processes: How many share each batch.

    Raises:
        UserError: with the numbers of `plan`.
    """
    batch = recipe.train.batch_size // (recipe.train.accumulate * processes)
    window = batch * recipe.window * NUMBER * len(store.variables) * math.prod(store.grid.shape)
    with_network = ACTIVATIONS * window + WEIGHTS * _parameter_bytes(
        recipe, of_store(recipe, store)
    )
    if with_network < min(free_memory(), free_disk(out)) / 2:
        return
    planned = _planned(recipe, of_store(recipe, store), processes, measure=False)
    on_gpu = planned.device.type == "cuda"
    memory = planned.peak_memory
    if on_gpu:
        free = float(torch.cuda.mem_get_info(planned.device)[0])
        if memory > free:
            raise UserError(
                f"{out}: the training takes {in_bytes(memory)} of the GPU's memory, and {in_bytes(free)} are free. "
                f"{ADVICE} --force goes on anyway."
            )
    require_fits(
        f"{out}: the training",
        memory=planned.data_memory if on_gpu else memory - planned.process_memory,
        disk=planned.run_disk,
        path=out,
        advice=ADVICE,
    )


def least_needs(recipe: Recipe, data: DescribedData) -> Needs:
    """Return the least needs of a training: weights, average, gradients and two moments, and the run folder.

    Args:
        recipe: What is trained.
        data: With which data.
    """
    size = _parameter_bytes(recipe, data)
    return Needs(5 * size, 10 * size)


def _parameter_bytes(recipe: Recipe, data: DescribedData) -> float:
    forecaster = on_meta(recipe, data, torch.device("cpu"))
    return float(NUMBER * forecaster.parameter_count)


def on_meta(recipe: Recipe, data: DescribedData, device: torch.device) -> NetworkForecaster:
    """Return a forecaster whose weights are nowhere.

    Args:
        recipe: What is trained.
        data: With which data.
        device: Where it would be.

    Raises:
        UserError: if the network's sizes are beyond any memory.
    """
    try:
        with torch.device("meta"):
            return NetworkForecaster(
                recipe.model,
                data.variables,
                data.grid,
                data.time_step,
                _unit_normalizer(data, recipe.model),
                precision=resolve_precision(recipe.train.precision, device),
            )
    except UserError:
        raise
    except (RuntimeError, OverflowError, MemoryError, TypeError) as error:
        raise UserError(
            f"model.network: a network of these sizes cannot be built ({first_line(error)}). Take smaller ones."
        ) from error


def _planned(recipe: Recipe, data: DescribedData, processes: int, *, measure: bool) -> Plan:
    config = recipe.train
    training_windows(recipe, data.segments, Processes(count=processes))
    device = resolve_device(config.device)
    forecaster = on_meta(recipe, data, device)
    require_predicted(config, forecaster.predicted.names)
    weights = NUMBER * sum(tensor.numel() for tensor in forecaster.network.state_dict().values())
    if measure:
        torch.manual_seed(recipe.seed)
        forecaster = NetworkForecaster(
            recipe.model,
            data.variables,
            data.grid,
            data.time_step,
            _unit_normalizer(data, recipe.model),
            precision=forecaster.precision,
        )
        forecaster.network.to(device)
    at_once = config.batch_size // (config.accumulate * processes)
    # Tensors without values behave as those of the device: the same kernels are chosen, and the same memory is held.
    if measure:
        costs = _costs(forecaster, config, at_once, counts=False)
    else:
        try:
            with WithoutValues():
                forecaster.network.to_empty(device=device)
                costs = _costs(forecaster, config, at_once, counts=True)
        except (RuntimeError, TypeError, ValueError, AttributeError):
            # Networks of others may do what only torch's slower way knows, as to look at a constant's value; and
            # another torch may lack what the faster way asks it.
            from torch._subclasses.fake_tensor import FakeTensorMode

            forecaster = on_meta(recipe, data, device)
            with FakeTensorMode(allow_non_fake_inputs=True):
                forecaster.network.to_empty(device=device)
                costs = _costs(forecaster, config, at_once, counts=True)
    longest = max(costs, key=lambda cost: cost.memory)
    # The libraries have by now loaded what they need for a step.
    process_memory = _resident() + (0.0 if measure else LIBRARIES)
    if not measure:
        rate = RATE_SHARE * matrix_rate(device)
        costs = [replace(cost, seconds=cost.flops / rate) for cost in costs]
    of_optimizer = float(NUMBER * moments(forecaster.network, config))
    field = NUMBER * len(data.variables) * data.grid.shape[0] * data.grid.shape[1]
    window = field * recipe.window * at_once
    state_file = 2 * weights + of_optimizer
    return Plan(
        data=str(data),
        device=device,
        processes=processes,
        parameters=forecaster.parameter_count,
        flops=longest.flops * config.accumulate * processes,
        weights_memory=2.0 * weights,
        optimizer_memory=of_optimizer,
        step_memory=longest.memory * (IN_PIECES if device.type == "cpu" else 1.0),
        saving_memory=2.0 * state_file,
        data_memory=_cached(data, field, config) + (config.loader_workers + 2.0) * window,
        process_memory=max(0.0, process_memory - (weights if measure else 0)),
        store_disk=float(field * sum(map(data.times, data.splits))),
        run_disk=2.0 * state_file + 2.0 * weights,
        seconds=_over_steps(config, [cost.seconds for cost in costs]) * config.accumulate,
        total_flops=_over_steps(config, [cost.flops for cost in costs]) * config.accumulate,
    )


def rows(planned: Plan) -> list[tuple[str, str]]:
    """Return the lines that the command line shows."""
    return [
        ("data", planned.data),
        ("processes", f"{planned.processes}" + (", each:" if planned.processes > 1 else "")),
        ("parameters", f"{planned.parameters:,}"),
        ("FLOPs per step", f"{planned.flops:.3g}"),
        ("weights and their average", in_bytes(planned.weights_memory)),
        ("optimizer", in_bytes(planned.optimizer_memory)),
        ("activations and gradients", in_bytes(planned.step_memory)),
        ("data in memory", in_bytes(planned.data_memory)),
        ("peak memory", in_bytes(planned.peak_memory)),
        ("disk: training store", in_bytes(planned.store_disk)),
        ("disk: run folder", in_bytes(planned.run_disk)),
        (f"hours on {planned.device.type}", f"{planned.seconds / 3600:.3g}"),
        *_on_a_gpu(planned),
    ]


def _on_a_gpu(planned: Plan) -> list[tuple[str, str]]:
    """Return the time on a GPU, of a training that takes days on the CPU."""
    if planned.device.type != "cpu" or planned.seconds < 86400:
        return []
    hours = planned.total_flops / (RATE_SHARE * GPU_FLOPS) / 3600
    return [
        (
            "hours on a GPU",
            f"{hours:.3g}, if its matrix products reach {GPU_FLOPS:.0e} FLOPs a second",
        )
    ]


def _unit_normalizer(data: DescribedData, model: ModelConfig) -> Normalizer:
    """Return a normaliser that changes nothing, with all parts that the model needs."""
    variables = data.variables
    ones = (1.0,) * len(variables)
    plain = Normalizer(tuple(variables.names), (0.0,) * len(variables), ones, ones)
    predicted = tuple(variables.with_role(Role.PROGNOSTIC, Role.DIAGNOSTIC).names)
    zeros = np.zeros((1, len(predicted), *data.grid.shape))
    return replace(
        plain,
        seasons=SeasonalCycle(predicted, Climatology(zeros, "zero"))
        if model.climatology_input
        else None,
        damping=None
        if model.skip_damping is None
        else no_damping(variables.with_role(Role.PROGNOSTIC)),
    )


def _cached(data: DescribedData, field: int, config: TrainConfig) -> float:
    """Return the bytes of the splits that are kept in memory."""
    sizes = [field * data.times(split) for split in ("train", "valid")]
    if config.validation_leads:
        sizes.append(sizes[1])
    return float(sum(size for size in sizes if size <= config.memory_gb * 1e9))


def _costs(
    forecaster: NetworkForecaster, config: TrainConfig, at_once: int, *, counts: bool
) -> list[StepCost]:
    """Return the cost of a step of each stage, with the stage's longest horizon.

    Counted is the costliest stage alone; the others cost in proportion to applications and members.
    """
    if counts:
        shares = [stage.longest * config.at(stage.from_step).members for stage in config.stages]
        costliest = config.stages[shares.index(max(shares))]
        now = config.at(costliest.from_step)
        whole = step_cost(forecaster, now, at_once, costliest.longest, counts=True)
        return [whole * (share / max(shares)) for share in shares]
    known: dict[tuple[int, int], StepCost] = {}
    costs = []
    for stage in config.stages:
        now = config.at(stage.from_step)
        key = (stage.longest, now.members)
        if key not in known:
            known[key] = step_cost(forecaster, now, at_once, stage.longest)
        costs.append(known[key])
    return costs


def _over_steps(config: TrainConfig, each: list[float]) -> float:
    """Return the sum over all steps, stage by stage; where horizons are drawn, in proportion to their mean.

    Args:
        config: The stages.
        each: What a step of each stage takes at its longest horizon.
    """
    total = 0.0
    ends = [stage.from_step for stage in config.stages[1:]] + [config.steps]
    for stage, end, amount in zip(config.stages, ends, each, strict=True):
        steps = max(0, min(end, config.steps) - stage.from_step)
        total += steps * amount * stage.mean / stage.longest
    return total


def _resident() -> float:
    """Return the bytes of memory that this process has now; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0.0
    pages = int(status.read_text(encoding="ascii").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
