"""When a run must stop: loss or gradient are no numbers any more, or the loss has grown out of all proportion."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig


def require_sound(
    step: int,
    loss: float,
    norm: float,
    first_loss: float,
    config: TrainConfig,
    folder: Path,
    by_lead_and_variable: Callable[[], Sequence[dict[str, Any]]],
) -> None:
    """Refuse to learn from a step that has gone wrong.

    Args:
        step: Number of the step, from 0.
        loss: Its loss.
        norm: Norm of its gradient.
        first_loss: Loss of the first step with the same horizon.
        config: How many times that the loss may be, and when it was validated.
        folder: The run folder.
        by_lead_and_variable: Gives the step's losses: rows of lead, variable and loss.

    Raises:
        UserError: naming the step, lead and variable of the first loss that is no number, or else of the largest, and
            what was saved.
    """
    if not math.isfinite(loss):
        what = f"loss is {loss}"
    elif not math.isfinite(norm):
        what = f"gradient's norm is {norm}"
    elif loss > config.explosion * first_loss:
        what = (
            f"loss is {loss:.3g}, more than {config.explosion:g} times the {first_loss:.3g} of the first step "
            f"with this horizon (train.explosion),"
        )
    else:
        return
    raise UserError(
        f"the training {what} at step {step + 1}{_place(by_lead_and_variable())}. {_way_out(step, config, folder)}"
    )


def _way_out(step: int, config: TrainConfig, folder: Path) -> str:
    """Say how to go on: `--resume` would only do the same again."""
    saved = step // config.validate_every * config.validate_every
    lower = (
        "with a lower train.learning_rate or train.clip_norm, and look for outliers in the data."
    )
    if not saved:
        return f"No step was validated yet: start a new run {lower}"
    return (
        f"The weights that did best until step {saved} are kept: start a new run from them in another folder, with "
        f"train.init_from={folder}, {lower}"
    )


def _place(rows: Sequence[dict[str, Any]]) -> str:
    """Say where it can be seen first, or else best."""
    for row in rows:
        if not math.isfinite(row["loss"]):
            return f", first in '{row['variable']}' at lead {row['lead']}"
    largest = max(rows, key=lambda row: row["loss"])
    return f", largest in '{largest['variable']}' at lead {largest['lead']}"
