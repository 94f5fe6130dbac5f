"""The mean that runs of a trained forecaster have too much of, taken out of its climatology."""

import logging
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
from triton_earth.models.climatology import of_the_grid
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.stabilizers import StabilizersConfig

logger = logging.getLogger("triton_earth")

TRAIN = "train"
BOUND = 1.0
"""Departure of a mean from the climatology, in standard deviations of the variable, beyond which runs have left it."""


class MeanCorrectionConfig(StrictConfig):
    """Runs that tell the mean of a forecaster's own climate.

    Attributes:
        steps: Steps of each run; years of them, or the season is not known.
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
                f"skip={self.skip} leaves none of steps={self.steps}; shorten the one, or raise the other."
            )
        return self


@dataclass(frozen=True)
class MeanCorrection:
    """A forecaster's climatology without the mean that its own runs have too much of.

    A forecaster whose runs have the mean c + b in place of c is given c − b in its normaliser. With x + b in place of x
    it is the same map, so that its runs then have the mean c:

        x(t + Δt) = M(x(t) + b(t)) − b(t + Δt)

    which starts each forecast as an anomaly of the model's own climate. Source: forecasts of anomalies as in Smith,
    Eade and Pohlmann (2013), Clim. Dyn. 41, 3325, section 2.

    Attributes:
        seasons: The new climatology of the normaliser.
        size: Root mean square of b, in standard deviations, by variable.
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
        """
        seasons = forecaster.normalizer.seasons
        assert seasons is not None
        names = list(seasons.variables)
        starts = _starts(store, forecaster.history, config.starts, config.steps)
        batches = Batches.of(
            forecaster,
            store,
            trajectories=[trajectory for trajectory, _ in starts],
            starts=[start for _, start in starts],
            steps=config.steps,
            ensemble=EnsembleConfig(),
            forcings=None,
            guard=None,
            stabilizers=stabilizers or StabilizersConfig(),
            device=forecaster.device,
            forcings_beyond="repeat" if store.times.dtype.kind == "M" else None,
        )
        fit, harmonics = None, min(config.harmonics, seasons.climatology.yearly_harmonics)
        with torch.no_grad(), progress("mean of the model's runs", config.steps) as advance:
            for step, state in enumerate(batches.start(slice(0, len(starts))).states()):
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
                    times = state.valid_times[0, 0] + np.arange(config.steps) * store.time_step
                    fit = ClimatologyFit(times, fields.shape[1:], harmonics)
                if step >= config.skip:
                    fit.add(state.valid_times[:, 0], fields)
        assert fit is not None
        channels = store.variables.indices(names)
        found = of_the_grid(fit.climatology(), store, channels).coefficients
        excess = np.where(np.isfinite(found), found, 0.0)  # NaN on land
        std = dict(zip(forecaster.normalizer.variables, forecaster.normalizer.std, strict=True))
        size = {
            name: float(np.sqrt((excess[0, place] ** 2).mean())) / std[name]
            for place, name in enumerate(names)
        }
        if max(size.values()) > BOUND:
            return None
        return cls(_without(seasons, excess), size)

    def applied(self, forecaster: NetworkForecaster) -> NetworkForecaster:
        """Return the forecaster with the new climatology and the same network."""
        forecaster.normalizer = replace(forecaster.normalizer, seasons=self.seasons)
        return forecaster


def _without(
    seasons: SeasonalCycle, excess: Float64[np.ndarray, "basis channel y x"]
) -> SeasonalCycle:
    """Return the cycle less some harmonics of the year, the same at all times of the day."""
    climatology = seasons.climatology
    coefficients = climatology.coefficients.copy()
    coefficients[:: 2 * climatology.daily_harmonics + 1][: len(excess)] -= excess
    words = f"{climatology.definition}, less the mean that runs of the model have too much of"
    return SeasonalCycle(
        seasons.variables, replace(climatology, coefficients=coefficients, definition=words)
    )


def _starts(store: TrainingStore, history: int, count: int, steps: int) -> list[tuple[int, int]]:
    """Return trajectory and first time of so many states of the training split, evenly spread.

    The runs end within the split where it is long enough, so that they see no forcing of other splits.
    """
    possible = [
        (segment.trajectory, start, segment.stop - history - start)
        for segment in store.segments(TRAIN)
        for start in range(segment.start, segment.stop - history)
    ]
    inside = [one for one in possible if one[2] >= steps] or possible
    places = np.unique(np.linspace(0, len(inside) - 1, count).round().astype(int))
    return [inside[place][:2] for place in places]
