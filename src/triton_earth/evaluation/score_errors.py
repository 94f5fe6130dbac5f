"""Scores: error metrics per forecast, variable and lead time."""

import re

import numpy as np
import xarray as xr

from triton_earth.core.variables import Variables
from triton_earth.evaluation.metrics import METRICS, mean_square_error
from triton_earth.evaluation.records import Records
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.similarity import peak_signal_to_noise

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
    for metric in METRICS.values():
        estimates, intervals = [], []
        for source in records.forecasts:
            sums = records.anomalies(source) if metric.anomalies else records.errors(source)
            if sums is None:
                break
            samples = resampling.means(metric.of_one(sums), metric.finish)
            estimates.append(samples[0])
            intervals.append(resampling.interval(samples))
        if not estimates:
            continue
        attributes = {
            "long_name": metric.long_name,
            "units": _units(metric.units(variable.units) for variable in variables),
            "definition": metric.definition,
        }
        data |= _with_interval(metric.name, np.stack(estimates), np.stack(intervals), attributes)
    data |= _likeness(records, resampling)
    for source in records.rivals:
        data |= _difference(records, source, names[source], variables, resampling)
    return xr.Dataset(data)


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
        samples = [resampling.means(value) for value in values]
        data |= _with_interval(
            name,
            np.stack([sample[0] for sample in samples]),
            np.stack([resampling.interval(sample) for sample in samples]),
            LIKENESS[name],
        )
    return data


def _difference(
    records: Records, baseline: int, name: str, variables: Variables, resampling: Resampling
) -> dict[str, tuple]:
    """Return mse minus the mse of a baseline; the interval is of the difference over the same resamples."""
    errors = [mean_square_error(records.errors(source)) for source in records.forecasts]
    least = resampling.means(errors[baseline])
    estimates, intervals = [], []
    for error in errors:
        with np.errstate(invalid="ignore"):
            difference = resampling.means(error) - least
        estimates.append(difference[0])
        intervals.append(resampling.interval(difference))
    attributes = {
        "long_name": f"mean square error minus that of {name}",
        "units": _units(METRICS["mse"].units(variable.units) for variable in variables),
        "definition": f"mse - mse of {name}; the interval is of the difference, both from the same resamples: "
        f"an upper bound below zero says that the forecast is better than {name}",
    }
    return _with_interval(
        difference_name(name), np.stack(estimates), np.stack(intervals), attributes
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
