"""Scores: whether mesoscale eddies are forecast, by lead time."""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.progress import progress
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.baselines import Baselines
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.sea_level_eddies import (
    MATCH,
    SeaLevelEddy,
    detect_sea_level_eddies,
    geostrophic_velocity,
    match_eddies,
    survivors,
)

COUNTS = ("found", "true", "hits", "distance", "amplitude", "radius", "alive", "begun")
"""What is added over eddies: of a pair, distance of centres and ratios to the truth."""

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


def require_sea_level(forecast: Forecasts, variable: str) -> LatLonGrid:
    """Return the grid of a sea level, and refuse what eddies cannot be found in; no field is read.

    Args:
        forecast: Stored forecasts.
        variable: Name of the sea level, in m.

    Raises:
        UserError: if the variable is not there or not in metres, or the grid has no latitudes.
    """
    if variable not in forecast.variables:
        raise UserError(
            f"--eddies {variable}: the forecast has no such variable; it has {forecast.variables.names}. "
            "Name the sea surface height."
        )
    (sea_level,) = forecast.variables.select([variable])
    grid = forecast.grid
    if not isinstance(grid, LatLonGrid):
        raise UserError(
            f"--eddies {variable}: eddies need a latitude-longitude grid; found {grid}. Leave it out."
        )
    if sea_level.units != "m":
        raise UserError(
            f"--eddies {variable}: expected a sea level in m, found units '{sea_level.units}'. Name the sea surface "
            "height."
        )
    return grid


def score_eddies(
    forecast: Forecasts,
    truth: Truth,
    alignment: Alignment,
    baselines: Baselines,
    resampling: Resampling,
    variable: str,
    *,
    region: Place | None = None,
    weights_name: WeightsName = "cell_area",
) -> xr.Dataset:
    """Score the eddies of forecasts and references against those of the truth.

    In a region they are found in the whole map, and those count whose centre lies inside.

    Args:
        forecast: Stored forecasts.
        truth: The truth.
        alignment: Which belong together.
        baselines: The reference forecasts.
        resampling: Bootstrap of the initial conditions.
        variable: Name of the sea level, in m.
        region: Where the centres lie and the kinetic energy is taken; None: everywhere.
        weights_name: Which cell weights the kinetic energy has.

    Returns:
        `eddy_hit_rate`, `eddy_false_alarm_ratio`, `eddy_centre_distance`, `eddy_amplitude_ratio`, `eddy_radius_ratio`
        (forecast, lead_time), each with NAME_interval (…, bound); `eddy_count`, `eddy_survival` and
        `eddy_kinetic_energy` (source, lead_time).

    Raises:
        UserError: if the variable is not there or not in metres, or the grid has no latitudes.
    """
    (channel,) = forecast.variables.indices([variable])
    grid = require_sea_level(forecast, variable)
    reader = TruthReader(forecast, truth, alignment)
    valid = None if reader.valid_mask is None else reader.valid_mask[channel]
    inside = np.ones(grid.shape, bool) if region is None else region.cells(grid)
    weights = cell_weights(grid, weights_name) * inside
    inits, leads = alignment.available.shape
    sources = 2 + len(baselines.references)
    sums = np.zeros((len(COUNTS), sources, inits, leads))
    energy = np.full((sources, inits, leads), np.nan)
    # Of forecasts that overlap the truth's maps are the same.
    known: dict[tuple[int, int], list[SeaLevelEddy]] = {}
    with progress("eddies", inits) as advance:
        for init in range(inits):
            there = np.flatnonzero(alignment.available[init]).tolist()
            if not there:
                continue
            initial = reader.read(init, np.zeros(1, np.int64))
            started = np.asarray(forecast.init_times)[init : init + 1]
            trajectory = int(np.asarray(forecast.trajectories)[init])
            first = _known(
                known, trajectory, int(alignment.starts[init]), initial[0, channel], grid, valid
            )
            begun = [place for place, eddy in enumerate(first) if _is_inside(eddy, grid, inside)]
            before, alive = [first] * sources, [begun] * sources
            for lead in there:
                number, step = int(alignment.numbers[lead]), int(alignment.leads[lead])
                fields = [forecast.read(slice(init, init + 1), step)[0, channel]]
                fields += [
                    reference.at(initial, started, number)[0, channel]
                    for reference in baselines.references
                ]
                each = [
                    first
                    if np.array_equal(field, initial[0, channel], equal_nan=True)
                    else _eddies(field, grid, valid)
                    for field in fields
                ]
                fields.append(reader.read(init, alignment.offsets[lead : lead + 1])[0, channel])
                time = int(alignment.starts[init] + alignment.offsets[lead])
                each.append(_known(known, trajectory, time, fields[-1], grid, valid))
                true = [eddy for eddy in each[-1] if _is_inside(eddy, grid, inside)]
                for source, eddies in enumerate(each):
                    at = (source, init, lead)
                    pairs, _ = match_eddies(before[source], eddies)
                    alive[source] = list(survivors(alive[source], pairs).values())
                    before[source] = eddies
                    energy[at] = _kinetic_energy(fields[source], grid, valid, weights)
                    own = [eddy for eddy in eddies if _is_inside(eddy, grid, inside)]
                    sums[(slice(None), *at)] = [
                        *_compare(own, true),
                        len(alive[source]),
                        len(begun),
                    ]
            advance()
    return _dataset(sums, energy, resampling)


def _known(
    known: dict[tuple[int, int], list[SeaLevelEddy]],
    trajectory: int,
    time: int,
    field: Float[np.ndarray, "y x"],
    grid: LatLonGrid,
    valid: np.ndarray | None,
) -> list[SeaLevelEddy]:
    """Return the eddies of the truth at one time, found once."""
    if (trajectory, time) not in known:
        known[trajectory, time] = _eddies(field, grid, valid)
    return known[trajectory, time]


def _is_inside(eddy: SeaLevelEddy, grid: LatLonGrid, inside: np.ndarray) -> bool:
    row, column = np.searchsorted(grid.y, eddy.latitude), np.searchsorted(grid.x, eddy.longitude)
    return bool(inside[row, column])


def _eddies(
    field: Float[np.ndarray, "y x"], grid: LatLonGrid, valid: np.ndarray | None
) -> list[SeaLevelEddy]:
    defined = field if valid is None else np.where(valid, field, np.nan)
    if not np.isfinite(field if valid is None else field[valid]).all():
        return []
    return detect_sea_level_eddies(defined, grid)


def _compare(eddies: list[SeaLevelEddy], true: list[SeaLevelEddy]) -> list[float]:
    pairs, distances = match_eddies(eddies, true)
    matched = [(eddies[one], true[other]) for one, other in pairs.tolist()]
    return [
        float(len(eddies)),
        float(len(true)),
        float(len(matched)),
        float(distances.sum()),
        float(sum(one.amplitude / other.amplitude for one, other in matched)),
        float(sum(one.radius / other.radius for one, other in matched)),
    ]


def _kinetic_energy(
    field: Float[np.ndarray, "y x"],
    grid: LatLonGrid,
    valid: np.ndarray | None,
    cells: Float64[np.ndarray, "y x"],
) -> float:
    u, v = geostrophic_velocity(field if valid is None else np.where(valid, field, np.nan), grid)
    squares = 0.5 * (u**2 + v**2)
    known = np.isfinite(squares) & (cells > 0)
    weights = cells[known]
    return float((squares[known] * weights).sum() / weights.sum()) if known.any() else np.nan


def _dataset(sums: np.ndarray, energy: np.ndarray, resampling: Resampling) -> xr.Dataset:
    added: dict[str, list[np.ndarray]] = {name: [] for name in _SCORES}
    counts, survival = [], []
    for source in range(sums.shape[1]):
        mean = dict(zip(COUNTS, (resampling.means(one) for one in sums[:, source]), strict=True))
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
            np.stack([resampling.means(one)[0] for one in energy]),
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
