"""The simple forecasts that stand beside every model: persistence, damped persistence, climatology."""

from dataclasses import dataclass

from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
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


@dataclass(frozen=True)
class Baselines:
    """Reference forecasts, and what anomalies are departures from.

    Attributes:
        references: The forecasts; persistence is the first.
        climatology: Climatology of the training split, or None where there is none.
        definition: What they are, in words.
    """

    references: tuple[Reference, ...]
    climatology: Climatology | None
    definition: str

    @property
    def names(self) -> list[str]:
        """Names of the reference forecasts."""
        return [reference.name for reference in self.references]


def fit_baselines(forecast: Forecasts, truth: Truth, alignment: Alignment) -> Baselines:
    """Make the reference forecasts of the forecast's variables, from the truth's training split.

    Args:
        forecast: Stored forecasts.
        truth: The truth; a training store with a training split, for more than persistence.
        alignment: Which leads are scored.

    Returns:
        Persistence and, where they can be fitted, damped persistence and climatology.
    """
    variables, grid, time_step = forecast.variables, forecast.grid, forecast.time_step
    persistence = Persistence(variables, grid, time_step)
    if not isinstance(truth, TrainingStore) or TRAIN not in truth.split_names:
        return Baselines((persistence,), None, NO_TRAINING_SPLIT)
    climatology = fit_climatology(truth, variables.names)
    correlation = fit_lag_correlation(
        truth, variables.names, climatology, int(alignment.offsets[-1])
    )
    damped = DampedPersistence(
        variables,
        grid,
        time_step,
        climatology=climatology,
        correlation=correlation,
        store_steps=float(alignment.offsets[0] / alignment.numbers[0]),
    )
    mean = ClimatologyForecast(variables, grid, time_step, climatology=climatology)
    definition = (
        "persistence: the truth at the initial time, held; damped persistence: climatology and what is left of the "
        "initial anomaly on average at each place and lead (lag correlation over the training split); "
        f"climatology: {climatology.definition}"
    )
    return Baselines((persistence, damped, mean), climatology, definition)
