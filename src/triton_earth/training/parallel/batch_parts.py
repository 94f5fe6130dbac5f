"""The parts of a batch: their gradients added up, and their losses by lead and variable."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.data.windows import batch_indices
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.rollout_loss import Leads, losses_by_lead_and_variable
from triton_earth.training.parallel.distributed import Processes

Table = Float[Tensor, "lead variable"]


@dataclass(frozen=True)
class OwnParts:
    """What this process's parts of a batch gave besides gradients.

    Attributes:
        loss: Mean of their losses.
        leads: Forecast of the first part whose loss is no number, else of the last.
        truth: What that part should have been.
        table: Mean of their losses by lead and variable, if it was asked for.
    """

    loss: float
    leads: Leads
    truth: State
    table: Table | None


def add_gradients(
    model: nn.Module,
    upcoming: Iterator[tuple[State, State]],
    parts: range,
    seed: int,
    step: int,
    forecaster: NetworkForecaster,
    config: TrainConfig,
    *,
    with_table: bool,
) -> OwnParts:
    """Add up the gradients of this process's parts of a batch; processes exchange them with the last."""
    total, kept = 0.0, None
    table: Table | None = None
    for part in parts:
        history, truth = (state.to(forecaster.device) for state in next(upcoming))
        torch.manual_seed(part_seed(seed, step, part))
        exchange: AbstractContextManager[None] = nullcontext()
        if isinstance(model, DistributedDataParallel) and part != parts[-1]:
            exchange = model.no_sync()
        with exchange:
            loss, leads = model(history, truth)
            (loss / len(parts)).backward()
        total += loss.item() / len(parts)
        leads = [(lead, replace(state, data=state.data.detach())) for lead, state in leads]
        if with_table:
            losses = losses_by_lead_and_variable(forecaster, leads, truth, config).double()
            table = losses / len(parts) if table is None else table + losses / len(parts)
        if kept is None and (part == parts[-1] or not torch.isfinite(loss)):
            kept = leads, truth
    assert kept is not None
    return OwnParts(total, *kept, table)


def mean_table(own: OwnParts, processes: Processes) -> Table:
    """Return the losses by lead and variable, the mean over all parts of all processes, which must all call this."""
    assert own.table is not None
    total = processes.sums(*own.table.flatten().tolist())
    return torch.tensor(total, dtype=torch.float64).reshape(own.table.shape) / processes.count


def worst_rows(
    own: OwnParts, forecaster: NetworkForecaster, config: TrainConfig, processes: Processes
) -> list[dict[str, Any]]:
    """Return the losses of the part of each process that is kept, one process after the other.

    Every process must call this.
    """
    table = losses_by_lead_and_variable(forecaster, own.leads, own.truth, config)
    values = processes.collected(*table.flatten().tolist())
    return [
        row
        for each in values
        for row in rows(torch.tensor(each).reshape(table.shape), own.leads, forecaster)
    ]


def rows(table: Table, leads: Leads, forecaster: NetworkForecaster) -> Sequence[dict[str, Any]]:
    """Return a table as rows of lead, variable and loss."""
    return [
        {"lead": lead + 1, "variable": variable, "loss": value}
        for (lead, _), values in zip(leads, table.tolist(), strict=True)
        for variable, value in zip(forecaster.predicted.names, values, strict=True)
    ]


def own_parts(config: TrainConfig, processes: Processes) -> range:
    """Return the numbers of the parts of each batch that this process computes.

    A batch is cut into processes × accumulate parts. Which windows a part holds and its random numbers depend on its
    number only, so two processes learn from the same as one that computes two parts one after the other.

    Raises:
        UserError: if the batch cannot be cut into as many equal parts.
    """
    count = processes.count * config.accumulate
    if config.batch_size % count:
        raise UserError(
            f"train.batch_size={config.batch_size} cannot be shared by {processes.count} processes with "
            f"train.accumulate={config.accumulate}; take a multiple of {count}."
        )
    first = processes.rank * config.accumulate
    return range(first, first + config.accumulate)


def shares(
    samples: int, config: TrainConfig, seed: int, first: int, processes: Processes
) -> Iterator[Int64[np.ndarray, " part"]]:
    """Yield the windows of this process's parts, step after step from `first` on: a pure function of (seed, step)."""
    size = config.batch_size // (processes.count * config.accumulate)
    for step in range(first, config.steps):
        batch = batch_indices(samples, config.batch_size, seed, step)
        for part in own_parts(config, processes):
            yield batch[part * size : (part + 1) * size]


def part_seed(seed: int, step: int, part: int) -> int:
    """Return the seed of everything random in a part of a step: noise and dropped paths."""
    entropy = [seed, step, part] if part else [seed, step]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
