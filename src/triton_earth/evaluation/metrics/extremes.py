"""Extremes of fields: area-weighted quantiles of many forecasts at a few leads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

QUANTILES = (0.001, 0.01, 0.99, 0.999)
"""Parts of the area below each quantile."""

MOST_LEADS = 12
"""Leads at which quantiles are kept, evenly spread, the first and the last among them."""


def weighted_quantiles(
    values: Float[np.ndarray, "batch cell"], weights: Float64[np.ndarray, " cell"]
) -> Float64[np.ndarray, "batch quantile"]:
    """Return the values below which given parts of the area lie.

        x_q = min { x : Σ_{x_i ≤ x} w_i ≥ q Σ w_i },    q in `QUANTILES`

    Args:
        values: Values of the valid cells.
        weights: Cell weights w.

    Returns:
        In units of the values; NaN where a value is not finite.
    """
    order = np.argsort(values, axis=1)
    shares = np.cumsum(weights[order], axis=1)
    shares /= shares[:, -1:]
    found = np.stack(
        [
            np.take_along_axis(values, order, axis=1)[
                np.arange(len(values)), (shares < q * (1 - 1e-12)).sum(axis=1)
            ]
            for q in QUANTILES
        ],
        axis=1,
    ).astype(np.float64)
    found[~np.isfinite(values).all(axis=1)] = np.nan
    return found


@dataclass(frozen=True)
class Extremes:
    """Quantiles of every source (forecasts, references, truth) and initial condition.

    Attributes:
        leads: Positions of the leads that quantiles are kept of.
        quantiles: Values of `weighted_quantiles`; NaN where there is no truth.
    """

    leads: Int[np.ndarray, " chosen"]
    quantiles: Float64[np.ndarray, "source init chosen variable quantile"]

    @classmethod
    def empty(cls, *, sources: int, inits: int, leads: int, variables: int) -> "Extremes":
        """Return records to put quantiles into."""
        chosen = np.unique(np.linspace(0, leads - 1, MOST_LEADS).round().astype(np.int64))
        shape = (sources, inits, len(chosen), variables, len(QUANTILES))
        return cls(chosen, np.full(shape, np.nan))

    @classmethod
    def join(cls, parts: Sequence["Extremes"]) -> "Extremes":
        """Return the quantiles of consecutive initial conditions."""
        return cls(parts[0].leads, np.concatenate([part.quantiles for part in parts], axis=1))

    def put(
        self,
        source: int,
        forecasts: Int[np.ndarray, " batch"],
        lead: int,
        states: Float[np.ndarray, "batch channel y x"],
        weights: Float64[np.ndarray, "y x"],
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
    ) -> None:
        """Keep the quantiles of some forecasts at one lead, where that lead is one of those kept."""
        for position in np.flatnonzero(self.leads == lead).tolist():
            for channel in range(states.shape[1]):
                valid = np.ones(weights.shape, bool) if valid_mask is None else valid_mask[channel]
                if valid.any():
                    self.quantiles[source, forecasts, position, channel] = weighted_quantiles(
                        states[:, channel][:, valid], weights[valid]
                    )
