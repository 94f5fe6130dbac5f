"""Scores: error metrics per forecast, variable and lead time."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.variables import Variables
from triton_earth.evaluation.metrics.error_metrics import METRICS, Metric, mean_square_error
from triton_earth.evaluation.metrics.error_sums import ErrorSums
from triton_earth.evaluation.metrics.similarity import peak_signal_to_noise
from triton_earth.evaluation.records import Records
from triton_earth.evaluation.resampling import Resampling

Scores = tuple[
    Float64[np.ndarray, "forecast lead variable"],
    Float64[np.ndarray, "forecast lead variable bound"],
]
"""Values of a score and the ends of their intervals."""

DIMENSIONS = ("forecast", "variable", "lead_time")

LIKENESS = {
    "psnr": {
        "long_name": "peak signal-to-noise ratio",
        "units": "dB",
        "definition": "10 log10 of (range of the truth's field squared / mean square error), for each initial "
        "condition, then averaged over initial conditions",
    },
    "ssim": {
        "long_name": "structural similarity",
        "units": "1",
        "definition": "mean over Gaussian windows of 11 x 11 cells (Wang et al. 2004), relative to the range of the "
        "truth's field; windows with cells that are not valid are left out; averaged over initial conditions",
    },
}
"""Scores of likeness as pictures."""


def difference_name(rival: str) -> str:
    """Return the name of the score mse minus that of a rival, a baseline or another model."""
    return "mse_minus_" + re.sub(r"\W+", "_", rival).strip("_")


def score_errors(
    records: Records, names: list[str], variables: Variables, resampling: Resampling
) -> xr.Dataset:
    """Return every metric of `METRICS` with its interval, and the paired difference of mse from each baseline.

    Args:
        records: What was kept of the forecasts.
        names: Names of the forecast and the references.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.

    Returns:
        Variables NAME (forecast, variable, lead_time) and NAME_interval (…, bound), and `initial_conditions`
        (lead_time). Units of a variable are given by `units` as a list where they differ.
    """
    data: dict[str, tuple] = {
        "initial_conditions": (
            "lead_time",
            resampling.available.sum(axis=0),
            {
                "long_name": "initial conditions scored",
                "units": "1",
                "definition": "number of initial conditions whose truth reaches this lead time",
            },
        )
    }
    errors = [records.errors(source) for source in records.forecasts]
    anomalies = [records.anomalies(source) for source in records.forecasts]
    given = [sums for sums in anomalies if sums is not None]
    for metric, (estimates, intervals) in metric_scores(errors, given, resampling).items():
        attributes = metric_attributes(METRICS[metric], variables)
        data |= _with_interval(metric, estimates, intervals, attributes)
    data |= _likeness(records, resampling)
    for source in records.rivals:
        estimates, intervals = difference_scores(errors, source, resampling)
        attributes = difference_attributes(names[source], variables)
        data |= _with_interval(difference_name(names[source]), estimates, intervals, attributes)
    return xr.Dataset(data)


def metric_scores(
    errors: Sequence[ErrorSums], anomalies: Sequence[ErrorSums], resampling: Resampling
) -> dict[str, Scores]:
    """Return every metric of `METRICS`, by name, and its interval.

    Args:
        errors: Sums of each forecast and reference, [init, lead, variable].
        anomalies: The same of the anomalies; empty without a climatology, and so without the metrics that need one.
        resampling: Bootstrap of the initial conditions.
    """
    found = {}
    for metric in METRICS.values():
        each = anomalies if metric.anomalies else errors
        samples = (resampling.means(metric.of_one(sums), metric.finish) for sums in each)
        if each:
            found[metric.name] = _estimated(samples, resampling)
    return found


def difference_scores(errors: Sequence[ErrorSums], baseline: int, resampling: Resampling) -> Scores:
    """Return mse minus the mse of a baseline; the interval is of the difference over the same resamples."""
    each = [mean_square_error(sums) for sums in errors]
    least = resampling.means(each[baseline])
    with np.errstate(invalid="ignore"):
        return _estimated((resampling.means(error) - least for error in each), resampling)


def metric_attributes(metric: Metric, variables: Variables) -> dict[str, str]:
    """Return what a metric is, in words, and its units for each variable."""
    return {
        "long_name": metric.long_name,
        "units": _units(metric.units(variable.units) for variable in variables),
        "definition": metric.definition,
    }


def difference_attributes(name: str, variables: Variables) -> dict[str, str]:
    """Return what the difference from a baseline of that name is, in words, and its units for each variable."""
    return {
        "long_name": f"mean square error minus that of {name}",
        "units": _units(METRICS["mse"].units(variable.units) for variable in variables),
        "definition": f"mse - mse of {name}; the interval is of the difference, both from the same resamples: "
        f"an upper bound below zero says that the forecast is better than {name}",
    }


def _estimated(
    samples: Iterable[Float64[np.ndarray, "sample lead variable"]], resampling: Resampling
) -> Scores:
    """Return the estimates and intervals of samples, of which one at a time is held."""
    each = [(sample[0], resampling.interval(sample)) for sample in samples]
    estimates, intervals = zip(*each, strict=True)
    return np.stack(estimates), np.stack(intervals)


def _likeness(records: Records, resampling: Resampling) -> dict[str, tuple]:
    """Return peak signal-to-noise ratio and structural similarity."""
    data: dict[str, tuple] = {}
    each = {
        "psnr": [
            peak_signal_to_noise(mean_square_error(records.errors(source)), records.truth_range)
            for source in records.forecasts
        ],
        "ssim": [records.similarity[source] for source in records.forecasts],
    }
    for name, values in each.items():
        estimates = _estimated((resampling.means(value) for value in values), resampling)
        data |= _with_interval(name, *estimates, LIKENESS[name])
    return data


def _with_interval(
    name: str, estimates: np.ndarray, intervals: np.ndarray, attributes: dict[str, str]
) -> dict[str, tuple]:
    """Return a variable and its interval from arrays [forecast, lead, variable] and [..., bound]."""
    interval = interval_attributes(name, attributes)
    return {
        name: (DIMENSIONS, estimates.swapaxes(1, 2), attributes),
        f"{name}_interval": ((*DIMENSIONS, "bound"), intervals.swapaxes(1, 2), interval),
    }


def interval_attributes(name: str, attributes: dict[str, str]) -> dict[str, str]:
    """Return what the interval of a score is, from what the score is."""
    return {
        "long_name": f"95 % interval of the {attributes['long_name']}",
        "units": attributes["units"],
        "definition": f"95 % bootstrap interval of {name} over initial conditions",
    }


def _units(units: object) -> str:
    """Return the units of all variables in order; one where all are equal."""
    each = [str(unit) for unit in units]  # type: ignore[attr-defined]
    return each[0] if len(set(each)) == 1 else "; ".join(each)
