"""Scores: whether marine heat waves are forecast, by lead time."""

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float32, Float64

from triton_earth.core.progress import progress
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.alignment import Alignment, Forecasts
from triton_earth.evaluation.baselines import Baselines
from triton_earth.evaluation.heat_wave_baseline import HeatWaveBaseline
from triton_earth.evaluation.heat_wave_errors import NAMES, heat_wave_errors
from triton_earth.evaluation.heat_waves import HeatWaveClimate, detect_events
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights
from triton_earth.evaluation.resampling import Resampling

BEFORE = 30
"""Days of truth before the initial time that an event may have begun in."""

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
    forecast: Forecasts,
    truth: TrainingStore,
    alignment: Alignment,
    baselines: Baselines,
    resampling: Resampling,
    asked: HeatWaveBaseline,
    *,
    region: Place | None = None,
    weights_name: WeightsName = "cell_area",
) -> xr.Dataset:
    """Score the marine heat waves of forecasts and references against those of the truth.

    Thresholds are those of the baseline period (Hobday et al. 2016). The events of a forecast are those of the series
    of the last `BEFORE` days of truth and its own leads; the truth is cut in the same way, so that neither knows how
    an event goes on after the last lead.

    Args:
        forecast: Stored daily forecasts.
        truth: Daily training store.
        alignment: Which belong together.
        baselines: The reference forecasts.
        resampling: Bootstrap of the initial conditions.
        asked: The temperature and its baseline period, as `heat_wave_baseline` gives them.
        region: Where scores are taken; None: everywhere.
        weights_name: Which cell weights.

    Returns:
        `heat_wave_hit_rate`, `heat_wave_false_alarm_ratio`, `heat_wave_iou` (forecast, lead_time), each with
        NAME_interval (…, bound); `heat_wave_area` (source, lead_time), the part of the area under a heat wave; and
        `heat_wave_onset_error`, `heat_wave_duration_error`, `heat_wave_intensity_error` (forecast), with intervals.

    Raises:
        UserError: if the truth is not finite in a valid cell of the region.
    """
    variable = asked.variable
    (channel,) = forecast.variables.indices([variable])
    climate = asked.climate()
    reader = TruthReader(forecast, truth, alignment, region)
    weights = cell_weights(forecast.grid, weights_name)
    if reader.valid_mask is not None:
        weights = weights * reader.valid_mask[channel]
    inits, leads = alignment.available.shape
    sources = 1 + len(baselines.references)
    area = np.zeros((sources + 1, inits, leads))
    hits = np.zeros((sources, inits, leads))
    shared, errors = np.zeros((sources, inits)), np.zeros((sources, inits, len(NAMES)))
    with progress("heat waves", inits) as advance:
        for init in range(inits):
            there = np.flatnonzero(alignment.available[init])
            if not there.size:
                continue
            past, times = _past(truth, forecast, alignment, init, variable)
            initial = reader.read(init, np.zeros(1, np.int64))
            started = np.asarray(forecast.init_times)[init : init + 1]
            valid = started + np.asarray(forecast.lead_times)[alignment.leads[there]]
            all_times = np.concatenate([times, valid])
            true = reader.read(init, alignment.offsets[there])[:, channel]
            mask = _mask(past, true, all_times, climate)
            seasonal, _ = climate.at(valid)
            area[-1, init, there] = _weighted(mask, weights)
            for source in range(sources):
                fields = [
                    forecast.read(slice(init, init + 1), int(alignment.leads[lead]))[0, channel]
                    if source == 0
                    else baselines.references[source - 1].at(
                        initial, started, int(alignment.numbers[lead])
                    )[0, channel]
                    for lead in there
                ]
                found = _mask(past, np.stack(fields), all_times, climate)
                shared[source, init], errors[source, init] = heat_wave_errors(
                    found, mask, np.stack(fields) - seasonal, true - seasonal, weights
                )
                area[source, init, there] = _weighted(found, weights)
                hits[source, init, there] = _weighted(found & mask, weights)
            advance()
    (temperature,) = forecast.variables.select([variable])
    scores = _dataset(area, hits, resampling, asked.remark)
    return scores.assign(_errors(shared, errors, resampling, temperature.units))


def _dataset(
    area: Float64[np.ndarray, "source init lead"],
    hits: Float64[np.ndarray, "forecast init lead"],
    resampling: Resampling,
    baseline: str,
) -> xr.Dataset:
    true = resampling.means(area[-1])
    data: dict[str, tuple] = {}
    estimates: dict[str, list[np.ndarray]] = {name: [] for name in _DEFINITIONS}
    for own_area, own_hits in zip(area, hits, strict=False):
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
    return xr.Dataset(data)


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


def _past(
    truth: TrainingStore, forecast: Forecasts, alignment: Alignment, init: int, variable: str
) -> tuple[Float32[np.ndarray, "time y x"], np.ndarray]:
    """Return the truth of the days up to the initial time, as far as the store has them."""
    (channel,) = truth.variables.indices([variable])
    stop = int(alignment.starts[init]) + 1
    days = slice(max(0, stop - BEFORE), stop)
    trajectory = int(np.asarray(forecast.trajectories)[init])
    return truth.read(trajectory, days)[:, channel], truth.times[days]


def _mask(
    past: np.ndarray, fields: np.ndarray, times: np.ndarray, climate: HeatWaveClimate
) -> Bool[np.ndarray, "lead y x"]:
    """Return where each lead is in an event of the series that the past begins."""
    _, threshold = climate.at(times)
    with np.errstate(invalid="ignore"):
        exceeds = np.concatenate([past, fields]) > threshold
    return detect_events(exceeds)[len(past) :] > 0


def _weighted(mask: np.ndarray, weights: np.ndarray) -> Float64[np.ndarray, " lead"]:
    return np.asarray((mask * weights).sum(axis=(1, 2)) / weights.sum())
