"""Horizons: the first lead at which something happens, over many initial conditions and in resamples."""

import numpy as np
from jaxtyping import Bool, Float64, Int

SKILL_CORRELATION = 0.5
"""Pattern correlation below which a forecast is no longer useful."""


SKILL_ACC = 0.6
"""Anomaly correlation below which a forecast is no longer useful, by the custom of weather forecasting."""


def first_lead(
    happens: Bool[np.ndarray, "*batch lead"], leads: Int[np.ndarray, " lead"]
) -> Float64[np.ndarray, "*batch"]:
    """Return the number of the first lead at which something happens; +∞ where it never does.

    Args:
        happens: Whether it happens at each lead.
        leads: Number of each lead, ascending.
    """
    return np.where(happens.any(axis=-1), leads[happens.argmax(axis=-1)].astype(np.float64), np.inf)


def median_horizon(
    horizons: Float64[np.ndarray, " init"], weights: Float64[np.ndarray, "resample init"]
) -> Float64[np.ndarray, " resample"]:
    """Return the weighted median of horizons, of which some were not reached.

        median_r = min { h : Σ_{h_i ≤ h} W_ri ≥ ½ Σ_i W_ri }

    Unlike a mean it needs no assumption about forecasts that outlast the evaluation: they count as later than all.

    Args:
        horizons: Horizon of each initial condition in leads; +∞ where it was not reached.
        weights: Weights W of `resampling_weights`; one row of ones gives the plain (lower) median.

    Returns:
        Median in leads; +∞ where fewer than half of the initial conditions reached it, NaN where the weights are NaN.
    """
    order = np.argsort(horizons)
    shares = np.cumsum(weights[:, order], axis=1)
    reached = shares >= 0.5 * shares[:, -1:]
    median = horizons[order][np.argmax(reached, axis=1)]
    return np.where(np.isnan(shares[:, -1]), np.nan, median)


def loses_correlation(
    correlation: Float64[np.ndarray, "*batch"], least: float = SKILL_CORRELATION
) -> Bool[np.ndarray, "*batch"]:
    """Return where the mean correlation is below `least`, or undefined."""
    return ~(correlation >= least)


def loses_to(
    error: Float64[np.ndarray, "*batch"], baseline: Float64[np.ndarray, "*batch"]
) -> Bool[np.ndarray, "*batch"]:
    """Return where an error is not smaller than the baseline's, or undefined."""
    return ~(error < baseline)
