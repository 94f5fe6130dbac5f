"""Scores of long runs: means, variances and extremes against truth and seasonal cycle, growth of errors."""

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int

from triton_earth.core.variables import Variables
from triton_earth.evaluation.intervals import over_leads, overall
from triton_earth.evaluation.metrics.error_metrics import (
    METRICS,
    bias,
    forecast_variance,
    mean_square_error,
    truth_variance,
)
from triton_earth.evaluation.metrics.error_sums import ErrorSums
from triton_earth.evaluation.metrics.extremes import QUANTILES
from triton_earth.evaluation.metrics.growth import FEWEST_LEADS, doubling_time, growth_rate
from triton_earth.evaluation.metrics.trend import trend
from triton_earth.evaluation.records import FORECAST, Records
from triton_earth.evaluation.resampling import Resampling

BY_LEAD = ("source", "variable", "lead_time")
OVERALL = ("forecast", "variable")


def score_drift(
    records: Records,
    variables: Variables,
    resampling: Resampling,
    leads: Int[np.ndarray, " lead"],
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Return how means, variances and extremes drift, and how fast errors grow.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.
        leads: Number of each scored lead; the first step is 1.
        lead_times: Lead times that were scored.

    Returns:
        `area_mean`, `variance` and, with a calendar and a climatology, `seasonal_departure` (source, variable,
        lead_time);
        `drift_rate`, `variance_drift_rate`, `error_growth_rate`, `error_doubling_time` (forecast, variable); each with
        NAME_interval (…, bound), as has `extreme` (source, variable, extreme_lead_time, quantile).
    """
    numbers = leads.astype(np.float64)
    units = [variable.units for variable in variables]
    squared = [METRICS["mse"].units(unit) for unit in units]
    data: dict[str, tuple] = {}
    means, variances, departures = [], [], []
    for source in records.forecasts:
        sums = records.errors(source)
        means.append(_mean(sums.forecast, sums.weight))
        variances.append(forecast_variance(sums))
    sums = records.errors(FORECAST)
    means.append(_mean(sums.truth, sums.weight))
    variances.append(truth_variance(sums))
    data |= over_leads(
        "area_mean",
        BY_LEAD,
        means,
        resampling,
        "area mean",
        "area-weighted mean over the valid cells, averaged over initial conditions; minus that of the truth it is the "
        "bias, the drift of the mean",
        units,
    )
    data |= over_leads(
        "variance",
        BY_LEAD,
        variances,
        resampling,
        "variance over the cells",
        "area-weighted variance over the valid cells, averaged over initial conditions",
        squared,
    )
    if records.anomaly_sums is not None and lead_times.dtype.kind == "m":  # with a calendar
        for source in records.forecasts:
            anomalies = ErrorSums(*records.anomaly_sums[:, source])
            departures.append(_mean(anomalies.forecast, anomalies.weight))
        truth_anomalies = ErrorSums(*records.anomaly_sums[:, FORECAST])
        departures.append(_mean(truth_anomalies.truth, truth_anomalies.weight))
        data |= over_leads(
            "seasonal_departure",
            BY_LEAD,
            departures,
            resampling,
            "departure of the area mean from the seasonal cycle",
            "area-weighted mean of (field - climatology of the training split at the valid time), averaged over "
            "initial conditions",
            units,
        )
    drifts, spreads, rates = [], [], []
    deviation = np.sqrt(resampling.means(truth_variance(sums), joined=True))
    for source in records.forecasts:
        errors = records.errors(source)
        drifts.append(_trend(resampling.means(bias(errors), joined=True), numbers))
        ratio = _ratio(forecast_variance(errors), truth_variance(errors))
        spreads.append(_trend(resampling.means(ratio, joined=True), numbers))
        rmse = np.sqrt(resampling.means(mean_square_error(errors), joined=True))
        rates.append(growth_rate(np.swapaxes(rmse, 1, 2), np.swapaxes(deviation, 1, 2), numbers))
    data |= overall(
        "drift_rate",
        OVERALL,
        drifts,
        resampling,
        "drift of the area mean per time step",
        "least-squares slope of the bias over lead, per time step",
        units,
    )
    data |= overall(
        "variance_drift_rate",
        OVERALL,
        spreads,
        resampling,
        "drift of the variance ratio per time step",
        "least-squares slope over lead of the variance over the cells divided by the truth's, per time step",
        ["1"],
    )
    data |= overall(
        "error_growth_rate",
        OVERALL,
        rates,
        resampling,
        "growth rate of errors per time step",
        "least-squares slope of ln rmse over the leads before the rmse first reaches half of the truth's standard "
        f"deviation over the cells, per time step; missing where that are fewer than {FEWEST_LEADS} leads",
        ["1"],
    )
    data |= overall(
        "error_doubling_time",
        OVERALL,
        [doubling_time(rate) for rate in rates],
        resampling,
        "doubling time of errors in time steps",
        "ln 2 divided by error_growth_rate; infinite where the error does not grow",
        ["1"],
    )
    dataset = xr.Dataset(data)
    return dataset.assign(_extremes(records, resampling, units, lead_times).variables)


def _extremes(
    records: Records, resampling: Resampling, units: list[str], lead_times: np.ndarray
) -> xr.Dataset:
    kept = records.extremes
    return xr.Dataset(
        over_leads(
            "extreme",
            ("source", "variable", "extreme_lead_time", "quantile"),
            list(kept.quantiles),
            resampling.at(kept.leads),
            "quantile of the field",
            "value below which the given part of the valid area lies, averaged over initial conditions, at some leads",
            units,
        ),
        coords={
            "extreme_lead_time": (
                "extreme_lead_time",
                lead_times[kept.leads],
                {"long_name": "lead time of the quantiles"},
            ),
            "quantile": (
                "quantile",
                list(QUANTILES),
                {"long_name": "part of the area below", "units": "1"},
            ),
        },
    )


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
