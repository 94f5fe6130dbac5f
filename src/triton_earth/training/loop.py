"""The training loop: batch, rollout, loss, step, log. Short enough to read in one sitting."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from triton_earth.core.progress import progress
from triton_earth.core.state import State
from triton_earth.data.dataset import ForecastDataset
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.checkpoint import (
    continue_optimizers,
    load_training_state,
    save_training_state,
)
from triton_earth.training.config import TrainConfig, score_names
from triton_earth.training.curriculum import horizon_at
from triton_earth.training.distributed import ALONE, Processes
from triton_earth.training.explosion import require_sound
from triton_earth.training.interruption import Interrupted, listening
from triton_earth.training.log import RunLog
from triton_earth.training.meter import Meter
from triton_earth.training.moving_average import MovingAverage
from triton_earth.training.optimizers import build_optimizers, learning_rate, set_learning_rate
from triton_earth.training.rollout_loss import Leads, losses_by_lead_and_variable
from triton_earth.training.sharding import gathered, shard, whole_norm
from triton_earth.training.shares import own_parts, part_seed, shares
from triton_earth.training.step import TrainingStep
from triton_earth.training.validation import validate, validate_rollouts

LOG_EVERY = 20


def fit(
    forecaster: NetworkForecaster,
    training: ForecastDataset,
    validation: ForecastDataset,
    config: TrainConfig,
    seed: int,
    folder: Path,
    save_best: Callable[[NetworkForecaster, dict[str, Tensor], dict[str, float]], None],
    *,
    rollouts: ForecastDataset | None = None,
    processes: Processes = ALONE,
) -> None:
    """Train a forecaster's network, going on from the folder's training state if there is one.

    Everything random is a pure function of (seed, step, part of the batch): the order of the samples, the noise and the
    drawing of dropped paths. So a run that is resumed gives the same bits as one that was never interrupted.

    Args:
        forecaster: What to train; its network is changed in place.
        training: Windows of the training split.
        validation: Windows of the validation split.
        config: How to train.
        seed: Seed of the run.
        folder: Where logs and training state are written.
        save_best: Called with the forecaster, the averaged weights and their validation scores whenever these are the
            best so far.
        rollouts: Windows of the validation split for forecasts of `config.validation_leads`.
        processes: Which of how many processes this is; all but the main one write nothing.

    Raises:
        UserError: if loss or gradient are no longer finite, or the loss explodes.
        Interrupted: if a signal asked to stop; all that was done is saved.
    """
    network, device = forecaster.network, forecaster.device
    if config.parallel == "fsdp" and processes.count > 1:
        shard(network)
    optimizers = build_optimizers(network, config)
    average = MovingAverage(network, config.ema_decay)
    if config.init_from is not None and config.init_optimizer == "continued":
        continue_optimizers(config.init_from, optimizers)
    first, best, first_loss = load_training_state(
        folder, network=network, average=average, optimizers=optimizers
    )
    if config.compile:
        network.compile()
    model = processes.parallel(TrainingStep(forecaster, config), config.parallel)
    parts = own_parts(config, processes)
    meter = Meter(device)
    batches = training.batches(
        shares(len(training), config, seed, first, processes),
        (
            forecaster.block * horizon_at(config.stages, step)
            for step in range(first, config.steps)
            for _ in parts
        ),
        workers=config.loader_workers,
        pinned=device.type == "cuda",
    )
    upcoming = meter.waiting(batches)
    steps_per_epoch = len(training) // config.batch_size
    score_columns = score_names(config.validation_leads)[1:]
    with (
        listening() as request,
        progress("train", config.steps, done=first) as advance,
        closing(
            RunLog(folder, first, score_columns, writes=processes.is_main, loggers=config.loggers)
        ) as log,
    ):
        for step in range(first, config.steps):
            rate = learning_rate(step, config)
            set_learning_rate(optimizers, rate)
            network.train()
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            own = _backward(model, upcoming, parts, seed, step, device)
            loss, stop = processes.sums(own.loss, float(request.name != ""))
            loss /= processes.count
            norm = whole_norm(nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm))
            if any(stage.from_step == step for stage in config.stages):
                first_loss = loss
            require_sound(
                step,
                loss,
                norm,
                first_loss,
                config.explosion,
                functools.partial(_by_lead_and_variable, own, forecaster, config),
            )
            for optimizer in optimizers:
                optimizer.step()
            average.update(network)
            meter.samples += config.batch_size
            done = step + 1
            advance(note=meter.note(loss))
            values: dict[str, float] = {}
            validates = done % config.validate_every == 0 or done == config.steps
            if validates:
                with average.applied_to(network):
                    values = validate(forecaster, validation, config)
                    if rollouts is not None:
                        scores, rows = validate_rollouts(forecaster, rollouts, config)
                        values |= scores
                        for row in rows:
                            log.write("validation", step=done, **row)
                score = values[config.select_by]
                # A first score is kept however bad it is: there must be a forecaster in the end.
                if score < best or math.isinf(best):
                    best = score if math.isfinite(score) else math.inf
                    weights = gathered(average.weights)
                    if processes.is_main:
                        save_best(forecaster, weights, values)
            if validates or stop:
                save_training_state(
                    folder,
                    step=done,
                    best_loss=best,
                    first_loss=first_loss,
                    network=network,
                    average=average,
                    optimizers=optimizers,
                    writes=processes.is_main,
                )
            if validates or done % LOG_EVERY == 0:
                log.write(
                    "log",
                    step=done,
                    epoch=step // steps_per_epoch,
                    loss=loss,
                    learning_rate=rate,
                    gradient_norm=norm,
                    samples_per_second=meter.samples_per_second,
                    **values,
                )
                for row in _by_lead_and_variable(own, forecaster, config):
                    log.write("losses", step=done, **row)
            if stop:
                raise Interrupted(request.name or "another process", done)


@dataclass(frozen=True)
class _Backward:
    """What a step computed besides gradients: the mean loss of this process's parts, and the last part's forecast."""

    loss: float
    leads: Leads
    truth: State


def _backward(
    model: nn.Module,
    upcoming: Iterator[tuple[State, State]],
    parts: range,
    seed: int,
    step: int,
    device: torch.device,
) -> _Backward:
    """Add up the gradients of this process's parts of a batch; processes exchange them with the last."""
    total = 0.0
    for part in parts:
        history, truth = (state.to(device) for state in next(upcoming))
        torch.manual_seed(part_seed(seed, step, part))
        exchange: AbstractContextManager[None] = nullcontext()
        if isinstance(model, DistributedDataParallel) and part != parts[-1]:
            exchange = model.no_sync()
        with exchange:
            loss, leads = model(history, truth)
            (loss / len(parts)).backward()
        total += loss.item() / len(parts)
    return _Backward(
        total, [(lead, replace(state, data=state.data.detach())) for lead, state in leads], truth
    )


def _by_lead_and_variable(
    own: _Backward, forecaster: NetworkForecaster, config: TrainConfig
) -> list[dict[str, Any]]:
    table = losses_by_lead_and_variable(forecaster, own.leads, own.truth, config).tolist()
    return [
        {"lead": lead + 1, "variable": variable, "loss": value}
        for (lead, _), values in zip(own.leads, table, strict=True)
        for variable, value in zip(forecaster.predicted.names, values, strict=True)
    ]
