"""Reference forecasts with the interface of a model: the floor under every score."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float

from triton_earth.core.grid import Grid
from triton_earth.core.state import State
from triton_earth.core.time import Duration
from triton_earth.core.variables import Variables
from triton_earth.models.base import Forecaster
from triton_earth.models.climatology import Climatology
from triton_earth.models.lag_correlation import LagCorrelation

Fields = Float[np.ndarray, "batch channel y x"]


@dataclass
class Reference(Forecaster):
    """A forecast that follows from the initial state and the lead alone.

    One application gives `block` states, so that a rollout of up to `block` steps is the forecast from its initial
    state; beyond, it starts again from its own last state.
    """

    variables: Variables
    grid: Grid
    time_step: Duration
    history: int = 1
    block: int = 1
    name: str = "reference"

    @abstractmethod
    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the forecast at one lead.

        Args:
            initial: Predicted variables at the initial time, in physical units; NaN in cells that are not valid.
            init_times: Initial times [batch].
            step: Number of the lead; the first is 1.
        """

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the `block` states that follow the newest state of the window."""
        newest = window.last(1).select(self.predicted.names)
        initial, times = newest.data[:, 0].cpu().numpy(), newest.valid_times[:, 0]
        steps = range(1, self.block + 1)
        fields = np.stack([self.at(initial, times, step) for step in steps], axis=1)
        valid_times = np.stack([times + step * self.time_step for step in steps], axis=1)
        return replace(
            newest, data=torch.from_numpy(fields).to(newest.data), valid_times=valid_times
        )


@dataclass
class Persistence(Reference):
    """The forecast that nothing changes: x(t + n Δt) = x(t)."""

    name: str = "persistence"

    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the initial state."""
        return initial


@dataclass
class ClimatologyForecast(Reference):
    """The forecast of the climatology: x(t + n Δt) = c(t + n Δt).

    Attributes:
        climatology: c of the predicted variables.
    """

    climatology: Climatology = field(kw_only=True)
    name: str = "climatology"

    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the climatology at the valid times."""
        return self.climatology.at(init_times + step * self.time_step).astype(np.float32)


@dataclass
class DampedPersistence(Reference):
    """The forecast that the initial anomaly fades as it does on average in each place.

        x(t + n Δt) = c(t + n Δt) + α(n) [x(t) − c(t)]

    Attributes:
        climatology: c of the predicted variables.
        correlation: α, in steps of the store it was fitted to.
        store_steps: Steps of that store in one of the forecast.
    """

    climatology: Climatology = field(kw_only=True)
    correlation: LagCorrelation = field(kw_only=True)
    store_steps: float = field(default=1.0, kw_only=True)
    name: str = "damped persistence"

    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the climatology at the valid times and what is left of the anomaly."""
        alpha = self.correlation.at(step * self.store_steps)
        anomaly = initial - self.climatology.at(init_times)
        valid = self.climatology.at(init_times + step * self.time_step)
        return (valid + alpha * anomaly).astype(np.float32)
