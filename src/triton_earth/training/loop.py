"""The training loop: batch, rollout, loss, step, log. Short enough to read in one sitting."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triton_earth.core.errors import UserError
from triton_earth.core.progress import progress
from triton_earth.core.state import State
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import batch_indices
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.models.reference import Persistence
from triton_earth.rollout.rollout import rollout
from triton_earth.training.checkpoint import load_training_state, save_training_state
from triton_earth.training.config import TrainConfig
from triton_earth.training.log import TrainingLog
from triton_earth.training.losses import mean_squared_error
from triton_earth.training.moving_average import MovingAverage
from triton_earth.training.schedule import warmup_cosine

logger = logging.getLogger("triton_earth")

LOG_EVERY = 20


def fit(
    forecaster: NetworkForecaster,
    training: ForecastDataset,
    validation: ForecastDataset,
    config: TrainConfig,
    seed: int,
    folder: Path,
    save_best: Callable[[NetworkForecaster, dict[str, Tensor], dict[str, float]], None],
) -> None:
    """Train a forecaster's network, going on from the folder's training state if there is one.

    Everything random is a pure function of (seed, step): the order of the samples and the drawing of dropped paths. So
    a run that is resumed gives the same bits as one that was never interrupted.

    Args:
        forecaster: What to train; its network is changed in place.
        training: Windows of the training split.
        validation: Windows of the validation split.
        config: How to train.
        seed: Seed of the run.
        folder: Where log and training state are written.
        save_best: Called with the forecaster, the averaged weights and their validation scores whenever these are the
            best so far.

    Raises:
        UserError: if the loss is no longer finite.
    """
    network = forecaster.network
    device = forecaster.device
    optimizer = _adamw(network, config)
    average = MovingAverage(network, config.ema_decay)
    first, best_loss = load_training_state(
        folder, network=network, average=average, optimizer=optimizer
    )
    order = (
        batch_indices(len(training), config.batch_size, seed, step)
        for step in range(first, config.steps)
    )
    steps_per_epoch = len(training) // config.batch_size
    started = time.monotonic()
    with (
        progress("train", config.steps, done=first) as advance,
        contextlib.closing(TrainingLog(folder / "log.csv", resume_after=first)) as log,
    ):
        for step, (history, truth) in enumerate(training.batches(order), start=first):
            torch.manual_seed(_step_seed(seed, step))
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * warmup_cosine(
                    step, config.steps, config.warmup_steps
                )
            network.train()
            history = with_noise(forecaster, history.to(device), config.noise)
            loss = rollout_loss(forecaster, history, truth.to(device))
            if not torch.isfinite(loss):
                raise UserError(
                    f"the training loss is {loss.item()} at step {step + 1}. Lower train.learning_rate "
                    "or train.clip_norm, and look for outliers in the data."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
            optimizer.step()
            average.update(network)
            done = step + 1
            advance(note=f"loss {loss.item():.3g}")
            values: dict[str, float] = {}
            last = done == config.steps
            if done % config.validate_every == 0 or last:
                with average.applied_to(network):
                    values = validate(forecaster, validation, config)
                if values["validation_mse"] < best_loss:
                    best_loss = values["validation_mse"]
                    save_best(forecaster, average.weights, values)
                save_training_state(
                    folder,
                    step=done,
                    best_loss=best_loss,
                    network=network,
                    average=average,
                    optimizer=optimizer,
                )
            if values or done % LOG_EVERY == 0:
                log.write(
                    step=done,
                    epoch=step // steps_per_epoch,
                    loss=loss.item(),
                    learning_rate=optimizer.param_groups[0]["lr"],
                    gradient_norm=float(norm),
                    samples_per_second=(done - first)
                    * config.batch_size
                    / (time.monotonic() - started),
                    **values,
                )


def with_noise(forecaster: NetworkForecaster, history: State, size: float) -> State:
    """Return the history plus white noise of `size` times each variable's root mean square increment."""
    if size == 0:
        return history
    prognostic = history.select(forecaster.prognostic.names)
    scale = forecaster.increment_std(prognostic.variables.names)
    noise = size * scale * torch.randn_like(prognostic.data)
    return replace(prognostic, data=prognostic.data + noise)


def rollout_loss(forecaster: NetworkForecaster, history: State, truth: State) -> Tensor:
    """Return the loss of a rollout over all times of `truth`, the mean over leads.

    Forcings are those of the truth at each target time.
    """
    steps = truth.data.shape[1]
    forcings = None
    if len(forecaster.forcing):
        given = truth.select(forecaster.forcing.names)
        forcings = [
            given.at(slice(first, first + forecaster.block))
            for first in range(0, steps, forecaster.block)
        ]
    scale = forecaster.loss_scale()
    losses = [
        mean_squared_error(state, truth.at(slice(lead, lead + 1)), scale)
        for lead, state in enumerate(rollout(forecaster, history, forcings, steps))
    ]
    return torch.stack(losses).mean()


def validate(
    forecaster: NetworkForecaster, validation: ForecastDataset, config: TrainConfig
) -> dict[str, float]:
    """Return the normalised mean squared error of the forecaster, and of persistence, on fixed validation windows."""
    forecaster.network.eval()
    count = min(config.validation_windows, len(validation))
    chosen = np.linspace(0, len(validation) - 1, count).astype(int)
    batches = [
        chosen[first : first + config.batch_size] for first in range(0, count, config.batch_size)
    ]
    names = forecaster.normalizer.variables
    std = torch.tensor(
        [forecaster.normalizer.std[names.index(name)] for name in forecaster.predicted.names]
    )[:, None, None]
    persistence = Persistence(forecaster.variables, forecaster.grid, forecaster.time_step)
    sums = {"validation_mse": 0.0, "persistence_mse": 0.0}
    models: dict[str, Forecaster] = {"validation_mse": forecaster, "persistence_mse": persistence}
    with torch.inference_mode():
        for indices, (history, truth) in zip(batches, validation.batches(batches), strict=True):
            for name, model in models.items():
                window = history.last(model.history).to(forecaster.device)
                forecast = next(rollout(model, window, _first_forcing(forecaster, truth), 1))
                error = mean_squared_error(forecast.to("cpu"), truth.at(slice(0, 1)), std)
                sums[name] += float(error) * len(indices)
    return {name: total / count for name, total in sums.items()}


def _first_forcing(forecaster: NetworkForecaster, truth: State) -> list[State] | None:
    if not len(forecaster.forcing):
        return None
    given = truth.select(forecaster.forcing.names).at(slice(0, forecaster.block))
    return [given.to(forecaster.device)]


def _adamw(network: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Weight decay acts on matrices and kernels, not on biases, norms and layer scales."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
