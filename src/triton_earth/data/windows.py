"""Windows: stretches of consecutive times that a model is trained on, and the order in which they come."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from triton_earth.core.errors import UserError


@dataclass(frozen=True)
class Segment:
    """Consecutive times of one trajectory that belong to one split.

    Attributes:
        trajectory: Its number.
        start: Index of the first time.
        stop: Index after the last time.
    """

    trajectory: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def consecutive(chosen: Bool[np.ndarray, " time"]) -> list[tuple[int, int]]:
    """Return (start, stop) of each run of true values."""
    edges = np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


class Windows:
    """All windows of `length` consecutive times within single segments, so that none crosses a gap or a split.

    Attributes:
        segments: Where windows are taken from.
        length: History plus horizon.
        stride: Distance between the starts of neighbouring windows.
    """

    def __init__(self, segments: Iterable[Segment], length: int, stride: int = 1) -> None:
        """Count the windows.

        Raises:
            UserError: if not one fits into any segment.
        """
        self.segments, self.length, self.stride = tuple(segments), length, stride
        counts = [max(0, (len(segment) - length) // stride + 1) for segment in self.segments]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        if not any(counts):
            longest = max((len(segment) for segment in self.segments), default=0)
            raise UserError(
                f"a window of {length} times (history × (1 + horizon)) does not fit into {longest} consecutive times, "
                "the most that a trajectory or period has; shorten the horizon or prepare longer ones."
            )

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, index: int) -> tuple[int, int]:
        """Return (trajectory, index of the first time) of a window."""
        segment, start = self.locate(index)
        return segment.trajectory, start

    def locate(self, index: int) -> tuple[Segment, int]:
        """Return the segment of a window, and the index of its first time in the trajectory."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = int(np.searchsorted(self._first, index, side="right")) - 1
        segment = self.segments[number]
        return segment, segment.start + (index - int(self._first[number])) * self.stride


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
