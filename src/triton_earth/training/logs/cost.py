"""What a training step costs: measured on small batches on the device itself, and extended to the recipe's."""

import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
import torch

from triton_earth.core.state import State
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.compilation import as_written
from triton_earth.training.config import TrainConfig
from triton_earth.training.held_memory import CountedStep
from triton_earth.training.step import TrainingStep

REPEATS = 3
"""How often a step is timed; the fastest counts, because everything else that runs only makes it slower."""

RATE_SHARE = 0.22
"""Share of a matrix product's rate that a step comes to where it is only counted: the median of four recipes, which lie
between 0.12 and 0.33 (docs/measurements.md, "What plan counts")."""


@dataclass(frozen=True)
class StepCost:
    """What forward and backward pass of one step take.

    Attributes:
        flops: Multiplications and additions of matrix products, convolutions and attention.
        memory: Most bytes held at once beyond what is there before, gradients included.
        seconds: Time.
        cpu_seconds: Time of all processor cores together.
    """

    flops: float
    memory: float
    seconds: float
    cpu_seconds: float = 0.0

    def __add__(self, other: "StepCost") -> "StepCost":
        return StepCost(
            *(one + another for one, another in zip(astuple(self), astuple(other), strict=True))
        )

    def __sub__(self, other: "StepCost") -> "StepCost":
        return self + other * -1

    def not_negative(self) -> "StepCost":
        """Return this with zero in place of what noise has made less."""
        return StepCost(*(max(0.0, value) for value in astuple(self)))

    def __mul__(self, factor: float | int) -> "StepCost":
        return StepCost(*(value * factor for value in astuple(self)))


def step_cost(
    forecaster: NetworkForecaster,
    config: TrainConfig,
    batch: int,
    horizon: int,
    *,
    counts: bool = False,
) -> StepCost:
    """Return the cost of a step with a batch and a horizon.

        c(b, K) ≈ bilinear in b and K, through the measured c(1 … 2, 2 … 3)

    What fits into these is measured as it is. A first application differs from the next, whose input has a gradient,
    so that horizons are extended from two and three.

    Args:
        forecaster: What is trained; its weights are left as they are.
        config: How.
        batch: Windows computed at once.
        horizon: Applications of the model.
        counts: Count the operations on tensors without values, which the forecaster's weights must be, too.
    """
    horizons = (horizon,) if horizon <= 3 else (2, 3)
    by_horizon = []
    for applications in horizons:
        if counts:
            by_horizon.append(counted_step(forecaster, config, batch, applications))
            continue
        one = measured_step(forecaster, config, 1, applications)
        if batch == 1:
            by_horizon.append(one)
            continue
        two = measured_step(forecaster, config, 2, applications)
        by_horizon.append(one + (two - one).not_negative() * (batch - 1))
    if len(by_horizon) == 1:
        return by_horizon[0]
    longer = (by_horizon[1] - by_horizon[0]).not_negative()
    return by_horizon[0] + longer * (horizon - horizons[0])


def counted_step(
    forecaster: NetworkForecaster, config: TrainConfig, batch: int, horizon: int
) -> StepCost:
    """Return the cost of one step, counted from its operations without values: no result, no memory and no time.

    Args:
        forecaster: What is trained, with weights without values.
        config: How.
        batch: Windows computed at once.
        horizon: Applications of the model.
    """
    run = _step_of(forecaster, config, batch, horizon)
    with CountedStep() as counted:
        run()
    return StepCost(float(counted.flops), float(counted.peak), 0.0)


def matrix_rate(device: torch.device) -> float:
    """Return the operations a second of a short float32 matrix product on a device.

    On a CPU what counts is the time of its threads: other processes make plan's hours longer by little.
    """
    side = 4096 if device.type == "cuda" else 768
    one = torch.ones(side, side, device=device)
    best = math.inf
    for _ in range(REPEATS):
        started, worked = time.monotonic(), time.process_time()
        product = one @ one
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        del product
        best = min(best, time.monotonic() - started)
        if device.type == "cpu":
            best = min(best, (time.process_time() - worked) / torch.get_num_threads())
    return 2.0 * side**3 / best


def measured_step(
    forecaster: NetworkForecaster, config: TrainConfig, batch: int, horizon: int
) -> StepCost:
    """Return the cost of one step by running it: once for operations and memory, several times for the time."""
    run = _step_of(forecaster, config, batch, horizon)
    with as_written(forecaster.network), CountedStep() as counted:
        run()
    times, of_cores = [], []
    for _ in range(REPEATS):
        started, worked = time.monotonic(), time.process_time()
        run()
        times.append(time.monotonic() - started)
        of_cores.append(time.process_time() - worked)
    return StepCost(float(counted.flops), float(counted.peak), min(times), min(of_cores))


def _step_of(
    forecaster: NetworkForecaster, config: TrainConfig, batch: int, horizon: int
) -> Callable[[], None]:
    """Return the function that runs one step."""
    step = TrainingStep(forecaster, config)
    forecaster.network.train()
    history, truth = (
        state.to(forecaster.device) for state in _random_window(forecaster, batch, horizon)
    )

    def run() -> None:
        loss, _ = step(history, truth)
        loss.backward()
        step.zero_grad(set_to_none=True)
        if forecaster.device.type == "cuda":
            torch.cuda.synchronize(forecaster.device)

    return run


def _random_window(forecaster: NetworkForecaster, batch: int, horizon: int) -> tuple[State, State]:
    """Return a history and a truth of normally distributed values."""
    length = forecaster.history * (1 + horizon)
    shape = (batch, length, len(forecaster.variables), *forecaster.grid.shape)
    times: np.ndarray = np.arange(length) * forecaster.time_step
    if times.dtype.kind == "m":
        times = np.datetime64("2000-01-01", "ns") + times
    valid_times = np.tile(times, (batch, 1))
    data = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    state = State(data, forecaster.variables, forecaster.grid, valid_times)
    return state.at(slice(0, forecaster.history)), state.at(slice(forecaster.history, None))
