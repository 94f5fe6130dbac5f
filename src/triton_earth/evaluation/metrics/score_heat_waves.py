"""Scores: whether marine heat waves are forecast, by lead time."""

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.evaluation.metrics.heat_wave_errors import NAMES
from triton_earth.evaluation.metrics.heat_waves import HeatWaveRecords
from triton_earth.evaluation.resampling import Resampling

_DEFINITIONS = {
    "heat_wave_hit_rate": (
        "hit rate of heat waves",
        "part of the area-weighted heat-wave days of the truth that the forecast has too",
    ),
    "heat_wave_false_alarm_ratio": (
        "false alarm ratio of heat waves",
        "part of the area-weighted heat-wave days of the forecast that the truth does not have",
    ),
    "heat_wave_iou": (
        "intersection over union of heat waves",
        "area-weighted heat-wave days that forecast and truth share, divided by those that either has",
    ),
}


def score_heat_waves(
    records: HeatWaveRecords, resampling: Resampling, units: str, baseline: str
) -> xr.Dataset:
    """Score the marine heat waves of forecasts and references against those of the truth.

    Thresholds are those of the baseline period (Hobday et al. 2016).

    Args:
        records: What was kept of them.
        resampling: Bootstrap of the initial conditions.
        units: Units of the temperature.
        baseline: The baseline period in a sentence.

    Returns:
        `heat_wave_hit_rate`, `heat_wave_false_alarm_ratio`, `heat_wave_iou` (forecast, lead_time), each with
        NAME_interval (…, bound); `heat_wave_area` (source, lead_time), the part of the area under a heat wave; and
        `heat_wave_onset_error`, `heat_wave_duration_error`, `heat_wave_intensity_error` (forecast), with intervals.
    """
    area = records.area
    true = resampling.means(area[-1])
    data: dict[str, tuple] = {}
    estimates: dict[str, list[np.ndarray]] = {name: [] for name in _DEFINITIONS}
    for own_area, own_hits in zip(area, records.hits, strict=False):
        own, shared = resampling.means(own_area), resampling.means(own_hits)
        with np.errstate(invalid="ignore", divide="ignore"):
            estimates["heat_wave_hit_rate"].append(shared / true)
            estimates["heat_wave_false_alarm_ratio"].append(1 - shared / own)
            estimates["heat_wave_iou"].append(shared / (own + true - shared))
    for name, (long_name, definition) in _DEFINITIONS.items():
        words = f"{definition}; over all initial conditions, missing where there are none"
        attributes = {"long_name": long_name, "units": "1", "definition": words}
        data[name] = (
            ("forecast", "lead_time"),
            np.stack([sample[0] for sample in estimates[name]]),
            attributes,
        )
        data[f"{name}_interval"] = (
            ("forecast", "lead_time", "bound"),
            np.stack([resampling.interval(sample) for sample in estimates[name]]),
            {**attributes, "long_name": f"95 % interval of the {long_name}"},
        )
    data["heat_wave_area"] = (
        ("source", "lead_time"),
        np.stack([resampling.means(one)[0] for one in area]),
        {
            "long_name": "area under heat waves",
            "units": "1",
            "definition": "part of the valid area that is in a marine heat wave (Hobday et al. 2016; days above the "
            f"90th percentile for 5 days or more, gaps of up to 2 days joined). {baseline}",
        },
    )
    return xr.Dataset({**data, **_errors(records.shared, records.errors, resampling, units)})


def _errors(
    shared: Float64[np.ndarray, "forecast init"],
    errors: Float64[np.ndarray, "forecast init name"],
    resampling: Resampling,
    units: str,
) -> dict[str, tuple]:
    weights = resampling.weights_and_plain
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = np.einsum("si,fin->sfn", weights, errors) / (weights @ shared.T)[..., None]
    bounds = resampling.joined_interval(samples)
    words = {
        "onset": ("day", "first heat-wave day within the forecast"),
        "duration": ("day", "number of heat-wave days within the forecast"),
        "intensity": (units, "largest departure from the seasonal climatology on heat-wave days"),
    }
    data: dict[str, tuple] = {}
    for position, name in enumerate(NAMES):
        unit, what = words[name]
        attributes = {
            "long_name": f"error of the {name} of heat waves",
            "units": unit,
            "definition": f"forecast minus truth of the {what}; area-weighted mean over cells in which both have one",
        }
        data[f"heat_wave_{name}_error"] = ("forecast", samples[0, :, position], attributes)
        data[f"heat_wave_{name}_error_interval"] = (
            ("forecast", "bound"),
            bounds[:, position],
            {**attributes, "long_name": f"95 % interval of the {attributes['long_name']}"},
        )
    return data
