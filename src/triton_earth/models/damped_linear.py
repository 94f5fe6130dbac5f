"""The damped linear forecast: climatology and what is left of the anomaly after each step, without a network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.statistics.damping import Damping, DampingConfig
from triton_earth.data.statistics.damping_fit import FEWEST_PAIRS, fit_damping
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.climatology import Climatology, fit_climatology, training_segments
from triton_earth.models.reference import Fields, Reference


@dataclass
class DampedLinear(Reference):
    """The linear part of a damped prediction alone.

        x(t + n Δt) = c(t + n Δt) + ρⁿ [x(t) − c(t)]

    Its anomalies fade at the rate of the training data, wave by wave where ρ is by wave; it is what a network must
    beat, and keeps no weather of its own.

    Attributes:
        climatology: c of the predicted variables.
        damping: ρ of one step of the store that it was fitted to.
        store_steps: Steps of that store in one of the forecast.
    """

    climatology: Climatology = field(kw_only=True)
    damping: Damping = field(kw_only=True)
    store_steps: int = field(default=1, kw_only=True)
    name: str = "damped linear"

    def at(self, initial: Fields, init_times: np.ndarray, step: int) -> Fields:
        """Return the climatology at the valid times and what is left of the anomaly."""
        anomaly = torch.from_numpy((initial - self.climatology.at(init_times))[:, None])
        names = self.variables.names
        left = self.damping.after(names, anomaly, step * self.store_steps, self.grid)
        valid = self.climatology.at(init_times + step * self.time_step)
        return (valid + left[:, 0].numpy()).astype(np.float32)


def fit_damped_linear(
    store: TrainingStore, config: DampingConfig | None = None, names: Sequence[str] | None = None
) -> DampedLinear:
    """Fit the damped linear forecast to the training split of a store.

    Args:
        store: Training store.
        config: What has a coefficient of its own; each variable if not given.
        names: Variables that it forecasts; the prognostic ones if not given.

    Raises:
        UserError: if the store has no training split or too little data, or waves are asked for where there are none.
    """
    chosen = list(names or store.variables.with_role(Role.PROGNOSTIC).names)
    channels = store.variables.indices(chosen)
    segments = training_segments(store)
    pairs = sum(len(segment) - 1 for segment in segments)
    if pairs < FEWEST_PAIRS:
        raise UserError(
            f"{store.path}: a damped linear forecast needs at least {FEWEST_PAIRS} pairs of successive training "
            f"states, found {pairs}. Prepare more training data."
        )
    climatology = fit_climatology(store, chosen)

    def anomalies(start: int, stretch: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for block in stretch:
            times = store.times[start : start + len(block)]
            found: Float32[np.ndarray, "time channel y x"] = block[:, channels]
            yield found - climatology.at(times)
            start += len(block)

    variables = store.variables.select(chosen)
    damping = fit_damping(
        lambda: (anomalies(segment.start, store.blocks(segment)) for segment in segments),
        variables,
        store.grid,
        config or DampingConfig(),
        None if store.valid_mask is None else store.valid_mask[channels],
    )
    return DampedLinear(
        variables, store.grid, store.time_step, climatology=climatology, damping=damping
    )
