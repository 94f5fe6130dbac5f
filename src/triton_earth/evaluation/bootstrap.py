"""95 % intervals by the bootstrap over initial conditions, resampled by trajectory or in blocks of neighbours."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.special import ndtr, stdtrit

LEVEL = 0.95
"""Probability that an interval aims to cover."""

FEWEST = 6
"""Trajectories, or blocks of neighbours in a single one, below which there is no interval."""


@dataclass(frozen=True)
class Bootstrap:
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
    ) -> "Bootstrap":
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

    @property
    def resamples(self) -> int:
        """Number of resamples."""
        return self.weights.shape[1]

    def at(self, leads: Int[np.ndarray, " chosen"]) -> "Bootstrap":
        """Return the same resamples at some of the leads."""
        return replace(
            self,
            which=self.which[leads],
            groups=self.groups[leads],
            available=self.available[:, leads],
        )

    @property
    def samples(self) -> Float64[np.ndarray, "sample init"]:
        """A row of ones (the data as they are), then the resamples for what joins several leads.

        Both are zero where nothing was scored of an initial condition.
        """
        return self._weights_of(len(self.blocks) - 1)

    @property
    def scored(self) -> Bool[np.ndarray, "sample lead"]:
        """Where the data and each resample of `samples` have at least one scored initial condition."""
        return self.samples @ self.available.astype(np.float64) > 0

    def means(
        self,
        values: Float64[np.ndarray, "init lead *rest"],
        finish: Callable[[np.ndarray], np.ndarray] = np.asarray,
        *,
        joined: bool = False,
        defined: Bool[np.ndarray, "init lead *rest"] | None = None,
    ) -> Float64[np.ndarray, "sample lead *rest"]:
        """Return the mean over the scored initial conditions: of the data first, then of each resample.

        Args:
            values: Value of each initial condition.
            finish: What is done with each mean.
            defined: Where an initial condition that was scored has a value; all have, if not given.
            joined: Whether leads are put together afterwards, so that all need the same resamples.
        """
        available = self.available.reshape(*self.available.shape, *[1] * (values.ndim - 2))
        if defined is not None:
            available = available & defined
        if joined or len(self.blocks) == 1:
            return finish(resampled_means(values, self.samples, available))
        means = np.empty((1 + self.weights.shape[1], *values.shape[1:]))
        for position in range(len(self.blocks)):
            chosen = np.flatnonzero(self.which == position)
            means[:, chosen] = resampled_means(
                values[:, chosen], self._weights_of(position), available[:, chosen]
            )
        return finish(means)

    def interval(
        self, samples: Float64[np.ndarray, "sample lead *rest"]
    ) -> Float64[np.ndarray, "lead *rest bound"]:
        """Return the 95 % intervals of samples at each lead, as `means` gives them; NaN where there are none."""
        tails = np.array([tail_probability(float(groups)) for groups in self.groups])
        bounds = percentile_interval(samples[1:], tails)
        return np.where(np.isnan(samples[0])[..., None], np.nan, bounds)

    def joined_interval(
        self, samples: Float64[np.ndarray, "sample *rest"]
    ) -> Float64[np.ndarray, "*rest bound"]:
        """Return the 95 % intervals of samples that join several leads; NaN where the estimate itself is NaN."""
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

    def _weights_of(self, position: int) -> Float64[np.ndarray, "sample init"]:
        weights = self.weights[position]
        both = np.concatenate([np.ones((1, weights.shape[1])), weights])
        return both * self.available.any(axis=1)


def resampling_weights(
    trajectories: Int[np.ndarray, " init"], resamples: int, seed: int, block: int = 1
) -> Float64[np.ndarray, "resample init"]:
    """Draw initial conditions with replacement, in groups that belong together, and say how often each occurs.

    The forecasts of one trajectory are not independent of each other, so that they are drawn together. Of a single
    trajectory, circular blocks of neighbouring initial conditions are drawn, as many as give n of them. Of fewer than
    `FEWEST` trajectories or blocks there is no interval: all weights are NaN.

    Args:
        trajectories: Trajectory of each initial condition; those of one trajectory stand in order of time.
        resamples: Number of resamples.
        seed: The same seed gives the same weights.
        block: Initial conditions in a block of a single trajectory, as `block_lengths` gives them.

    Returns:
        Weights, dimensionless; means over initial conditions with them are the resampled means.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6; Politis and Romano (1992), A
    circular block-resampling procedure for stationary data.
    """
    distinct, member = np.unique(trajectories, return_inverse=True)
    generator = np.random.default_rng(seed)
    if distinct.size == 1:
        return _blocks(trajectories.size, block, resamples, generator)
    if distinct.size < FEWEST:
        return np.full((resamples, trajectories.size), np.nan)
    probabilities = np.full(distinct.size, 1 / distinct.size)
    counts = generator.multinomial(distinct.size, probabilities, size=resamples)
    return counts[:, member].astype(np.float64)


def block_lengths(init_times: np.ndarray, lead_times: np.ndarray) -> Int[np.ndarray, " lead"]:
    """Return how many neighbouring initial conditions of a single trajectory are drawn together, at each lead.

        max( round(n^⅓), 2 ⌈lead time / spacing of the initial times⌉ ),    the latter where forecasts overlap

    Forecasts of length L that start every s share part of their time with L/s neighbours on each side, and so do their
    errors. Blocks of only that length would find two thirds of the variance of a mean of such errors, twice as long
    ones five sixths.

    Args:
        init_times: Initial times in ascending order, at least one.
        lead_times: Lead times.
    """
    shortest = max(1, round(len(init_times) ** (1 / 3)))
    if len(init_times) < 2:
        return np.full(len(lead_times), shortest)
    spacing = np.median(np.diff(init_times).astype(np.float64))
    leads = np.asarray(lead_times).astype(np.asarray(np.diff(init_times)).dtype)
    overlap = np.ceil(leads.astype(np.float64) / max(spacing, 1e-300) - 1e-6)
    return np.maximum(shortest, np.where(overlap > 1, 2 * overlap, 1)).astype(np.int64)


def tail_probability(groups: float) -> float:
    """Return the part of the resamples that is left out at each end of an interval of few groups.

        p = Φ(−z),    z = t_{n−1, 97.5 %} √(n / (n − 1))

    Of n independent values the bootstrap finds a variance of the mean that is too small by (n − 1)/n and knows nothing
    of the doubt about it. Percentiles this far out make up for both: they are those of the t interval where the mean
    is normal, and the bounds still lie within the range of the resamples, whatever is done with the mean.

    Args:
        groups: Trajectories or blocks n.

    Returns:
        p < 2.5 %; NaN below `FEWEST`.

    Source: Hesterberg (2015), What teachers should know about the bootstrap, Am. Stat. 69, 371, the expanded percentile
    interval.
    """
    if groups < FEWEST:
        return np.nan
    t = stdtrit(groups - 1, (1 + LEVEL) / 2)
    return float(ndtr(-t * np.sqrt(groups / (groups - 1))))


def _blocks(
    count: int, length: int, resamples: int, generator: np.random.Generator
) -> Float64[np.ndarray, "resample init"]:
    """Draw circular blocks of neighbours; the last block of a resample is cut so that all have the same size."""
    if count / length < FEWEST:
        return np.full((resamples, count), np.nan)
    starts = generator.integers(count, size=(resamples, -(-count // length), 1))
    drawn = ((starts + np.arange(length)) % count).reshape(resamples, -1)[:, :count]
    rows = np.arange(resamples)[:, None] * count
    counts = np.bincount((rows + drawn).ravel(), minlength=resamples * count)
    return counts.reshape(resamples, count).astype(np.float64)


def resampled_means(
    values: Float64[np.ndarray, "init *rest"],
    weights: Float64[np.ndarray, "resample init"],
    available: Bool[np.ndarray, "init *most"],
) -> Float64[np.ndarray, "resample *rest"]:
    """Return the weighted mean over initial conditions in each resample.

        mean_r = Σ_i W_ri a_i v_i / Σ_i W_ri a_i

    Args:
        values: Value v of each initial condition. An infinite or NaN one makes every mean it takes part in infinite
            (+∞) or NaN, and no other.
        weights: Weights W of `resampling_weights`; one row of ones gives the plain mean.
        available: True (a = 1) where an initial condition has a value; as many dimensions as the values, those of
            length 1 hold for all.

    Returns:
        Means in the units of the values; NaN where a resample has no available value.
    """

    def added(numbers: np.ndarray) -> np.ndarray:
        flat = numbers.reshape(len(numbers), -1).astype(np.float64)
        return (weights @ flat).reshape(len(weights), *numbers.shape[1:])

    with np.errstate(invalid="ignore", divide="ignore"):
        ordinary = np.where(available & np.isfinite(values), values, 0.0)
        mean = np.asarray(added(ordinary) / added(available))
        for is_other, other in ((np.isinf, np.inf), (np.isnan, np.nan)):
            present = available & is_other(values)
            if present.any():
                mean[added(present) > 0] = other
    return mean


def percentile_interval(
    samples: Float64[np.ndarray, "resample *rest"],
    tail: float | Float64[np.ndarray, " first"] = (1 - LEVEL) / 2,
) -> Float64[np.ndarray, "*rest bound"]:
    """Return the central part of resampled values between two of their order statistics.

    Args:
        samples: Resampled values; an infinite one is greater than all others, a NaN one takes no part.
        tail: Part that is left out at each end, one or one along the first axis of the rest.

    Returns:
        Lower and upper bound along the last axis, in the units of the samples; NaN where no sample has a value or
        `tail` is NaN.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    ascending = np.sort(samples, axis=0)  # NaN last
    count = np.sum(~np.isnan(samples), axis=0)
    outside = np.asarray(tail, dtype=np.float64)
    if outside.ndim:
        outside = outside.reshape(-1, *[1] * (count.ndim - 1))
    bounds = []
    for probability in (outside, 1 - outside):
        # Rounded first: 0.025 * 1000 is 25, not a little more.
        position = np.ceil(
            np.round(np.where(np.isnan(probability), 0, probability) * count, 6)
        ).astype(np.int64)
        rank = np.maximum(position - 1, 0)
        found = np.take_along_axis(ascending, rank[None], axis=0)[0]
        bounds.append(np.where(np.isnan(probability), np.nan, found))
    return np.stack(bounds, axis=-1)
