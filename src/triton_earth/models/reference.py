"""Reference forecasts with the interface of a model: the floor under every score."""

from dataclasses import dataclass, replace

from triton_earth.core.grid import Grid
from triton_earth.core.state import State
from triton_earth.core.time import Duration
from triton_earth.core.variables import Variables
from triton_earth.models.base import Forecaster


@dataclass
class Persistence(Forecaster):
    """The forecast that nothing changes: x(t + Δt) = x(t)."""

    variables: Variables
    grid: Grid
    time_step: Duration
    history: int = 1
    block: int = 1
    name: str = "persistence"

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the newest state of the window, valid one step later."""
        newest = window.last(1).select(self.predicted.names)
        return replace(newest, valid_times=newest.valid_times + self.time_step)
