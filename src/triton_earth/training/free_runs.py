"""Runs of a forecaster while it is trained: from states that are evenly spread, to far beyond the truth."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.stabilizers import StabilizersConfig

Start = tuple[int, int]
"""Trajectory, and first time of the history."""
_T = TypeVar("_T")


def starts_of(store: TrainingStore, splits: Sequence[str], history: int) -> list[Start]:
    """Return all starts in some splits of a store that have a history and one time more."""
    return [
        (segment.trajectory, start)
        for split in splits
        for segment in store.segments(split)
        for start in range(segment.start, segment.stop - history)
    ]


def evenly_spread(possible: Sequence[_T], count: int) -> list[_T]:
    """Return so many of the possible, the first and the last among them; all where there are fewer."""
    places = np.unique(np.linspace(0, len(possible) - 1, count).round().astype(int))
    return [possible[place] for place in places]


def free_runs(
    forecaster: NetworkForecaster,
    store: TrainingStore,
    starts: Sequence[Start],
    steps: int,
    stabilizers: StabilizersConfig | None = None,
) -> Batches:
    """Return runs of single members before their first step; on dates, forcings repeat their last year.

    Args:
        forecaster: What runs; its noise, if it has any, is the same each time.
        store: Where the initial states and the forcings are.
        starts: Where the runs start.
        steps: Steps of each run.
        stabilizers: What corrects the states; None: nothing.

    Raises:
        UserError: if forcings are missing.
    """
    return Batches.of(
        forecaster,
        store,
        trajectories=[trajectory for trajectory, _ in starts],
        starts=[start for _, start in starts],
        steps=steps,
        ensemble=EnsembleConfig(),
        forcings=None,
        guard=None,
        stabilizers=stabilizers or StabilizersConfig(),
        device=forecaster.device,
        forcings_beyond="repeat" if store.times.dtype.kind == "M" else None,
    )
