"""Estimates with intervals: a mean over initial conditions, the same in each resample, and what follows from both."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int

from triton_earth.evaluation.bootstrap import (
    FEWEST,
    block_lengths,
    percentile_interval,
    resampled_means,
    resampling_weights,
    tail_probability,
)


@dataclass(frozen=True)
class Resampling:
    """Bootstrap weights of the initial conditions, and at which leads each of them was scored.

    Of a single trajectory longer leads are resampled in longer blocks. What joins several leads (a trend, the first
    lead at which something happens) is resampled in the longest blocks at all of them.

    Attributes:
        weights: How often each initial condition occurs in each resample, for ascending lengths of blocks; NaN where
            there can be no interval.
        blocks: Those lengths; a single 1 where whole trajectories are drawn.
        which: Position of the weights of each lead.
        groups: Trajectories or blocks that were scored at each lead.
        available: Where an initial condition was scored.
    """

    weights: Float64[np.ndarray, "length resample init"]
    blocks: Int[np.ndarray, " length"]
    which: Int[np.ndarray, " lead"]
    groups: Float64[np.ndarray, " lead"]
    available: Bool[np.ndarray, "init lead"]

    @classmethod
    def draw(
        cls,
        trajectories: Int[np.ndarray, " init"],
        init_times: np.ndarray,
        lead_times: np.ndarray,
        available: Bool[np.ndarray, "init lead"],
        *,
        resamples: int,
        seed: int,
    ) -> "Resampling":
        """Draw the resamples of some forecasts.

        Args:
            trajectories: Trajectory of each initial condition.
            init_times: Time of each initial condition.
            lead_times: Lead times that were scored.
            available: Where an initial condition was scored.
            resamples: Number of resamples.
            seed: The same seed gives the same resamples.
        """
        distinct, member = np.unique(trajectories, return_inverse=True)
        if distinct.size > 1:
            weights = resampling_weights(trajectories, resamples, seed)[None]
            present = np.stack(
                [available[member == one].any(axis=0) for one in range(distinct.size)]
            )
            which = np.zeros(len(lead_times), np.int64)
            groups = present.sum(axis=0).astype(np.float64)
            return cls(weights, np.ones(1, np.int64), which, groups, available)
        # All blocks that are too long are of one length.
        longest = max(len(trajectories), 1)
        lengths = block_lengths(np.sort(init_times), lead_times)
        lengths = np.where(len(trajectories) / lengths < FEWEST, longest, lengths)
        blocks, which = np.unique(lengths, return_inverse=True)
        weights = np.stack(
            [resampling_weights(trajectories, resamples, seed, int(block)) for block in blocks]
        )
        return cls(weights, blocks, which, available.sum(axis=0) / lengths, available)

    def at(self, leads: Int[np.ndarray, " chosen"]) -> "Resampling":
        """Return the same resamples at some of the leads."""
        return replace(
            self,
            which=self.which[leads],
            groups=self.groups[leads],
            available=self.available[:, leads],
        )

    @property
    def weights_and_plain(self) -> Float64[np.ndarray, "sample init"]:
        """A row of ones (the data as they are), then the resamples for what joins several leads.

        Both are zero where nothing was scored of an initial condition.
        """
        return self._with_plain(len(self.blocks) - 1)

    @property
    def scored(self) -> Bool[np.ndarray, "sample lead"]:
        """Where the data and each resample of `weights_and_plain` have at least one scored initial condition."""
        return self.weights_and_plain @ self.available.astype(np.float64) > 0

    def means(
        self,
        values: Float64[np.ndarray, "init lead *rest"],
        finish: Callable[[np.ndarray], np.ndarray] = np.asarray,
        *,
        joined: bool = False,
    ) -> Float64[np.ndarray, "sample lead *rest"]:
        """Return the mean over the scored initial conditions: of the data first, then of each resample.

        Args:
            values: Value of each initial condition.
            finish: What is done with each mean.
            joined: Whether leads are put together afterwards, so that all need the same resamples.
        """
        available = self.available.reshape(*self.available.shape, *[1] * (values.ndim - 2))
        if joined or len(self.blocks) == 1:
            return finish(resampled_means(values, self.weights_and_plain, available))
        means = np.empty((1 + self.weights.shape[1], *values.shape[1:]))
        for position in range(len(self.blocks)):
            chosen = np.flatnonzero(self.which == position)
            means[:, chosen] = resampled_means(
                values[:, chosen], self._with_plain(position), available[:, chosen]
            )
        return finish(means)

    def interval(
        self, samples: Float64[np.ndarray, "sample lead *rest"]
    ) -> Float64[np.ndarray, "lead *rest bound"]:
        """Return the 95 % intervals at each lead of what `means` or a like function gave; NaN where there are none."""
        tails = np.array([tail_probability(float(groups)) for groups in self.groups])
        bounds = percentile_interval(samples[1:], tails)
        return np.where(np.isnan(samples[0])[..., None], np.nan, bounds)

    def joined_interval(
        self, samples: Float64[np.ndarray, "sample *rest"]
    ) -> Float64[np.ndarray, "*rest bound"]:
        """Return the 95 % intervals of what joins several leads; NaN where the estimate itself is NaN."""
        longest = int(self.blocks[-1])
        groups = len(self.available) / longest if longest > 1 else float(self.groups.max())
        bounds = percentile_interval(samples[1:], tail_probability(groups))
        return np.where(np.isnan(samples[0])[..., None], np.nan, bounds)

    def definition(self, leads: Int[np.ndarray, " lead"]) -> str:
        """Return in words what the intervals are.

        Args:
            leads: Numbers of the leads.
        """
        enough = np.flatnonzero(self.groups >= FEWEST)
        single = int(self.blocks[-1]) > 1 or self.groups.max() <= 1
        kind = "blocks of neighbours in time" if single else "trajectories"
        if not enough.size:
            count = f"{len(self.available)} initial conditions of one trajectory"
            if not single:
                count = f"initial conditions of {self.groups.max():g} trajectories"
            return f"none: there are {count}, and an interval needs {FEWEST} {kind} at least"
        how = "by trajectory (all initial conditions of a trajectory together)"
        if single:
            lengths = np.unique(self.blocks[self.which[enough]])
            to = "" if lengths.size == 1 else f" to {lengths[-1]}"
            how = (
                f"in circular blocks of {lengths[0]}{to} neighbours in time, at least twice as many as there are "
                "forecasts that overlap at each lead"
            )
        words = (
            f"95 % bootstrap over initial conditions, resampled {how}; percentiles expanded for few {kind} (Hesterberg "
            "2015)"
        )
        if enough.size == len(leads):
            return words
        return f"{words}; none where there are fewer than {FEWEST}, from step {leads[self.groups < FEWEST][0]} on"

    def _with_plain(self, position: int) -> Float64[np.ndarray, "sample init"]:
        weights = self.weights[position]
        both = np.concatenate([np.ones((1, weights.shape[1])), weights])
        return both * self.available.any(axis=1)
