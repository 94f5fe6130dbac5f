"""Which windows each part of a batch holds, for any number of processes and of parts that each computes."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from triton_earth.core.errors import UserError
from triton_earth.data.windows import batch_indices
from triton_earth.training.config import TrainConfig
from triton_earth.training.distributed import Processes


def own_parts(config: TrainConfig, processes: Processes) -> range:
    """Return the numbers of the parts of each batch that this process computes.

    A batch is cut into processes × accumulate parts. Which windows a part holds and its random numbers depend on its
    number only, so two processes learn from the same as one that computes two parts one after the other.

    Raises:
        UserError: if the batch cannot be cut into as many equal parts.
    """
    count = processes.count * config.accumulate
    if config.batch_size % count:
        raise UserError(
            f"train.batch_size={config.batch_size} cannot be shared by {processes.count} processes with "
            f"train.accumulate={config.accumulate}; take a multiple of {count}."
        )
    first = processes.rank * config.accumulate
    return range(first, first + config.accumulate)


def shares(
    samples: int, config: TrainConfig, seed: int, first: int, processes: Processes
) -> Iterator[Int64[np.ndarray, " part"]]:
    """Yield the windows of this process's parts, step after step from `first` on: a pure function of (seed, step)."""
    size = config.batch_size // (processes.count * config.accumulate)
    for step in range(first, config.steps):
        batch = batch_indices(samples, config.batch_size, seed, step)
        for part in own_parts(config, processes):
            yield batch[part * size : (part + 1) * size]


def part_seed(seed: int, step: int, part: int) -> int:
    """Return the seed of everything random in a part of a step: noise and dropped paths."""
    entropy = [seed, step, part] if part else [seed, step]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
