"""The simple forecasts that stand beside every model: persistence, damped persistence, climatology."""

from dataclasses import dataclass

import numpy as np

from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.climatology_store import describe_climatology
from triton_earth.models.climatology import (
    TRAIN,
    Climatology,
    fit_climatology,
)
from triton_earth.models.lag_correlation import fit_lag_correlation
from triton_earth.models.reference import (
    ClimatologyForecast,
    DampedPersistence,
    Persistence,
    Reference,
)

NO_TRAINING_SPLIT = (
    "persistence only: climatology and lag correlations come from a training split, "
    "and the truth has none"
)

ADVICE = (
    "Beside persistence there is no baseline, and no anomaly correlation: the store has no training split. Name one "
    "that has with --climatology STORE."
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
    """

    references: tuple[Reference, ...]
    climatology: Climatology | None
    definition: str
    remarks: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the reference forecasts."""
        return [reference.name for reference in self.references]


def fit_baselines(
    forecast: Forecasts,
    truth: Truth,
    alignment: Alignment,
    climatology_store: TrainingStore | None = None,
) -> Baselines:
    """Make the reference forecasts of the forecast's variables, from a training split.

    Args:
        forecast: Stored forecasts.
        truth: The truth; a training store with a training split, for more than persistence.
        alignment: Which leads are scored.
        climatology_store: Store whose training split is used instead of the truth's.

    Returns:
        Persistence and, where they can be fitted, damped persistence and climatology.

    Raises:
        UserError: if the store of the climatology does not fit (see `describe_climatology`).
    """
    variables, grid, time_step = forecast.variables, forecast.grid, forecast.time_step
    persistence = Persistence(variables, grid, time_step)
    remarks: tuple[str, ...] = ()
    if climatology_store is not None:
        remarks = (describe_climatology(climatology_store, forecast, alignment),)
    source = climatology_store or truth
    if not isinstance(source, TrainingStore) or TRAIN not in source.split_names:
        remarks = (ADVICE,) if isinstance(source, TrainingStore) else ()
        return Baselines((persistence,), None, NO_TRAINING_SPLIT, remarks)
    climatology = fit_climatology(source, variables.names)
    steps = float(np.asarray(time_step) / np.asarray(source.time_step))
    longest = round(steps * int(alignment.numbers[-1]))
    correlation = fit_lag_correlation(source, variables.names, climatology, longest)
    damped = DampedPersistence(
        variables,
        grid,
        time_step,
        climatology=climatology,
        correlation=correlation,
        store_steps=steps,
    )
    mean = ClimatologyForecast(variables, grid, time_step, climatology=climatology)
    definition = (
        "persistence: the truth at the initial time, held; damped persistence: climatology and what is left of the "
        "initial anomaly on average at each place and lead (lag correlation over the training split); "
        f"climatology: {climatology.definition}"
    )
    return Baselines((persistence, damped, mean), climatology, definition, remarks)
