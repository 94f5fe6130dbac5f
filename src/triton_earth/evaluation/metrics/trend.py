"""Drift: the trend of a departure over lead time."""

import numpy as np
from jaxtyping import Float64


def trend(
    departure: Float64[np.ndarray, "*batch lead"], times: Float64[np.ndarray, " lead"]
) -> Float64[np.ndarray, "*batch"]:
    """Return the least-squares slope of a departure over lead time.

        Σ (t − t̄)(d − d̄) / Σ (t − t̄)²

    Args:
        departure: d at each lead.
        times: Lead times t.

    Returns:
        In units of the departure per unit of `times`; NaN where a departure is not finite or there is a single lead.
    """
    centred = times - times.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (centred * departure).sum(axis=-1) / (centred**2).sum()
    return np.where(np.isfinite(slope), slope, np.nan)
