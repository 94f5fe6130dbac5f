"""Estimates with intervals: a mean over initial conditions, the same in each resample, and what follows from both."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.evaluation.bootstrap import percentile_interval, resampled_means


@dataclass(frozen=True)
class Resampling:
    """Bootstrap weights of the initial conditions, and at which leads each of them was scored.

    Attributes:
        weights: How often each initial condition occurs in each resample; NaN where there can be no interval.
        available: Where an initial condition was scored.
    """

    weights: Float64[np.ndarray, "resample init"]
    available: Bool[np.ndarray, "init lead"]

    @property
    def weights_and_plain(self) -> Float64[np.ndarray, "sample init"]:
        """A row of ones (the data as they are), then the resamples."""
        return np.concatenate([np.ones((1, self.weights.shape[1])), self.weights])

    def means(
        self,
        values: Float64[np.ndarray, "init lead *rest"],
        finish: Callable[[np.ndarray], np.ndarray] = np.asarray,
    ) -> Float64[np.ndarray, "sample lead *rest"]:
        """Return the mean over the scored initial conditions: of the data first, then of each resample.

        Args:
            values: Value of each initial condition.
            finish: What is done with each mean.
        """
        spread = self.available.reshape(*self.available.shape, *[1] * (values.ndim - 2))
        available = np.broadcast_to(spread, values.shape)
        return finish(resampled_means(values, self.weights_and_plain, available))

    @property
    def scored(self) -> Bool[np.ndarray, "sample lead"]:
        """Where the data and each resample have at least one scored initial condition."""
        return self.weights_and_plain @ self.available.astype(np.float64) > 0

    def interval(
        self, samples: Float64[np.ndarray, "sample *rest"]
    ) -> Float64[np.ndarray, "*rest bound"]:
        """Return the 95 % interval of what `means` or a like function gave; NaN where the estimate itself is NaN."""
        bounds = percentile_interval(samples[1:])
        unusable = np.isnan(self.weights).any() | np.isnan(samples[0])
        return np.where(unusable[..., None], np.nan, bounds)
