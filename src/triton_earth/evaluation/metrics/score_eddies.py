"""Scores: whether mesoscale eddies are forecast, by lead time."""

from typing import Any

import numpy as np
import xarray as xr

from triton_earth.evaluation.metrics.eddies import COUNTS, EddyRecords
from triton_earth.evaluation.metrics.sea_level_eddies import MATCH
from triton_earth.evaluation.resampling import Resampling

_PAIRS = f"an eddy is hit when one of the same sense has its centre within {MATCH / 1e3:g} km, nearest pairs first"
_SCORES = {
    "eddy_hit_rate": (
        "hit rate of eddies",
        "1",
        f"part of the truth's eddies that are hit; {_PAIRS}",
    ),
    "eddy_false_alarm_ratio": (
        "false alarm ratio of eddies",
        "1",
        f"part of the forecast's eddies that hit none of the truth; {_PAIRS}",
    ),
    "eddy_centre_distance": (
        "distance of eddy centres",
        "m",
        "distance between the centres of an eddy and its hit, mean over all hits",
    ),
    "eddy_amplitude_ratio": (
        "ratio of eddy amplitudes",
        "1",
        "amplitude of the forecast's eddy divided by that of the eddy it hits, mean over all hits",
    ),
    "eddy_radius_ratio": (
        "ratio of eddy radii",
        "1",
        "radius of the forecast's eddy divided by that of the eddy it hits, mean over all hits",
    ),
}


def score_eddies(records: EddyRecords, resampling: Resampling) -> xr.Dataset:
    """Score the eddies of forecasts and references against those of the truth.

    Args:
        records: What was kept of them.
        resampling: Bootstrap of the initial conditions.

    Returns:
        `eddy_hit_rate`, `eddy_false_alarm_ratio`, `eddy_centre_distance`, `eddy_amplitude_ratio`, `eddy_radius_ratio`
        (forecast, lead_time), each with NAME_interval (…, bound); `eddy_count`, `eddy_survival` and
        `eddy_kinetic_energy` (source, lead_time).
    """
    added: dict[str, list[np.ndarray]] = {name: [] for name in _SCORES}
    counts, survival = [], []
    for source in range(len(records.energy)):
        mean = dict(
            zip(COUNTS, (resampling.means(one) for one in records.sums[:, source]), strict=True)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            counts.append(mean["found"][0])
            survival.append((mean["alive"] / mean["begun"])[0])
            added["eddy_hit_rate"].append(mean["hits"] / mean["true"])
            added["eddy_false_alarm_ratio"].append(1 - mean["hits"] / mean["found"])
            added["eddy_centre_distance"].append(mean["distance"] / mean["hits"])
            added["eddy_amplitude_ratio"].append(mean["amplitude"] / mean["hits"])
            added["eddy_radius_ratio"].append(mean["radius"] / mean["hits"])
    data: dict[str, Any] = {}
    for name, (long_name, units, definition) in _SCORES.items():
        samples = added[name][:-1]
        words = f"{definition}; over all initial conditions, missing where there are none"
        attributes = {"long_name": long_name, "units": units, "definition": words}
        data[name] = (("forecast", "lead_time"), np.stack([one[0] for one in samples]), attributes)
        data[f"{name}_interval"] = (
            ("forecast", "lead_time", "bound"),
            np.stack([resampling.interval(one) for one in samples]),
            {**attributes, "long_name": f"95 % interval of the {long_name}"},
        )
    by_source = {
        "eddy_count": (
            np.stack(counts),
            "number of eddies",
            "1",
            "eddies of a map (Okubo-Weiss cores of the geostrophic velocity that hold an extreme of sea level), "
            "averaged over initial conditions",
        ),
        "eddy_survival": (
            np.stack(survival),
            "part of the initial eddies still tracked",
            "1",
            f"part of the eddies of the initial state that are found, within {MATCH / 1e3:g} km from stored lead "
            "to stored lead, at every one so far: their lifetime",
        ),
        "eddy_kinetic_energy": (
            np.stack([resampling.means(one)[0] for one in records.energy]),
            "geostrophic kinetic energy",
            "m2 s-2",
            "half the weighted mean square geostrophic velocity of the sea level, where it is defined (not within "
            "5 degrees of the equator or next to land), averaged over initial conditions",
        ),
    }
    for name, (values, long_name, units, definition) in by_source.items():
        attributes = {"long_name": long_name, "units": units, "definition": definition}
        data[name] = (("source", "lead_time"), values, attributes)
    return xr.Dataset(data)
