"""Scores: error metrics per forecast, variable and lead time."""

import numpy as np
import xarray as xr

from triton_earth.core.variables import Variables
from triton_earth.evaluation.bootstrap import paired_difference_interval
from triton_earth.evaluation.metrics import METRICS, mean_square_error
from triton_earth.evaluation.records import FORECAST, PERSISTENCE, Records
from triton_earth.evaluation.resampling import Resampling

DIMENSIONS = ("forecast", "variable", "lead_time")


def score_errors(records: Records, variables: Variables, resampling: Resampling) -> xr.Dataset:
    """Return every metric of `METRICS` with its interval, and the paired difference of mse from persistence.

    Args:
        records: What was kept of the forecasts.
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
    for metric in METRICS.values():
        estimates, intervals = [], []
        for source in (FORECAST, PERSISTENCE):
            samples = resampling.means(metric.of_one(records.errors(source)), metric.finish)
            estimates.append(samples[0])
            intervals.append(resampling.interval(samples))
        attributes = {
            "long_name": metric.long_name,
            "units": _units(metric.units(variable.units) for variable in variables),
            "definition": metric.definition,
        }
        data |= _with_interval(metric.name, np.stack(estimates), np.stack(intervals), attributes)
    return xr.Dataset(data | _difference(records, variables, resampling))


def _difference(records: Records, variables: Variables, resampling: Resampling) -> dict[str, tuple]:
    """Return mse minus the mse of persistence; the interval is of the difference over the same resamples."""
    errors = [mean_square_error(records.errors(source)) for source in (FORECAST, PERSISTENCE)]
    held = resampling.means(errors[PERSISTENCE])[0]
    available = np.broadcast_to(resampling.available[..., None], errors[0].shape)
    estimates, intervals = [], []
    for error in errors:
        estimates.append(resampling.means(error)[0] - held)
        bounds = paired_difference_interval(
            error, errors[PERSISTENCE], resampling.weights, available
        )
        intervals.append(np.where(np.isnan(resampling.weights).any(), np.nan, bounds))
    attributes = {
        "long_name": "mean square error minus that of persistence",
        "units": _units(METRICS["mse"].units(variable.units) for variable in variables),
        "definition": "mse - mse of persistence; the interval is of the difference, both from the same resamples: "
        "an upper bound below zero says that the forecast is better than persistence",
    }
    return _with_interval(
        "mse_minus_persistence", np.stack(estimates), np.stack(intervals), attributes
    )


def _with_interval(
    name: str, estimates: np.ndarray, intervals: np.ndarray, attributes: dict[str, str]
) -> dict[str, tuple]:
    """Return a variable and its interval from arrays [forecast, lead, variable] and [..., bound]."""
    interval = {
        "long_name": f"95 % interval of the {attributes['long_name']}",
        "units": attributes["units"],
        "definition": f"95 % bootstrap interval of {name} over initial conditions",
    }
    return {
        name: (DIMENSIONS, estimates.swapaxes(1, 2), attributes),
        f"{name}_interval": ((*DIMENSIONS, "bound"), intervals.swapaxes(1, 2), interval),
    }


def _units(units: object) -> str:
    """Return the units of all variables in order; one where all are equal."""
    each = [str(unit) for unit in units]  # type: ignore[attr-defined]
    return each[0] if len(set(each)) == 1 else "; ".join(each)
