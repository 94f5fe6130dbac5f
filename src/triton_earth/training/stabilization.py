"""Stabilisers in training: the corrections of a forecast, made while its model learns, and how much they change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from triton_earth.core.state import State
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.guard.stabilizers import Correction, Stabilizer, StabilizersConfig

CHANGE = "_change"
"""What is added to the name of a stabiliser for the score of how much it changes."""


@dataclass(frozen=True)
class Stabilization:
    """Stabilisers that act on every state of a rollout, in training as in a forecast.

    Attributes:
        names: Names of the stabilisers, in the order in which they act.
        stabilizers: The stabilisers.
        variables: Names of the variables that they act on.
        std: Training standard deviation of each variable.
    """

    names: tuple[str, ...]
    stabilizers: tuple[Stabilizer, ...]
    variables: tuple[str, ...]
    std: Float64[np.ndarray, " variable"]

    @classmethod
    def of(
        cls, config: StabilizersConfig, store: TrainingStore, forecaster: NetworkForecaster
    ) -> "Stabilization":
        """Measure the training data as far as the stabilisers need it.

        Args:
            config: Which stabilisers.
            store: Training store.
            forecaster: What is trained.

        Raises:
            UserError: if a variable is not there, or what they hold fields to is not known (see
                `StabilizersConfig.build`).
        """
        names, known = forecaster.prognostic.names, forecaster.normalizer
        std = [known.std[known.variables.index(name)] for name in names]
        built = config.build(store, forecaster.prognostic)
        return cls(tuple(config.names), tuple(built), tuple(names), np.array(std))

    def begin(self, history: State) -> Correction:
        """Return the correction of the rollouts from some states [row, history, channel, y, x]."""
        initial = history.select(list(self.variables))
        mask = None if initial.valid_mask is None else initial.valid_mask.cpu().numpy()
        return Correction(list(self.stabilizers), initial, mask)

    def changes(self, corrections: Sequence[Correction]) -> dict[str, float]:
        """Return how much each stabiliser changed the states of some rollouts, and forget it.

        NAME_change = √⟨(Δx/σ)²⟩  over states and variables
        """
        squares = [
            (change.astype(np.float64) / self.std[:, None]) ** 2
            for one in corrections
            for change in one.changes
        ]
        for one in corrections:
            one.changes.clear()
        mean = np.concatenate(squares).mean(axis=(0, 1))
        return {
            f"{name}{CHANGE}": float(np.sqrt(value))
            for name, value in zip(self.names, mean, strict=True)
        }
