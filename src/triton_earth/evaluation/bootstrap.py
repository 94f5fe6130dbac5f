"""95 % intervals by the bootstrap over initial conditions, resampled by trajectory."""

import numpy as np
from jaxtyping import Bool, Float64, Int

LEVEL = 0.95
"""Probability that an interval aims to cover."""

FEWEST = 8
"""Initial conditions of a single trajectory below which blocks of them give no interval."""


def resampling_weights(
    trajectories: Int[np.ndarray, " init"], resamples: int, seed: int
) -> Float64[np.ndarray, "resample init"]:
    """Draw initial conditions with replacement, in groups that belong together, and say how often each occurs.

    The forecasts of one trajectory are not independent of each other, so that they are drawn together. Of a single
    trajectory, circular blocks of round(n^⅓) neighbouring initial conditions are drawn, as many as give n of them; of
    fewer than `FEWEST` there is no interval: all weights are NaN.

    Args:
        trajectories: Trajectory of each initial condition; those of one trajectory stand in order of time.
        resamples: Number of resamples.
        seed: The same seed gives the same weights.

    Returns:
        Weights, dimensionless; means over initial conditions with them are the resampled means.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6; Politis and Romano (1992), A
    circular block-resampling procedure for stationary data.
    """
    distinct, member = np.unique(trajectories, return_inverse=True)
    generator = np.random.default_rng(seed)
    if distinct.size < 2:
        return _blocks(trajectories.size, resamples, generator)
    probabilities = np.full(distinct.size, 1 / distinct.size)
    counts = generator.multinomial(distinct.size, probabilities, size=resamples)
    return counts[:, member].astype(np.float64)


def interval_definition(trajectories: Int[np.ndarray, " init"]) -> str:
    """Return in words what the intervals of `resampling_weights` are."""
    if np.unique(trajectories).size > 1:
        return (
            "95 % percentile bootstrap over initial conditions, resampled by trajectory (all initial conditions of a "
            "trajectory together)"
        )
    if trajectories.size < FEWEST:
        return (
            "none: all initial conditions are of one trajectory, and an interval needs at least two, or "
            f"{FEWEST} initial conditions"
        )
    return (
        "95 % percentile bootstrap over initial conditions, resampled in circular blocks of "
        f"{_block_length(trajectories.size)} neighbours in time"
    )


def _block_length(count: int) -> int:
    return max(1, round(count ** (1 / 3)))


def _blocks(
    count: int, resamples: int, generator: np.random.Generator
) -> Float64[np.ndarray, "resample init"]:
    """Draw circular blocks of neighbours; the last block of a resample is cut so that all have the same size."""
    if count < FEWEST:
        return np.full((resamples, count), np.nan)
    length = _block_length(count)
    starts = generator.integers(count, size=(resamples, -(-count // length), 1))
    drawn = ((starts + np.arange(length)) % count).reshape(resamples, -1)[:, :count]
    rows = np.arange(resamples)[:, None] * count
    counts = np.bincount((rows + drawn).ravel(), minlength=resamples * count)
    return counts.reshape(resamples, count).astype(np.float64)


def resampled_means(
    values: Float64[np.ndarray, "init *rest"],
    weights: Float64[np.ndarray, "resample init"],
    available: Bool[np.ndarray, "init *rest"],
) -> Float64[np.ndarray, "resample *rest"]:
    """Return the weighted mean over initial conditions in each resample.

        mean_r = Σ_i W_ri a_i v_i / Σ_i W_ri a_i

    Args:
        values: Value v of each initial condition. An infinite or NaN one makes every mean it takes part in infinite
            (+∞) or NaN, and no other.
        weights: Weights W of `resampling_weights`; one row of ones gives the plain mean.
        available: True (a = 1) where an initial condition has a value.

    Returns:
        Means in the units of the values; NaN where a resample has no available value.
    """
    rest = values.shape[1:]
    flat, present = values.reshape(len(values), -1), available.reshape(len(values), -1)
    ordinary = present & np.isfinite(flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weights @ np.where(ordinary, flat, 0.0)) / (weights @ present.astype(np.float64))
        mean[weights @ (present & np.isinf(flat)).astype(np.float64) > 0] = np.inf
        mean[weights @ (present & np.isnan(flat)).astype(np.float64) > 0] = np.nan
    return mean.reshape(len(weights), *rest)


def percentile_interval(
    samples: Float64[np.ndarray, "resample *rest"],
) -> Float64[np.ndarray, "*rest bound"]:
    """Return the central 95 % of resampled values: their 2.5 % and 97.5 % order statistics.

    Args:
        samples: Resampled values; an infinite one is greater than all others, a NaN one takes no part.

    Returns:
        Lower and upper bound along the last axis, in the units of the samples; NaN where no sample has a value.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    ascending = np.sort(samples, axis=0)  # NaN last
    count = np.sum(~np.isnan(samples), axis=0)
    bounds = []
    for probability in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        # Rounded first: 0.025 * 1000 is 25, not a little more.
        position = np.ceil(np.round(probability * count, 6)).astype(np.int64)
        rank = np.maximum(position - 1, 0)
        bounds.append(np.take_along_axis(ascending, rank[None], axis=0)[0])
    return np.stack(bounds, axis=-1)


def paired_difference_interval(
    first: Float64[np.ndarray, "init *rest"],
    second: Float64[np.ndarray, "init *rest"],
    weights: Float64[np.ndarray, "resample init"],
    available: Bool[np.ndarray, "init *rest"],
) -> Float64[np.ndarray, "*rest bound"]:
    """Return the 95 % interval of mean(first) − mean(second) over the same initial conditions in each resample.

    Args:
        first: Values of one forecast.
        second: Values of the other for the same initial conditions.
        weights: Weights of `resampling_weights`.
        available: True where an initial condition has both values.

    Returns:
        Lower and upper bound along the last axis; that 0 lies outside says that the two differ.
    """
    with np.errstate(invalid="ignore"):
        difference = resampled_means(first, weights, available) - resampled_means(
            second, weights, available
        )
    return percentile_interval(difference)
