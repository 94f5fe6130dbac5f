"""95 % intervals by the bootstrap over initial conditions, resampled by trajectory or in blocks of neighbours."""

import math
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float64, Int

LEVEL = 0.95
"""Probability that an interval aims to cover."""

FEWEST = 6
"""Trajectories, or blocks of neighbours in a single one, below which there is no interval."""


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
    interval; t by the expansion 26.7.5 of Abramowitz and Stegun (1964), to 0.002 from 5 degrees of freedom on.
    """
    if groups < FEWEST:
        return math.nan
    normal, freedom = NormalDist(), groups - 1
    z = normal.inv_cdf((1 + LEVEL) / 2)
    t = (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
    return normal.cdf(-t * math.sqrt(groups / freedom))


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
