"""What a training step of a variant costs, and how many of them a budget pays for."""

import math
from dataclasses import dataclass
from typing import Any

from triton_earth.bench.config import Budget
from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.training.compilation import compile_network, is_compiled
from triton_earth.training.config import TrainConfig
from triton_earth.training.logs.cost import StepCost, measured_step
from triton_earth.training.parallel.distributed import ALONE
from triton_earth.workflow.device import resolve_device
from triton_earth.workflow.recipes.recipe import Recipe
from triton_earth.workflow.running.start import initial_forecaster, start_of
from triton_earth.workflow.running.training_windows import training_windows

FEWEST_STEPS = 10
"""Below, a run is no training."""

VALIDATIONS = 5
"""Validations of a run."""

WARMUP = 0.1
"""Longest part of a run in which the learning rate rises."""


@dataclass(frozen=True)
class Cost:
    """What one optimiser step takes, averaged over the stages of the recipe's curriculum.

    Attributes:
        parameters: Trainable parameters.
        flops: Floating-point operations.
        cpu_seconds: Seconds of all cores together.
        wall_seconds: Seconds on the clock.
    """

    parameters: int
    flops: float
    cpu_seconds: float
    wall_seconds: float


def measured_cost(recipe: Recipe, store: TrainingStore) -> Cost:
    """Measure what a step of a recipe costs on this machine.

    Raises:
        UserError: if the recipe's network cannot run on the store's grid, or the store is too short for it.
    """
    config = recipe.train
    store.require_gap(recipe.window)
    training_windows(recipe, store.segments, ALONE)
    forecaster = initial_forecaster(recipe, store, start_of(recipe, store))
    device = resolve_device(config.device)
    forecaster.network.to(device)
    if is_compiled(config, device):
        compile_network(forecaster.network)
    ends = [stage.from_step for stage in config.stages[1:]] + [config.steps]
    total = StepCost(0.0, 0.0, 0.0)
    for stage, end in zip(config.stages, ends, strict=True):
        batch = config.batch_size // config.accumulate
        now = config.at(stage.from_step)
        step = measured_step(forecaster, now, batch, stage.longest) * config.accumulate
        part = (end - stage.from_step) / config.steps
        total = total + step * (part * stage.mean / stage.longest)
    return Cost(forecaster.parameter_count, total.flops, total.cpu_seconds, total.seconds)


def affordable_steps(budget: Budget, cost: Cost, batch_size: int) -> int:
    """Return how many optimiser steps the budget pays for.

    Raises:
        UserError: if there are fewer than ten.
    """
    price = {
        "samples": batch_size,
        "flops": cost.flops,
        "cpu_seconds": cost.cpu_seconds,
        "wall_seconds": cost.wall_seconds,
    }[budget.kind]
    steps = math.floor(budget.amount / price)
    if steps < FEWEST_STEPS:
        raise UserError(
            f"budget.{budget.kind}={budget.amount:.4g} pays for {steps} steps of {price:.3g} each, and training needs "
            f"{FEWEST_STEPS}; raise it to {FEWEST_STEPS * price:.3g}, or take a smaller network or batch."
        )
    return steps


def schedule_for(config: TrainConfig, steps: int) -> dict[str, Any]:
    """Return the settings of a run that is shortened or lengthened to `steps`, curriculum and all.

    The learning rate rises during a tenth of the run at most.

    Args:
        config: Training of the recipe.
        steps: Optimiser steps.
    """
    scale = steps / config.steps
    settings: dict[str, Any] = {
        "train__steps": steps,
        "train__warmup_steps": min(config.warmup_steps, math.floor(WARMUP * steps)),
        "train__validate_every": math.ceil(steps / VALIDATIONS),
        "train__report": False,
    }
    if config.decay_steps is not None:
        settings["train__decay_steps"] = max(1, math.floor(scale * config.decay_steps))
    if config.curriculum:
        settings["train__curriculum"] = [
            {
                **stage.model_dump(exclude_none=True),
                "from_step": math.floor(scale * stage.from_step),
            }
            for stage in config.curriculum
        ]
    return settings
