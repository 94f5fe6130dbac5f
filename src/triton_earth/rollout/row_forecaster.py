"""A model applied to rows that must not know of each other: alone on a CPU, with their own dropped paths and noise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from triton_earth.core.state import State
from triton_earth.layers.drop_path import draw_paths, keep_all_paths
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster


class RowForecaster(Forecaster):
    """A forecaster whose rows have the same bits whatever rows are beside them.

    Networks round differently when they see another number of states at once. On a CPU they are therefore given one at
    a time, which costs little there; on a GPU they see all rows, whose number is then a part of the result.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        *,
        one_by_one: bool,
        path_seeds: Sequence[Sequence[int]] | None = None,
        noise_seeds: Sequence[Sequence[int]] | None = None,
        applications: int = 0,
    ) -> None:
        """Wrap a forecaster for one batch.

        Args:
            forecaster: The model.
            one_by_one: Apply it to each row alone.
            path_seeds: Seeds of the paths that each row drops; None: none are.
            noise_seeds: Seeds of the noise that a stochastic model gives each row; None: it follows from the times.
            applications: Applications that these rows have had already.
        """
        self.variables, self.grid = forecaster.variables, forecaster.grid
        self.time_step, self.name = forecaster.time_step, forecaster.name
        self.history, self.block = forecaster.history, forecaster.block
        self._forecaster, self._one_by_one = forecaster, one_by_one
        self._path_seeds, self._noise_seeds = path_seeds, noise_seeds
        self._applications = applications

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the states that follow the window."""
        rows = window.data.shape[0]
        groups = [slice(row, row + 1) for row in range(rows)] if self._one_by_one else [slice(rows)]
        try:
            states = [
                self._apply(group, _rows(window, group), forcing and _rows(forcing, group))
                for group in groups
            ]
        finally:
            if isinstance(self._forecaster, NetworkForecaster):
                keep_all_paths(self._forecaster.network)
                self._forecaster.noise_seeds = None
        self._applications += 1
        if len(states) == 1:
            return states[0]
        return replace(
            states[0],
            data=torch.cat([state.data for state in states]),
            valid_times=np.concatenate([state.valid_times for state in states]),
        )

    def _apply(self, group: slice, window: State, forcing: State | None) -> State:
        if isinstance(self._forecaster, NetworkForecaster):
            if self._path_seeds is not None:
                draw_paths(self._forecaster.network, self._now(self._path_seeds[group]))
            if self._noise_seeds is not None:
                self._forecaster.noise_seeds = self._now(self._noise_seeds[group])
        return self._forecaster(window, forcing)

    def _now(self, seeds: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return the seeds of this application."""
        return [[*seed, self._applications] for seed in seeds]


def _rows(state: State, rows: slice) -> State:
    return replace(state, data=state.data[rows], valid_times=state.valid_times[rows])
