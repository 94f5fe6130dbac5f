"""The simple forecasts that stand beside a model: persistence, damped persistence, climatology, linear models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.time import MEAN_YEAR, describe_duration, describe_time
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.models.climatology import TRAIN, Climatology
from triton_earth.models.reference import Persistence, Reference
from triton_earth.models.references import (
    PERSISTENCE,
    REFERENCES,
    USUAL,
    References,
    require_known,
)

NO_TRAINING_SPLIT = (
    "persistence only: climatology and lag correlations come from a training split, "
    "and the truth has none"
)

ADVICE = (
    "Beside persistence there is no baseline, and no anomaly correlation: the store has no training split. Name a "
    "store with a training split, --climatology STORE."
)
"""What is said of scores without a climatology."""


@dataclass(frozen=True)
class Baselines:
    """Reference forecasts, and what anomalies are departures from.

    Attributes:
        references: The forecasts; persistence is the first.
        climatology: Climatology of the training split, or None where there is none.
        definition: What they are, in words.
        remarks: What a reader must know about them, in sentences.
        record: What they are fitted to: how many states, from when to when.
    """

    references: tuple[Reference, ...]
    climatology: Climatology | None
    definition: str
    remarks: tuple[str, ...] = ()
    record: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the reference forecasts."""
        return [reference.name for reference in self.references]


def fit_baselines(
    forecast: Forecasts,
    truth: Truth,
    alignment: Alignment,
    climatology_store: TrainingStore | None = None,
    names: Sequence[str] | None = None,
) -> Baselines:
    """Make the reference forecasts of the forecast's variables, from a training split.

    Args:
        forecast: Stored forecasts.
        truth: The truth; a training store with a training split, for more than persistence.
        alignment: Which leads are scored.
        climatology_store: Store whose training split is used instead of the truth's.
        names: Which of `REFERENCES`, all of which must be possible; None: persistence and, where they can be fitted,
            damped persistence and climatology.

    Returns:
        The reference forecasts; persistence is the first of them.

    Raises:
        UserError: if a name is unknown, a forecast that was asked for cannot be fitted, or the store of the climatology
            does not fit (see `describe_climatology`).
    """
    chosen = _in_order(names)
    remarks: tuple[str, ...] = ()
    if climatology_store is not None:
        remarks = (describe_climatology(climatology_store, forecast, alignment),)
    source = climatology_store or truth
    if not isinstance(source, TrainingStore) or TRAIN not in source.split_names:
        if len(chosen) > 1 and names is not None:
            raise UserError(
                f"--baselines {','.join(names)}: expected a training split to fit them to, found none. Name a store "
                f"that has with --climatology STORE, or take --baselines {PERSISTENCE}."
            )
        persistence = Persistence(forecast.variables, forecast.grid, forecast.time_step)
        remarks = (ADVICE,) if isinstance(source, TrainingStore) else ()
        return Baselines((persistence,), None, NO_TRAINING_SPLIT, remarks)
    longest = int(alignment.numbers[-1])
    references = References(source, forecast.variables, forecast.time_step, longest)
    fitted = tuple(references.fit(name) for name in chosen)
    climatology = references.climatology
    words = {**REFERENCES, "climatology": climatology.definition}
    definition = "; ".join(
        f"{one.name}: {words[name]}" for one, name in zip(fitted, chosen, strict=True)
    )
    return Baselines(fitted, climatology, definition, remarks, training_record(source))


def training_record(store: TrainingStore) -> str:
    """Return a training split in words: ``1096 states from 2002-01-01 to 2004-12-31 (3 years)``."""
    segments = store.segments(TRAIN)
    count = sum(len(one) for one in segments)
    begin = min(store.times[one.start] for one in segments)
    end = max(store.times[one.stop - 1] for one in segments)
    words = f"{count} states from {describe_time(begin)} to {describe_time(end)}"
    trajectories = len({one.trajectory for one in segments})
    if trajectories > 1:
        return f"{words} of {trajectories} trajectories"
    if not isinstance(store.time_step, np.timedelta64):
        return words
    span = float(count * store.time_step / MEAN_YEAR)
    return f"{words} ({span:.2g} year{'' if f'{span:.2g}' == '1' else 's'})"


def _in_order(names: Sequence[str] | None) -> list[str]:
    """Return the names without repetition, persistence first: scores of skill are relative to it."""
    require_known(names or (), "--baselines")
    return list(dict.fromkeys([PERSISTENCE, *(USUAL if names is None else names)]))


def describe_climatology(store: TrainingStore, forecast: Forecasts, alignment: Alignment) -> str:
    """Return in a sentence what the climatology is made of, and refuse a store that it cannot be made of.

    Args:
        store: Training store that climatology, lag correlations and heat-wave thresholds are taken from.
        forecast: Stored forecasts.
        alignment: Which of their leads are scored.

    Raises:
        UserError: if the store has no training split, another grid, kind of time or units, lacks a variable, has a step
            that does not divide that of the forecast, or trains on times that are scored here.
    """
    path = f"--climatology {store.path}"
    if TRAIN not in store.split_names:
        raise UserError(
            f"{path}: a climatology needs a training split; the store has {store.split_names}. Name another store."
        )
    if store.grid != forecast.grid:
        raise UserError(
            f"{path}: the store is on the grid '{store.grid}' but the forecast on '{forecast.grid}'. Prepare it on the "
            "forecast's grid."
        )
    for variable in forecast.variables:
        if variable.name not in store.variables:
            raise UserError(
                f"{path}: the store lacks the forecast's variable '{variable.name}'; it has {store.variables.names}. "
                "Name a store with every variable of the forecast."
            )
        (own,) = store.variables.select([variable.name])
        if own.units != variable.units:
            raise UserError(
                f"{path}: '{variable.name}' is in '{own.units}' there but in '{variable.units}' in the forecast. "
                "Prepare it with the same units."
            )
    starts = np.asarray(forecast.init_times)[alignment.available.any(axis=1)]
    if store.times.dtype.kind != starts.dtype.kind:
        raise UserError(
            f"{path}: expected the kind of times of the forecast, dates or numbers, found the other kind. Name a "
            "store with the same kind of times."
        )
    steps = float(np.asarray(forecast.time_step) / np.asarray(store.time_step))
    if abs(steps - round(steps)) > 1e-3 or round(steps) < 1:
        raise UserError(
            f"{path}: the store has steps of {describe_duration(store.time_step)}, of which the forecast's "
            f"{describe_duration(forecast.time_step)} is no multiple. Prepare it with the forecast's step."
        )
    segments = store.segments(TRAIN)
    times = [(store.times[one.start], store.times[one.stop - 1]) for one in segments]
    first, last = starts.min(), starts.max() + forecast.lead_times[alignment.leads[-1]]
    shared = [pair for pair in times if pair[0] <= last and pair[1] >= first]
    if shared and len(store.trajectories) == 1 and times[0][0].dtype.kind == "M":
        raise UserError(
            f"{path}: its training split has {describe_time(shared[0][0])} to {describe_time(shared[0][1])}, and "
            f"{describe_time(first)} to {describe_time(last)} are scored here: "
            "the climatology would know the truth. Name a store that trains on other years."
        )
    begin, end = min(pair[0] for pair in times), max(pair[1] for pair in times)
    count = sum(len(one) for one in segments)
    return (
        f"The climatology is that of the training split of {store.path.name}, {count} times from "
        f"{describe_time(begin)} to {describe_time(end)}; "
        f"scored are {describe_time(first)} to {describe_time(last)}."
    )
