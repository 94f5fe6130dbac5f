"""The damped linear forecast: climatology and what is left of the anomaly after each step, without a network."""

from dataclasses import replace

import numpy as np

from triton_earth.core.grid import Grid
from triton_earth.core.state import State
from triton_earth.core.time import Duration
from triton_earth.core.variables import Role, Variables
from triton_earth.data.statistics.damping import DampingConfig
from triton_earth.data.statistics.normalization import NormalizationConfig, Normalizer
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.models.training_statistics import training_statistics


class DampedLinear(Forecaster):
    """The linear part of a damped prediction alone.

        x(t + Δt) = c(t + Δt) + ρ [x(t) − c(t)]

    Its anomalies fade at the rate of the training data, wave by wave where ρ is by wave; it is what a network must
    beat, and keeps no weather of its own.

    Attributes:
        normalizer: Has the climatology c and the damping ρ.
    """

    def __init__(
        self, variables: Variables, grid: Grid, time_step: Duration, normalizer: Normalizer
    ) -> None:
        """Take the parts that `training_statistics` fits.

        Args:
            variables: Variables of the data; its prognostic ones are forecast.
            grid: Where they are.
            time_step: Δt.
            normalizer: With climatology and damping.
        """
        if normalizer.damping is None or normalizer.seasons is None:
            raise ValueError("a damped linear forecast needs a climatology and a damping.")
        self.variables = variables.with_role(Role.PROGNOSTIC)
        self.grid, self.time_step = grid, time_step
        self.history, self.block, self.name = 1, 1, "damped linear"
        self.normalizer = normalizer

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the state after the window's newest."""
        names = self.variables.names
        newest = self.normalizer.transformed(window.last(1).select(names))
        damping = self.normalizer.damping
        assert damping is not None
        state = replace(
            newest,
            data=damping.damped(names, newest.data, 1, self.grid),
            valid_times=newest.valid_times + np.asarray(self.time_step),
        )
        return self.normalizer.restored(state)


def fit_damped_linear(store: TrainingStore, config: DampingConfig | None = None) -> DampedLinear:
    """Fit the damped linear forecast to the training split of a store.

    Args:
        store: Training store.
        config: What has a coefficient of its own; each variable if not given.

    Raises:
        UserError: if the store has no training split, or too little data.
    """
    normalizer = training_statistics(
        store, NormalizationConfig(subtract="climatology"), config or DampingConfig()
    )
    return DampedLinear(store.variables, store.grid, store.time_step, normalizer)
