"""Perturbations of initial states: how far apart the members of an ensemble start."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from triton_earth.data.store import TrainingStore
from triton_earth.rollout.climate import training_segments

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
