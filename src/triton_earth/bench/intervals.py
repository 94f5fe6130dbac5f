"""Means over seeds and trajectories, their 95 % intervals, and paired differences between variants."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from triton_earth.bench.errors import finished
from triton_earth.evaluation.bootstrap import (
    percentile_interval,
    resampled_means,
    resampling_weights,
)

RESAMPLES = 2000

Errors = Float64[np.ndarray, "seed init lead"]


@dataclass(frozen=True)
class Summary:
    """The error of a variant at each lead.

    Attributes:
        mean: Over seeds and forecasts.
        worst: Of the worst seed, over its forecasts.
        interval: 95 % interval of the mean, [lead, bound]; NaN where there are too few trajectories.
        difference: Mean minus that of the first variant.
        difference_interval: 95 % interval of it over the same trajectories.
    """

    mean: Float64[np.ndarray, " lead"]
    worst: Float64[np.ndarray, " lead"]
    interval: Float64[np.ndarray, "lead bound"]
    difference: Float64[np.ndarray, " lead"]
    difference_interval: Float64[np.ndarray, "lead bound"]


def summarize(
    kind: str, errors: dict[str, Errors], trajectories: Int[np.ndarray, " init"], seed: int = 0
) -> dict[str, Summary]:
    """Return the summary of every variant.

    The bootstrap draws seeds and trajectories with replacement; the same trajectories for all variants, seeds for each
    on its own. Of few seeds it finds too small a part of the spread between them.

    Args:
        kind: What the errors are, as `error_kind` gives it.
        errors: Of each variant; the others are compared with the first.
        trajectories: Trajectory of each forecast; those of one are drawn together.
        seed: Seed of the bootstrap.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 8 and 13.
    """
    weights = resampling_weights(trajectories, RESAMPLES, seed)
    samples = {
        name: _samples(kind, values, weights, np.random.default_rng([seed, number]))
        for number, (name, values) in enumerate(errors.items())
    }
    means = {name: _mean(kind, values) for name, values in errors.items()}
    first = next(iter(errors))
    found = {}
    for name, values in errors.items():
        with np.errstate(invalid="ignore"):
            difference, differences = means[name] - means[first], samples[name] - samples[first]
        found[name] = Summary(
            means[name],
            finished(kind, values.mean(axis=1)).max(axis=0),
            percentile_interval(samples[name]),
            difference,
            percentile_interval(differences),
        )
    return found


def _mean(kind: str, errors: Errors) -> Float64[np.ndarray, " lead"]:
    return finished(kind, errors.mean(axis=(0, 1)))


def _samples(
    kind: str,
    errors: Errors,
    weights: Float64[np.ndarray, "resample init"],
    generator: np.random.Generator,
) -> Float64[np.ndarray, "resample lead"]:
    """Return the mean of each resample of seeds and trajectories."""
    count = len(errors)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=len(weights))
    every = np.ones(errors.shape[1:], dtype=bool)
    by_seed = np.stack([resampled_means(values, weights, every) for values in errors], axis=1)
    with np.errstate(invalid="ignore"):
        parts = np.where(drawn[..., None] > 0, by_seed * drawn[..., None], 0.0)
    return finished(kind, parts.sum(axis=1) / count)
