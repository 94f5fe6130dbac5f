"""Extremes of fields: area-weighted quantiles of many forecasts at a few leads."""

import math
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float64

from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Finished
from triton_earth.evaluation.alignment import spread_leads
from triton_earth.evaluation.results import Results

QUANTILES = (0.001, 0.01, 0.99, 0.999)
"""Parts of the area below each quantile."""

QUANTILE_AXIS = {
    "quantile": ("quantile", list(QUANTILES), {"long_name": "part of the area below", "units": "1"})
}
"""The coordinate of the quantiles."""


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
    return np.stack([_quantiles(row, weights) for row in values])


def _quantiles(
    values: Float[np.ndarray, " cell"], weights: Float64[np.ndarray, " cell"]
) -> Float64[np.ndarray, " quantile"]:
    """Return the quantiles of one field: of its least and greatest values alone, which are told without sorting all."""
    found = np.full(len(QUANTILES), np.nan)
    if not np.isfinite(values).all():
        return found
    total, count = weights.sum(), len(values)
    wanted = np.array(QUANTILES) * (1 - 1e-12) * total
    few = math.ceil(4 * max(min(q, 1 - q) for q in QUANTILES) * count)
    while True:
        few = min(few, count)
        # One place at a time: numpy is many times slower at two together.
        bounds = [np.partition(values, place)[place] for place in (few - 1, count - few)]
        # With all values that are equal to the last of them.
        least, greatest = np.flatnonzero(values <= bounds[0]), np.flatnonzero(values >= bounds[1])
        least = least[np.argsort(values[least])]
        greatest = greatest[np.argsort(values[greatest])]
        upward, downward = np.cumsum(weights[least]), np.cumsum(weights[greatest])
        downward += total - downward[-1]
        is_low = wanted <= 0.5 * total
        if few == count or (
            upward[-1] > wanted[is_low].max() and downward[0] < wanted[~is_low].min()
        ):
            break
        few *= 2
    for cells, shares, chosen in ((least, upward, is_low), (greatest, downward, ~is_low)):
        places = np.minimum(np.searchsorted(shares, wanted[chosen]), len(cells) - 1)
        found[chosen] = values[cells[places]]
    return found


class Extremes(Aggregator):
    """Keeps quantiles of every source (models, baselines, truth).

    Attributes:
        leads: Positions of the leads that quantiles are kept of.
        quantiles: Values of `weighted_quantiles`; NaN where there is no truth.
    """

    INIT_AXES: ClassVar = {"quantiles": 1}

    def __init__(self, case: Case) -> None:
        """Begin without quantiles."""
        self._weights, self._valid_mask = case.weights, case.valid_mask
        inits, leads = case.shape
        self.leads = spread_leads(leads)
        self.quantiles = no_quantiles(case.sources, inits, len(self.leads), len(case.variables))

    def add(self, batch: Batch) -> None:
        """Keep the quantiles of some initial conditions, where the lead is one of those kept."""
        for position in np.flatnonzero(self.leads == batch.lead).tolist():
            for source, field in enumerate(batch.sources):
                found = field_quantiles(field, self._weights, self._valid_mask)
                self.quantiles[source, batch.rows, position] = found

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return `extreme` (source, variable, extreme_lead_time, quantile) with its interval."""
        results, there = Results(finished.bootstrap), finished.bootstrap.at(self.leads)
        results.add(
            "extreme",
            ("source", "extreme_lead_time", "variable", "quantile"),
            (there.means(one) for one in self.quantiles),
            at=there,
            long_name="quantile of the field",
            units=[variable.units for variable in finished.case.variables],
            definition="value below which the given part of the valid area lies, averaged over initial conditions, at "
            "some leads",
        )
        lead_times = finished.case.lead_times[self.leads]
        title = {"long_name": "lead time of the quantiles"}
        return results.dataset(
            {"extreme_lead_time": ("extreme_lead_time", lead_times, title), **QUANTILE_AXIS}
        )


def no_quantiles(
    sources: int, inits: int, leads: int, variables: int
) -> Float64[np.ndarray, "source init lead variable quantile"]:
    """Return an array for quantiles, all NaN."""
    return np.full((sources, inits, leads, variables, len(QUANTILES)), np.nan)


def field_quantiles(
    fields: Float[np.ndarray, "batch channel y x"],
    weights: Float64[np.ndarray, "y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
) -> Float64[np.ndarray, "batch channel quantile"]:
    """Return the quantiles of each field over its valid cells; NaN of one without any."""
    batch, channels = fields.shape[:2]
    found = np.full((batch, channels, len(QUANTILES)), np.nan)
    for channel in range(channels):
        valid = np.ones(weights.shape, bool) if valid_mask is None else valid_mask[channel]
        if valid.any():
            values = (
                fields[:, channel].reshape(batch, -1) if valid.all() else fields[:, channel, valid]
            )
            found[:, channel] = weighted_quantiles(values, weights[valid])
    return found
