"""Ensembles: how many members an initial state gives, and what makes them differ."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field

from triton_earth.core.config import LARGEST_SEED, StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.layers.drop_path import drops_paths
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.perturbation import Breeding, increment_noise

Perturbation = Literal["auto", "none", "noise", "bred"]

_PATHS, _NOISE = 1, 2
"""Tell the seeds of dropped paths and of noise channels from those of initial states."""


MOST_MEMBERS = 100_000
"""Members that an ensemble may have; each of them is in memory by its number at least."""


class EnsembleConfig(StrictConfig):
    """Members of each initial state.

    All members are perturbed alike, none is a control: scores of ensembles ask for members that are exchangeable.

    Attributes:
        members: How many; 1 is a single forecast from the state itself.
        perturb: What is added to the initial state: ``noise`` with the covariance of training increments, ``bred``
            vectors that have grown out of it up to the initial time, or ``none``; ``auto`` is none for a model with
            noise channels, whose members differ by themselves, and noise for all others.
        perturb_size: Root mean square of what is added, in that of the training increments over a step.
        drop_paths: Leave out branches of the network at random, as in its training.
        breeding_cycles: Cycles of growing and rescaling before the initial time.
        breeding_steps: Steps in each of them.
        seed: Seed of all that is random.
    """

    members: int = Field(default=1, ge=1, le=MOST_MEMBERS)
    perturb: Perturbation = "auto"
    perturb_size: float = Field(default=0.5, gt=0, le=1000)
    drop_paths: bool = False
    breeding_cycles: int = Field(default=5, ge=1, le=1000)
    breeding_steps: int = Field(default=1, ge=1, le=1000)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)

    def for_model(self, forecaster: Forecaster) -> "EnsembleConfig":
        """Return the perturbation that ``auto`` means for a model."""
        if self.perturb != "auto":
            return self
        chosen: Perturbation = "none" if _is_stochastic(forecaster) else "noise"
        return self.model_copy(update={"perturb": chosen})

    def require_different_members(self, forecaster: Forecaster) -> None:
        """Refuse an ensemble whose members would all be the same.

        Raises:
            UserError: if nothing makes them differ (a model with noise channels needs nothing), or the model has no
                paths that could be dropped.
        """
        stochastic = _is_stochastic(forecaster)
        if self.members > 1 and self.perturb == "none" and not self.drop_paths and not stochastic:
            raise UserError(
                f"{self.members} members without a perturbation are {self.members} times the same forecast; "
                "give --perturb noise or --drop-paths, or leave out --members."
            )
        if self.drop_paths and not (
            isinstance(forecaster, NetworkForecaster) and drops_paths(forecaster.network)
        ):
            raise UserError(
                f"the model '{forecaster.name}' was trained without dropped paths; leave out --drop-paths, or train "
                "it with model.network.drop_path above 0."
            )

    def path_seeds(self, trajectories: list[int], starts: list[int]) -> list[list[int]] | None:
        """Return the seeds of the paths that each row drops; None where none does."""
        return self._seeds(trajectories, starts, _PATHS) if self.drop_paths else None

    def noise_seeds(self, trajectories: list[int], starts: list[int]) -> list[list[int]]:
        """Return the seeds of the noise that a stochastic model gives each row."""
        return self._seeds(trajectories, starts, _NOISE)

    def _seeds(self, trajectories: list[int], starts: list[int], kind: int) -> list[list[int]]:
        return [
            [self.seed, trajectory, start, member, kind]
            for trajectory, start in zip(trajectories, starts, strict=True)
            for member in range(self.members)
        ]


def _is_stochastic(forecaster: Forecaster) -> bool:
    return isinstance(forecaster, NetworkForecaster) and forecaster.is_stochastic


@dataclass(frozen=True)
class InitialStates:
    """The initial states of the rows of a forecast, row = init · members + member.

    Attributes:
        forecaster: The model that starts from them.
        store: Where they are.
        trajectories: Trajectory of each initial condition.
        starts: Index of the first of the `history` times of each.
        ensemble: Members and perturbation.
        forcings: Where the forcings are.
        device: Where the forecaster's weights are.
    """

    forecaster: Forecaster
    store: TrainingStore
    trajectories: list[int]
    starts: list[int]
    ensemble: EnsembleConfig
    forcings: TrainingStore
    device: torch.device

    def require(self) -> None:
        """Refuse initial conditions that no forecast can start from; one is in memory at a time.

        Raises:
            UserError: if a state is not finite where it should be, or bred vectors cannot grow before one of them.
        """
        for init in range(len(self.starts)):
            self._analyses([init])
        needed = self.ensemble.breeding_cycles * self.ensemble.breeding_steps
        if self.ensemble.members > 1 and self.ensemble.perturb == "bred":
            for start in self.starts:
                if start < needed:
                    time = self.store.times[start + self.forecaster.history - 1]
                    raise UserError(
                        f"bred vectors grow over {needed} times before the initial states, but {self.store.path} has "
                        f"{start} before those of {time}. Choose a later --init, or --perturb noise."
                    )

    def read(self, rows: slice) -> State:
        """Return prognostic variables [row, history, channel, y, x].

        What is added to a state depends on the seed, its trajectory and time and the member only, not on the rows that
        are asked for with it. All states of a history are given the same perturbation.
        """
        inits, members = np.divmod(np.arange(rows.start, rows.stop), self.ensemble.members)
        chosen, row = np.unique(inits, return_inverse=True)
        window = self._analyses(chosen.tolist())
        window = replace(window, data=window.data[row], valid_times=window.valid_times[row])
        if self.ensemble.members == 1 or self.ensemble.perturb == "none":
            return window
        pairs = zip(inits.tolist(), members.tolist(), strict=True)
        added = np.stack([self._perturbation(init, member) for init, member in pairs])
        return replace(window, data=window.data + torch.from_numpy(added)[:, None])

    def _analyses(self, inits: list[int]) -> State:
        window = self.store.windows(
            [self.trajectories[init] for init in inits],
            [self.starts[init] for init in inits],
            self.forecaster.history,
        ).select(self.forecaster.prognostic.names)
        window.require_finite(f"{self.store.path}: the initial state")
        return window

    def _perturbation(self, init: int, member: int) -> np.ndarray:
        trajectory, start = self.trajectories[init], self.starts[init]
        noise = increment_noise(
            self.store,
            self.forecaster.prognostic.names,
            self.ensemble.perturb_size,
            [self.ensemble.seed, trajectory, start, member],
        )
        if self.ensemble.perturb != "bred":
            return noise
        return self._breeding.grow(noise, trajectory, start)

    @cached_property
    def _breeding(self) -> Breeding:
        return Breeding(
            self.forecaster,
            self.store,
            self.forcings,
            self.ensemble.perturb_size,
            self.ensemble.breeding_cycles,
            self.ensemble.breeding_steps,
            self.device,
        )


def mean_over_members(
    members: Float32[np.ndarray, "init member channel y x"],
) -> Float32[np.ndarray, "init channel y x"]:
    """Return the mean over members, added in double precision; a single forecast stays as it is."""
    if members.shape[1] == 1:
        return members[:, 0]
    with np.errstate(invalid="ignore"):  # members that are infinite
        return members.mean(axis=1, dtype=np.float64).astype(np.float32)
