"""How means and variances of long runs drift against truth and seasonal cycle, and how fast errors grow."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.evaluation.aggregator import Finished
from triton_earth.evaluation.metrics.error_metrics import (
    bias,
    forecast_variance,
    mean_square_error,
    truth_variance,
)
from triton_earth.evaluation.metrics.error_sums import ErrorSums
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.results import Results, squared_units

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


def drift(finished: Finished) -> xr.Dataset:
    """Return how means and variances drift, and how fast errors grow.

    Returns:
        `area_mean`, `variance` and, with a calendar and a climatology, `seasonal_departure` (source, variable,
        lead_time); `drift_rate`, `variance_drift_rate`, `error_growth_rate`, `error_doubling_time` (forecast,
        variable); each with NAME_interval (…, bound).
    """
    case, bootstrap = finished.case, finished.bootstrap
    results, errors = Results(bootstrap), finished.get(Errors)
    each = [errors.of(source) for source in case.forecasts]
    units = [variable.units for variable in case.variables]
    by_lead = ("source", "lead_time", "variable")
    means = [
        *(_mean(sums.forecast, sums.weight) for sums in each),
        _mean(each[0].truth, each[0].weight),
    ]
    results.add(
        "area_mean",
        by_lead,
        (bootstrap.means(one) for one in means),
        long_name="area mean",
        units=units,
        definition="area-weighted mean over the valid cells, averaged over initial conditions; less the mean "
        "of the truth it is the bias, the drift of the mean",
    )
    variances = [*(forecast_variance(sums) for sums in each), truth_variance(each[0])]
    results.add(
        "variance",
        by_lead,
        (bootstrap.means(one) for one in variances),
        long_name="variance over the cells",
        units=[squared_units(unit) for unit in units],
        definition="area-weighted variance over the valid cells, averaged over initial conditions",
    )
    departures = list(_departures(finished, errors))
    if departures:
        results.add(
            "seasonal_departure",
            by_lead,
            (bootstrap.means(one) for one in departures),
            long_name="departure of the area mean from the seasonal cycle",
            units=units,
            definition="area-weighted mean of (field - climatology of the training split at the valid time), averaged "
            "over initial conditions",
        )
    _rates(results, each, case.alignment.numbers.astype(np.float64), units)
    return results.dataset()


def _rates(
    results: Results, each: list[ErrorSums], numbers: Float64[np.ndarray, " lead"], units: list[str]
) -> None:
    """Add what joins all leads: slopes over them."""
    bootstrap, over_leads = results.bootstrap, ("forecast", "variable")
    deviation = np.sqrt(bootstrap.means(truth_variance(each[0]), joined=True))
    drifts, spreads, rates = [], [], []
    for sums in each:
        drifts.append(_trend(bootstrap.means(bias(sums), joined=True), numbers))
        ratio = _ratio(forecast_variance(sums), truth_variance(sums))
        spreads.append(_trend(bootstrap.means(ratio, joined=True), numbers))
        rmse = np.sqrt(bootstrap.means(mean_square_error(sums), joined=True))
        rates.append(growth_rate(np.swapaxes(rmse, 1, 2), np.swapaxes(deviation, 1, 2), numbers))
    results.add(
        "drift_rate",
        over_leads,
        drifts,
        joined=True,
        long_name="drift of the area mean per time step",
        units=units,
        definition="least-squares slope of the bias over lead, per time step",
    )
    results.add(
        "variance_drift_rate",
        over_leads,
        spreads,
        joined=True,
        long_name="drift of the variance ratio per time step",
        units="1",
        definition="least-squares slope over lead of the variance over the cells divided by the truth's, per time step",
    )
    results.add(
        "error_growth_rate",
        over_leads,
        rates,
        joined=True,
        long_name="growth rate of errors per time step",
        units="1",
        definition="least-squares slope of ln rmse over the leads before the rmse first reaches half of the truth's "
        "standard deviation over the cells, per time step; missing where fewer than "
        f"{FEWEST_LEADS} leads come before",
    )
    results.add(
        "error_doubling_time",
        over_leads,
        [doubling_time(rate) for rate in rates],
        joined=True,
        long_name="doubling time of errors in time steps",
        units="1",
        definition="ln 2 divided by error_growth_rate; infinite where the error does not grow",
    )


def _departures(
    finished: Finished, errors: Errors
) -> Iterator[Float64[np.ndarray, "init lead variable"]]:
    """Yield the mean departure of every source from climatology; nothing without one or without a calendar."""
    if finished.case.lead_times.dtype.kind != "m":
        return
    sums = None
    for source in finished.case.forecasts:
        sums = errors.anomalies_of(source)
        if sums is None:
            return
        yield _mean(sums.forecast, sums.weight)
    sums = errors.anomalies_of(0)
    if sums is not None:
        yield _mean(sums.truth, sums.weight)


def _mean(total: np.ndarray, weight: np.ndarray) -> Float64[np.ndarray, "init lead variable"]:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = total / weight
    return np.where(np.isfinite(value), value, np.nan)


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(other > 0, one / other, np.nan)


def _trend(
    samples: Float64[np.ndarray, "sample lead variable"], numbers: np.ndarray
) -> Float64[np.ndarray, "sample variable"]:
    return trend(np.swapaxes(samples, 1, 2), numbers)
