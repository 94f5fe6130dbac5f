"""The training loop: batch, rollout, loss, step, log. Short enough to read in one sitting."""

import functools
import math
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NoReturn

from torch import Tensor, nn

from triton_earth.core.outputs.files import remove, write_text
from triton_earth.core.processes.progress import progress
from triton_earth.data.dataset import ForecastDataset
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.training.checkpoint import (
    continue_training,
    finish_saving,
    load_training_state,
    save_training_state,
)
from triton_earth.training.compilation import as_written, compile_network, is_compiled
from triton_earth.training.config import CLIMATE, VALIDATION_CRPS, TrainConfig, score_names
from triton_earth.training.interruption import INTERRUPTED, Interrupted, Request, listening
from triton_earth.training.logs.log import RunLog
from triton_earth.training.logs.meter import Meter
from triton_earth.training.optimization.curriculum import horizon_at
from triton_earth.training.optimization.explosion import require_sound
from triton_earth.training.optimization.moving_average import MovingAverage
from triton_earth.training.optimization.optimizers import (
    build_optimizers,
    learning_rate,
    set_learning_rate,
)
from triton_earth.training.parallel.batch_parts import (
    add_gradients,
    mean_table,
    own_parts,
    rows,
    shares,
    worst_rows,
)
from triton_earth.training.parallel.distributed import ALONE, Processes
from triton_earth.training.parallel.sharding import gathered, shard, whole_norm
from triton_earth.training.stabilization import CHANGE, Stabilization
from triton_earth.training.step import TrainingStep
from triton_earth.training.validation.climate_selection import ClimateSelection
from triton_earth.training.validation.validation import validate, validate_rollouts

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
    request: Request | None = None,
    stabilizers: StabilizersConfig | None = None,
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
        request: Whether a signal has come, if somebody listens already.
        stabilizers: What corrects every state; None: nothing.

    Raises:
        UserError: if loss or gradient are no longer finite, or the loss explodes.
        Interrupted: if a signal asked to stop; all that was done is saved.
    """
    network, device = forecaster.network, forecaster.device
    if config.parallel == "fsdp" and processes.count > 1:
        shard(network)
    parts, count = own_parts(config, processes), processes.count * config.accumulate
    optimizers = build_optimizers(network, config)
    average = MovingAverage(network, config.ema_decay)
    first, best, first_loss, best_weights = load_training_state(
        folder, network=network, average=average, optimizers=optimizers, parts=count
    )
    if config.init_from is not None and config.init_optimizer == "continued" and not first:
        continue_training(config.init_from, network, optimizers)
        average = MovingAverage(network, config.ema_decay)
    processes.wait()
    if processes.is_main:
        finish_saving(folder)
        remove(folder / INTERRUPTED)
    if is_compiled(config, device, processes.count):
        compile_network(network)
    stabilization = None
    if stabilizers is not None:
        stabilization = Stabilization.of(stabilizers, training.store, forecaster)
    training_step = TrainingStep(forecaster, config, stabilization)
    model = processes.parallel(training_step, config.parallel)
    meter = Meter(device)
    batches = training.batches(
        shares(len(training), config, seed, first, processes),
        (
            forecaster.block * horizon_at(config.stages, step, seed)
            for step in range(first, config.steps)
            for _ in parts
        ),
        workers=config.loader_workers,
        pinned=device.type == "cuda",
    )
    upcoming = meter.waiting(batches)
    steps_per_epoch = len(training) // config.batch_size
    score_columns = [
        name
        for name in score_names(config.validation_leads)[1:]
        if (forecaster.is_stochastic or name != VALIDATION_CRPS)
        and (config.select_by == CLIMATE or name != CLIMATE)
    ]
    score_columns += [f"{name}{CHANGE}" for name in stabilization.names] if stabilization else []
    score_columns += ["went_back"] if config.back_to_best else []
    climate = None
    if config.select_by == CLIMATE:
        climate = ClimateSelection.of(
            forecaster,
            training.store,
            config.climate_steps,
            config.climate_starts,
            stabilizers,
        )
    with (
        listening() if request is None else nullcontext(request) as asked,
        progress("train", config.steps, done=first) as advance,
        closing(
            RunLog(folder, first, score_columns, writes=processes.is_main, loggers=config.loggers)
        ) as log,
    ):
        if first < config.steps and any(processes.sums(float(asked.name != ""))):
            leave(asked.name, first, folder, processes)
        for step in range(first, config.steps):
            rate = learning_rate(step, config)
            set_learning_rate(optimizers, rate)
            network.train()
            training_step.config = now = config.at(step)
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            done = step + 1
            validates = done % config.validate_every == 0 or done == config.steps
            logs = validates or done % LOG_EVERY == 0
            own = add_gradients(
                model, upcoming, parts, seed, step, forecaster, now, with_table=logs
            )
            loss, stop = processes.sums(own.loss, float(asked.name != ""))
            loss /= processes.count
            norm = whole_norm(nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm))
            if any(stage.from_step == step for stage in config.stages):
                first_loss = loss
            require_sound(
                step,
                loss,
                norm,
                first_loss,
                config,
                folder,
                functools.partial(worst_rows, own, forecaster, now, processes),
            )
            for optimizer in optimizers:
                optimizer.step()
            average.update(network)
            meter.samples += config.batch_size
            advance(note=meter.note(loss))
            values: dict[str, float] = {}
            if validates:
                with average.applied_to(network), as_written(network):
                    values = validate(forecaster, validation, config, stabilization)
                    if rollouts is not None:
                        scores, by_lead = validate_rollouts(
                            forecaster, rollouts, config, stabilization
                        )
                        values |= scores
                        for row in by_lead:
                            log.write("validation", step=done, **row)
                    if climate is not None:
                        values[CLIMATE] = climate.score(forecaster)
                score = values[config.select_by]
                # A first score is kept however bad it is: there must be a forecaster in the end.
                is_best = score < best or math.isinf(best)
                if is_best:
                    best = score if math.isfinite(score) else math.inf
                    weights = gathered(average.weights)
                    if processes.is_main:
                        save_best(forecaster, weights, values)
                if config.back_to_best:
                    values["went_back"] = float(not is_best)
                    if is_best:
                        best_weights = {
                            name: tensor.clone() for name, tensor in average.weights.items()
                        }
                    elif best_weights is not None:
                        average.go_back(network, best_weights)
            # Rows come before the state: a resumed run drops those of later steps, but could not make up for any.
            if logs:
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
                for row in rows(mean_table(own, processes), own.leads, forecaster):
                    log.write("losses", step=done, **row)
            if validates or stop:
                log.sync()
                save_training_state(
                    folder,
                    step=done,
                    best_loss=best,
                    first_loss=first_loss,
                    network=network,
                    average=average,
                    optimizers=optimizers,
                    parts=count,
                    writes=processes.is_main,
                    best_weights=best_weights,
                )
            if stop:
                leave(asked.name, done, folder, processes)


def leave(signal: str, step: int, folder: Path, processes: Processes) -> NoReturn:
    """End a run that was asked to stop, in all processes at once.

    Args:
        signal: The signal's name; empty where another process has heard it.
        step: Steps that are done and saved.
        folder: Run folder.
        processes: Which of how many processes this is.

    Raises:
        Interrupted: always.
    """
    name = signal or "another process"
    if processes.is_main:
        write_text(folder / INTERRUPTED, f"{name}, step {step}\n")
    # Launchers end all processes with the first: none may go before everything is saved.
    processes.wait()
    raise Interrupted(name, step)
