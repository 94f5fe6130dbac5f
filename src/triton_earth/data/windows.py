"""Windows: stretches of consecutive times that a model is trained on, and the order in which they come."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from triton_earth.core.errors import UserError


@dataclass(frozen=True)
class Windows:
    """All windows of `length` consecutive times within single trajectories.

    Attributes:
        trajectories: Trajectory numbers windows are taken from.
        times: Times in each trajectory.
        length: History plus horizon.
        stride: Distance between the starts of neighbouring windows.
    """

    trajectories: tuple[int, ...]
    times: int
    length: int
    stride: int = 1

    def __post_init__(self) -> None:
        if self.length > self.times:
            raise UserError(
                f"a window of {self.length} times (history plus horizon) does not fit into trajectories of "
                f"{self.times} times; shorten the horizon or prepare longer trajectories."
            )

    @property
    def per_trajectory(self) -> int:
        """Windows in each trajectory."""
        return (self.times - self.length) // self.stride + 1

    def __len__(self) -> int:
        return len(self.trajectories) * self.per_trajectory

    def __getitem__(self, index: int) -> tuple[int, int]:
        """Return (trajectory, index of the first time) of a window."""
        trajectory, position = divmod(index, self.per_trajectory)
        return self.trajectories[trajectory], position * self.stride


def batch_indices(
    samples: int, batch_size: int, seed: int, step: int
) -> Int64[np.ndarray, " batch"]:
    """Return which samples form the batch of a training step: a pure function of (seed, epoch, step).

    Each epoch is a new random order; what is left over at its end and does not fill a batch is not used.

    Args:
        samples: Number of samples.
        batch_size: Samples in a batch.
        seed: Seed of the run.
        step: Number of the step, from 0, counted over all epochs.

    Raises:
        UserError: if there are fewer samples than one batch needs.
    """
    require_batch(samples, batch_size)
    epoch, position = divmod(step, samples // batch_size)
    order = np.random.default_rng([seed, epoch]).permutation(samples)
    return order[position * batch_size : (position + 1) * batch_size]


def require_batch(samples: int, batch_size: int) -> None:
    """Refuse a batch size for which there are too few samples.

    Raises:
        UserError: if there are fewer samples than one batch needs.
    """
    if samples < batch_size:
        raise UserError(
            f"a batch of {batch_size} needs at least as many training windows; there are {samples}. "
            "Lower train.batch_size or prepare more trajectories."
        )
