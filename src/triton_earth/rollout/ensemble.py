"""Ensembles: how many members an initial state gives, and what makes them differ."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.data.store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.rollout.perturbation import increment_noise

Perturbation = Literal["none", "noise"]


class EnsembleConfig(StrictConfig):
    """Members of each initial state.

    All members are perturbed alike, none is a control: scores of ensembles ask for members that are exchangeable.

    Attributes:
        members: How many; 1 is a single forecast from the state itself.
        perturb: What is added to the initial state: ``noise`` with the covariance of training increments, or ``none``.
        perturb_size: Root mean square of what is added, in that of the training increments over a step.
        seed: Seed of all that is random.
    """

    members: int = Field(default=1, ge=1)
    perturb: Perturbation = "noise"
    perturb_size: float = Field(default=0.5, gt=0)
    seed: int = Field(default=0, ge=0)

    def require_different_members(self) -> None:
        """Refuse an ensemble whose members would all be the same.

        Raises:
            UserError: if nothing makes them differ.
        """
        if self.members > 1 and self.perturb == "none":
            raise UserError(
                f"{self.members} members without a perturbation are {self.members} times the same forecast; "
                "give --perturb noise, or leave out --members."
            )


def initial_states(
    forecaster: Forecaster,
    store: TrainingStore,
    trajectories: list[int],
    starts: list[int],
    rows: slice,
    ensemble: EnsembleConfig,
) -> State:
    """Return the initial states of some rows, row = init · members + member.

    What is added to a state depends on the seed, its trajectory and time and the member only, not on the rows that are
    asked for with it. All states of a history are given the same perturbation.

    Args:
        forecaster: The model that starts from them.
        store: Where they are.
        trajectories: Trajectory of each initial condition.
        starts: Index of the first of the `history` times of each initial condition.
        rows: Which ones.
        ensemble: Members and perturbation.

    Returns:
        Prognostic variables [row, history, channel, y, x].

    Raises:
        UserError: if a state is not finite where it should be.
    """
    inits, members = np.divmod(np.arange(rows.start, rows.stop), ensemble.members)
    chosen, row = np.unique(inits, return_inverse=True)
    window = store.windows(
        [trajectories[init] for init in chosen],
        [starts[init] for init in chosen],
        forecaster.history,
    ).select(forecaster.prognostic.names)
    window.require_finite(f"{store.path}: the initial state")
    window = replace(window, data=window.data[row], valid_times=window.valid_times[row])
    if ensemble.members == 1 or ensemble.perturb == "none":
        return window
    noise = [
        increment_noise(
            store,
            forecaster.prognostic.names,
            ensemble.perturb_size,
            [ensemble.seed, trajectories[init], starts[init], member],
        )
        for init, member in zip(inits.tolist(), members.tolist(), strict=True)
    ]
    return replace(window, data=window.data + torch.from_numpy(np.stack(noise))[:, None])
