"""The mean that runs of a trained forecaster have too much of, taken out of its climatology."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import Field, model_validator

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.processes.progress import progress
from triton_earth.data.statistics.climatology import ClimatologyFit
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.climatology import TRAIN, fit_climatology, of_the_grid
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.training.free_runs import Start, evenly_spread, free_runs, starts_of

LESS = ", less the mean that runs of the model have too much of"
BOUND = 1.0
"""Size of the departure of a mean from the climatology, in standard deviations, beyond which runs have left it."""


class MeanCorrectionConfig(StrictConfig):
    """Runs that tell the mean of a forecaster's own climate.

    Attributes:
        steps: Steps of each run; a year of them and more, or the season of the mean is not known.
        starts: How many runs, evenly spread over the training split, within which they end if it is long enough.
        skip: First steps of each run, which still know their start and do not count.
        harmonics: Harmonics of the year of the correction; 0 is a map that does not depend on the season.
    """

    steps: int = Field(default=1095, ge=20)
    starts: int = Field(default=8, ge=1)
    skip: int = Field(default=60, ge=0)
    harmonics: int = Field(default=1, ge=0, le=3)

    @model_validator(mode="after")
    def _something_is_left(self) -> "MeanCorrectionConfig":
        if self.skip >= self.steps:
            raise UserError(
                f"skip={self.skip} leaves none of steps={self.steps}. Lower skip, or raise steps."
            )
        return self


@dataclass(frozen=True)
class MeanCorrection:
    """The climatology that a forecaster's runs have the mean of the training data with.

    A forecaster that works in departures from c, and whose runs have the mean c + b, is given c − b in its normaliser.
    But for its climatology input, which changes by b too, it is the same map M with x + b in place of x,

        x(t + Δt) = M(x(t) + b(t)) − b(t + Δt),

    whose runs have the mean c: each forecast starts as an anomaly of the model's own climate. b is a map and its
    harmonics of the year; where a variable has a log scale, c and b are those of the logarithm. Source: forecasts of
    anomalies as in Smith, Eade and Pohlmann (2013), Clim. Dyn. 41, 3325, section 2.

    Attributes:
        seasons: The new climatology of the normaliser.
        size: Root mean square over valid cells and the year of what the runs' mean had too much, in standard
            deviations, by variable.
    """

    seasons: SeasonalCycle
    size: Mapping[str, float]

    @classmethod
    def measured(
        cls,
        forecaster: NetworkForecaster,
        store: TrainingStore,
        config: MeanCorrectionConfig,
        stabilizers: StabilizersConfig | None = None,
        after_step: Callable[[], None] | None = None,
    ) -> "MeanCorrection | None":
        """Run the forecaster from states of the training split, and take the mean of the anomalies of its runs.

        Args:
            forecaster: A trained forecaster whose normaliser has a climatology.
            store: Its training store.
            config: How long it runs, and from how many states.
            stabilizers: What corrects its states in a forecast; None: nothing.
            after_step: Called after each step, to stop by an exception; None: nothing is.

        Returns:
            None where the runs leave the climate, so that their mean is none to be corrected.

        Raises:
            UserError: if the runs lack forcings.
        """
        seasons = forecaster.normalizer.seasons
        assert seasons is not None
        names, own = list(seasons.variables), seasons.climatology
        batches = correcting_runs(forecaster, store, config, stabilizers)
        fit = None
        with torch.no_grad(), progress("mean of the model's runs", config.steps) as advance:
            for step, state in enumerate(batches.start(slice(0, batches.rows)).states()):
                advance()
                if after_step is not None:
                    after_step()
                anomaly = forecaster.normalizer.transformed(state.select(names))
                fields = anomaly.data[:, 0].float().cpu().numpy()
                if anomaly.valid_mask is not None:
                    fields = np.where(anomaly.valid_mask.cpu().numpy(), fields, 0.0)
                if not np.isfinite(fields).all():
                    return None
                if fit is None:
                    counted = np.arange(config.skip, config.steps)
                    times = state.valid_times[0, 0] + counted * store.time_step
                    harmonics = min(config.harmonics, own.yearly_harmonics)
                    fit = ClimatologyFit(times, fields.shape[1:], harmonics)
                if step >= config.skip:
                    fit.add(state.valid_times[:, 0], fields)
        assert fit is not None
        channels = store.variables.indices(names)
        mean = of_the_grid(fit.climatology(), store, channels).coefficients
        mean = _there(mean)[:: 2 * fit.daily_harmonics + 1]  # of the whole day
        log_scale = forecaster.normalizer.log_scale
        wanted = fit_climatology(store, names, log_scale, max(1, own.yearly_harmonics))
        if wanted.coefficients.shape != own.coefficients.shape:
            wanted = (
                own  # of weights that started from other data, of which this store lacks the season
            )
        coefficients = _there(wanted.coefficients)
        daily = 2 * wanted.daily_harmonics + 1
        excess = mean + (own.coefficients - coefficients)[::daily][: len(mean)]
        coefficients[::daily][: len(mean)] -= mean
        size = _size(excess, forecaster, names)
        if max(size.values()) > BOUND:
            return None
        words = f"{own.definition.removesuffix(LESS)}{LESS}"
        climatology = replace(own, coefficients=coefficients, definition=words)
        return cls(SeasonalCycle(seasons.variables, climatology), size)

    def applied(self, forecaster: NetworkForecaster) -> NetworkForecaster:
        """Return the forecaster with the new climatology and the same network."""
        forecaster.normalizer = replace(forecaster.normalizer, seasons=self.seasons)
        return forecaster


def correcting_runs(
    forecaster: NetworkForecaster,
    store: TrainingStore,
    config: MeanCorrectionConfig,
    stabilizers: StabilizersConfig | None = None,
) -> Batches:
    """Return the runs that tell the mean, before their first step.

    Raises:
        UserError: if they lack forcings.
    """
    starts = _starts(store, forecaster.history, config.starts, config.steps)
    try:
        return free_runs(forecaster, store, starts, config.steps, stabilizers)
    except UserError as error:
        reason, _, _ = str(error).partition(";")
        raise UserError(
            f"train.mean_correction: runs of {config.steps} steps from the training split are not possible ({reason}). "
            "Lower train.mean_correction.steps, or leave it out."
        ) from error


def _there(
    coefficients: Float64[np.ndarray, "basis channel y x"],
) -> Float64[np.ndarray, "basis channel y x"]:
    """Return a copy with 0 where there is no value, as on land."""
    return np.where(np.isfinite(coefficients), coefficients, 0.0)


def _size(
    excess: Float64[np.ndarray, "wave channel y x"], forecaster: NetworkForecaster, names: list[str]
) -> dict[str, float]:
    """Return the root mean square over valid cells and the year, in standard deviations, by variable."""
    squares = excess[0] ** 2 + 0.5 * (excess[1:] ** 2).sum(axis=0)
    weights = np.broadcast_to(forecaster.grid.cell_area_weights, squares.shape)
    if forecaster.valid_mask is not None:
        rows = forecaster.predicted.indices(names)
        weights = np.where(forecaster.valid_mask[rows].cpu().numpy(), weights, 0.0)
    mean = (weights * squares).sum((-2, -1)) / weights.sum((-2, -1))
    std = dict(zip(forecaster.normalizer.variables, forecaster.normalizer.std, strict=True))
    return {
        name: float(np.sqrt(value)) / std[name] for name, value in zip(names, mean, strict=True)
    }


def _starts(store: TrainingStore, history: int, count: int, steps: int) -> list[Start]:
    """Return so many starts in the training split, evenly spread.

    The runs end within the split where it is long enough, so that they see no forcing of other splits.
    """
    possible = starts_of(store, [TRAIN], history + steps - 1) or starts_of(store, [TRAIN], history)
    return evenly_spread(possible, count)
