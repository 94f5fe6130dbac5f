"""Perturbations of initial states: how far apart the members of an ensemble start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float32, Float64

from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.forcing import Forcings
from triton_earth.rollout.guard.training_range import STATES, training_pairs, training_segments
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.row_forecaster import RowForecaster

TERMS = 8
"""Training increments in one perturbation."""


def increment_noise(
    store: TrainingStore, names: Sequence[str], size: float, seed: Sequence[int]
) -> Float32[np.ndarray, "channel y x"]:
    """Return a random combination of differences between successive training states.

        δ = a/√K Σ_k g_k [x(t_k + Δt) − x(t_k)],      g_k ~ N(0, 1),  t_k random training times,  K = `TERMS`

    Its covariance is a² times the mean one of the increments: the same spectrum, the same structure in space, the same
    relations between variables and the same undefined cells. Differences of analyses as perturbations: Magnusson,
    Nycander and Källén 2009, Tellus A 61, 194.

    Args:
        store: Training store; where it has no training split, all of it is used.
        names: Variables wanted.
        size: a, the root mean square of the perturbation in those of the increments over a step.
        seed: Seeds of the draws, for example of the command, initial state and member.

    Returns:
        The perturbation in the variables' units; NaN where a variable is not defined.
    """
    generator = np.random.default_rng(list(seed))
    channels = store.variables.indices(names)
    segments = training_segments(store)
    ends = np.cumsum([len(segment) - 1 for segment in segments])
    total = np.zeros((len(channels), *store.grid.shape))
    for number in generator.integers(ends[-1], size=TERMS):
        where = int(np.searchsorted(ends, number, side="right"))
        segment = segments[where]
        start = segment.start + int(number - (ends[where] - (len(segment) - 1)))
        before, after = store.read(segment.trajectory, slice(start, start + 2))[:, channels]
        total += generator.standard_normal() * (after.astype(np.float64) - before)
    return (size / np.sqrt(TERMS) * total).astype(np.float32)


@dataclass(frozen=True)
class Breeding:
    """Bred vectors: what has grown out of noise in cycles of forecasting and rescaling up to the initial time.

        δ ← a [M(x + δ) − M(x)] / ‖M(x + δ) − M(x)‖,      ‖δ‖² = mean over variables of ⟨δ²⟩ / ⟨Δx²⟩

    with x the states of the store before the initial time, M the model over a cycle, ⟨Δx²⟩ the mean square training
    increment and ⟨⟩ the mean over valid cells by area. Source: Toth and Kalnay 1997, Mon. Weather Rev. 125, 3297.

    Attributes:
        forecaster: M over one step.
        store: States, and training increments.
        forcings: Where the forcings are.
        size: a.
        cycles: Number of cycles.
        steps: Steps in a cycle.
        device: Where the forecaster's weights are.
    """

    forecaster: Forecaster
    store: TrainingStore
    forcings: TrainingStore
    size: float
    cycles: int
    steps: int
    device: torch.device

    def grow(
        self, noise: Float32[np.ndarray, "channel y x"], trajectory: int, start: int
    ) -> Float32[np.ndarray, "channel y x"]:
        """Return the bred vector of a member.

        Args:
            noise: Where it grows from, in the variables' units.
            trajectory: Trajectory of the initial condition.
            start: Index of the first of its `history` times; at least cycles · steps.

        Raises:
            UserError: if the model's forecasts over a cycle are not finite.
        """
        model = RowForecaster(self.forecaster, one_by_one=self.device.type == "cpu")
        vector = self._rescaled(noise)
        for cycle in range(self.cycles, 0, -1):
            first = start - cycle * self.steps
            analysis = self.store.windows([trajectory] * 2, [first] * 2, self.forecaster.history)
            analysis = analysis.select(self.forecaster.prognostic.names)
            data = analysis.data.clone()
            data[1] += torch.from_numpy(vector)
            window = replace(analysis, data=data).to(self.device)
            forcings = Forcings(
                self.forecaster,
                self.forcings,
                [trajectory] * 2,
                analysis.valid_times[:, -1],
                self.steps,
            ).states([0, 1], 0, self.device)
            with torch.inference_mode():
                *_, last = rollout(model, window, forcings, self.steps)
            control, perturbed = last.select(self.forecaster.prognostic.names).data[:, 0].cpu()
            vector = self._rescaled((perturbed - control).numpy())
        return vector

    def _rescaled(
        self, vector: Float32[np.ndarray, "channel y x"]
    ) -> Float32[np.ndarray, "channel y x"]:
        weights = np.broadcast_to(self.store.grid.cell_area_weights, vector.shape)
        if self.store.valid_mask is not None:
            channels = self.store.variables.indices(self.forecaster.prognostic.names)
            weights = np.where(self.store.valid_mask[channels], weights, 0.0)
        valid = weights > 0
        if not np.isfinite(vector[valid]).all():
            raise UserError(
                f"bred vectors: the model '{self.forecaster.name}' gives values that are not finite within a cycle of "
                f"{self.steps} steps. Choose --perturb noise."
            )
        squares = np.where(valid, weights * vector.astype(np.float64) ** 2, 0.0).sum(axis=(1, 2))
        means = squares / weights.sum(axis=(1, 2)) / self._increment_squares
        norm = float(np.sqrt(means.mean()))
        return (vector * (self.size / max(norm, float(np.finfo(np.float32).tiny)))).astype(
            np.float32
        )

    @cached_property
    def _increment_squares(self) -> Float64[np.ndarray, " channel"]:
        """Mean square increment of each prognostic variable over training pairs."""
        pairs = training_pairs(self.store, STATES)
        squares = []
        for pair in pairs:
            fields = pair.select(self.forecaster.prognostic.names).data[0].double()
            squares.append((fields[1] - fields[0]).square().nanmean(dim=(-2, -1)).numpy())
        return np.mean(squares, axis=0)
