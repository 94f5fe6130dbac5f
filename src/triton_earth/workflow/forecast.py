"""`triton-earth forecast`: from a trained model and initial conditions to a forecast store."""

from pathlib import Path
from typing import Any

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration
from triton_earth.data.store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, load_provenance
from triton_earth.rollout.forecast_store import ForecastStore
from triton_earth.rollout.writer import write_forecast
from triton_earth.workflow.device import Device, resolve_device
from triton_earth.workflow.provenance import provenance


def forecast(
    model: Path,
    store: Path,
    out: Path,
    *,
    steps: int | None = None,
    split: str = "test",
    init: list[str] | None = None,
    batch_size: int = 16,
    device: Device = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> ForecastStore:
    """Forecast from states of a training store.

    Args:
        model: Run folder or forecaster folder.
        store: Training store with the initial conditions.
        out: New forecast store.
        steps: Number of leads, by default that of the model's recipe; may go beyond the end of the store.
        split: Split whose trajectories are forecast.
        init: Initial times, in the store's time units; by default the first possible one of each trajectory.
        batch_size: Initial conditions that are forecast together.
        device: Where to compute.
        resume: Go on with an unfinished forecast.
        overwrite: Replace an existing one.

    Returns:
        The forecast.

    Raises:
        UserError: if model and store do not fit, an initial time is not in the store, or `out` exists and neither
            option allows it.
    """
    where = resolve_device(device)
    forecaster = load_forecaster(model, where)
    data = TrainingStore.open(store)
    starts = _starts(data, init, forecaster.history)
    trajectories = data.trajectories_in(split).tolist()
    origin = load_provenance(model)
    if steps is None:
        steps = _recipe_steps(origin["training"], model)
    return write_forecast(
        forecaster,
        data,
        out,
        trajectories=[number for number in trajectories for _ in starts],
        starts=[start for _ in trajectories for start in starts],
        steps=steps,
        batch_size=batch_size,
        provenance=provenance(
            model=forecaster.name,
            parameters=forecaster.parameter_count,
            store_hash=data.content_hash,
            split=split,
            **origin,
        ),
        device=where,
        resume=resume,
        overwrite=overwrite,
    )


def _recipe_steps(training: dict[str, Any], model: Path) -> int:
    try:
        return int(training["recipe"]["forecast"]["steps"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{model}: the model does not say how many steps to forecast; add --steps."
        ) from error


def _starts(store: TrainingStore, init: list[str] | None, history: int) -> list[int]:
    """Return the index of the first of the `history` times that lead up to each initial time."""
    if not init:
        return [0]
    starts = []
    for text in init:
        index = store.find_time(_parse_time(text, store.times))
        if index is None or index < history - 1:
            raise UserError(
                f"--init {text}: not a time of {store.path} with {history} states up to it; its times are "
                f"{store.times[0]} to {store.times[-1]} in steps of {describe_duration(store.time_step)}."
            )
        starts.append(index - history + 1)
    return starts


def _parse_time(text: str, times: np.ndarray) -> float | np.datetime64:
    try:
        if np.issubdtype(times.dtype, np.datetime64):
            return np.datetime64(text)
        return float(text)
    except ValueError as error:
        raise UserError(
            f"--init {text}: not a time; the store's times look like {times[0]}."
        ) from error
