"""How fast errors grow while they are small: exponential rate and doubling time."""

import numpy as np
from jaxtyping import Float64

SMALL = 0.5
"""Part of the truth's standard deviation below which an error counts as small, not yet saturated."""

FEWEST_LEADS = 3
"""Leads with a small error below which no rate is fitted."""


def growth_rate(
    rmse: Float64[np.ndarray, "*batch lead"],
    deviation: Float64[np.ndarray, "*batch lead"],
    times: Float64[np.ndarray, " lead"],
) -> Float64[np.ndarray, "*batch"]:
    """Return the rate at which a small error grows.

        ln E(t) ≈ ln E₀ + λ t    by least squares over the leads before E first reaches ½ σ_t

    (Lorenz 1982, Tellus 34, 505: errors grow exponentially until they saturate.)

    Args:
        rmse: E, root mean square error at each lead.
        deviation: σ_t, standard deviation of the truth over the cells, in the same units.
        times: Lead times t, ascending.

    Returns:
        λ in the inverse unit of `times`; NaN where fewer than `FEWEST_LEADS` leads have a small, positive error.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        small = np.isfinite(rmse) & (rmse < SMALL * deviation)
        used = np.cumprod(small, axis=-1).astype(bool) & (rmse > 0)
        logarithm = np.where(used, np.log(np.where(used, rmse, 1.0)), 0.0)
        count = used.sum(axis=-1)
        centred = used * (times - (used * times).sum(axis=-1, keepdims=True) / count[..., None])
        slope = (centred * logarithm).sum(axis=-1) / (centred**2).sum(axis=-1)
    return np.where(count >= FEWEST_LEADS, slope, np.nan)


def doubling_time(rate: Float64[np.ndarray, "*batch"]) -> Float64[np.ndarray, "*batch"]:
    """Return the time ln 2 / λ in which an error doubles; +∞ where it does not grow.

    Args:
        rate: λ of `growth_rate`.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(rate > 0, np.log(2) / rate, np.where(np.isnan(rate), np.nan, np.inf))
