"""Whether forecasts have the mesoscale eddies of the truth, by lead time, and how like them they are."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, Finished
from triton_earth.evaluation.alignment import Forecasts, TruthReader
from triton_earth.evaluation.metrics.eddies.sea_level import (
    MATCH,
    SeaLevelEddy,
    detect_sea_level_eddies,
    geostrophic_velocity,
    match_eddies,
    survivors,
)
from triton_earth.evaluation.results import Results

COUNTS = ("found", "true", "hits", "distance", "amplitude", "radius", "alive", "begun")
"""What is added over eddies: of a pair, distance of centres and ratios to the truth."""

_PAIRS = f"an eddy is hit when one of the same sense has its centre within {MATCH / 1e3:g} km, nearest pairs first"
_BY_LEAD = {
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
        "km",
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


@dataclass(frozen=True)
class Eddies(Family):
    """Scores of mesoscale eddies.

    Attributes:
        variable: Name of the sea level, in m.
    """

    variable: str

    def check(self, case: Case) -> list[str]:
        """Refuse variables and grids that eddies cannot be found on."""
        require_sea_level(case.forecast, self.variable)
        return []

    def start(self, case: Case) -> list[Aggregator]:
        """Return the aggregator that finds and follows the eddies."""
        return [EddySums(case, self.variable)]


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


@dataclass
class _Tracks:
    """Eddies of one initial condition that are followed: those of the last map of each source, and which are left."""

    first: list[SeaLevelEddy]
    begun: int
    before: list[list[SeaLevelEddy]]
    alive: list[list[int]]


class EddySums(Aggregator):
    """Finds and follows eddies; of each initial condition it remembers the eddies of the last map, no field.

    In a region they are found in the whole map, and those count whose centre lies inside.

    Attributes:
        sums: What `COUNTS` names, of each map; zero where there is no truth.
        energy: Mean geostrophic kinetic energy; NaN where there is no truth.
    """

    INIT_AXES: ClassVar = {"sums": 2, "energy": 1}

    def __init__(self, case: Case, variable: str) -> None:
        """Begin without maps.

        Args:
            case: The case.
            variable: Name of the sea level, in m.
        """
        self._grid = require_sea_level(case.forecast, variable)
        (self._channel,) = case.variables.indices([variable])
        self._trajectories = np.asarray(case.forecast.trajectories)
        self._alignment = case.alignment
        self._reader = TruthReader(
            case.truth, case.alignment, case.variables.names, self._trajectories, case.defined
        )
        self._valid = None if case.defined is None else case.defined[self._channel]
        everywhere = np.ones(self._grid.shape, bool)
        self._inside = everywhere if case.region is None else case.region.cells(self._grid)
        self._weights = case.weights * self._inside
        self._tracks: dict[int, _Tracks] = {}
        # Of forecasts that overlap the truth's maps are the same.
        self._known: dict[tuple[int, int], list[SeaLevelEddy]] = {}
        shape = (case.sources, *case.shape)
        self.sums: Float64[np.ndarray, "count source init lead"] = np.zeros((len(COUNTS), *shape))
        self.energy: Float64[np.ndarray, "source init lead"] = np.full(shape, np.nan)

    def add(self, batch: Batch) -> None:
        """Find the eddies of some initial conditions at one lead.

        Raises:
            UserError: if the truth is not finite in a valid cell, outside a region too.
        """
        channel, offset = self._channel, int(self._alignment.offsets[batch.lead])
        for place, row in enumerate(batch.rows.tolist()):
            self._reader.require_finite(batch.truth[place][None], row, np.array([offset]))
            initial = batch.initial[place, channel]
            if row not in self._tracks:
                self._tracks[row] = self._begin(row, batch.initial[place])
            maps = [field[place, channel] for field in batch.sources]
            first = self._tracks[row].first
            each = [
                first if np.array_equal(field, initial, equal_nan=True) else self._eddies(field)
                for field in maps[:-1]
            ]
            each.append(self._true(row, offset, maps[-1]))
            self._put(row, batch.lead, maps, each)

    def _begin(self, row: int, initial: Float[np.ndarray, "channel y x"]) -> _Tracks:
        self._reader.require_finite(initial[None], row, np.zeros(1, np.int64))
        first = self._true(row, 0, initial[self._channel])
        begun = [place for place, eddy in enumerate(first) if self._is_inside(eddy)]
        sources = len(self.energy)
        return _Tracks(first, len(begun), [first] * sources, [begun] * sources)

    def _put(
        self,
        row: int,
        lead: int,
        maps: list[Float[np.ndarray, "y x"]],
        each: list[list[SeaLevelEddy]],
    ) -> None:
        tracks = self._tracks[row]
        true = [eddy for eddy in each[-1] if self._is_inside(eddy)]
        for source, eddies in enumerate(each):
            at = (source, row, lead)
            pairs, _ = match_eddies(tracks.before[source], eddies)
            tracks.alive[source] = list(survivors(tracks.alive[source], pairs).values())
            tracks.before[source] = eddies
            self.energy[at] = self._kinetic_energy(maps[source])
            own = [eddy for eddy in eddies if self._is_inside(eddy)]
            alive = len(tracks.alive[source])
            self.sums[(slice(None), *at)] = [*_compare(own, true), alive, tracks.begun]

    def _true(self, row: int, offset: int, field: Float[np.ndarray, "y x"]) -> list[SeaLevelEddy]:
        """Return the eddies of the truth some steps after an initial time, found once."""
        time = (int(self._trajectories[row]), int(self._alignment.starts[row]) + offset)
        if time not in self._known:
            self._known[time] = self._eddies(field)
        return self._known[time]

    def _is_inside(self, eddy: SeaLevelEddy) -> bool:
        row = np.searchsorted(self._grid.y, eddy.latitude)
        return bool(self._inside[row, np.searchsorted(self._grid.x, eddy.longitude)])

    def _eddies(self, field: Float[np.ndarray, "y x"]) -> list[SeaLevelEddy]:
        valid = self._valid
        if not np.isfinite(field if valid is None else field[valid]).all():
            return []
        return detect_sea_level_eddies(self._defined(field), self._grid)

    def _defined(self, field: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y x"]:
        return field if self._valid is None else np.where(self._valid, field, np.nan)

    def _kinetic_energy(self, field: Float[np.ndarray, "y x"]) -> float:
        u, v = geostrophic_velocity(self._defined(field), self._grid)
        squares = 0.5 * (u**2 + v**2)
        known = np.isfinite(squares) & (self._weights > 0)
        weights = self._weights[known]
        return float((squares[known] * weights).sum() / weights.sum()) if known.any() else np.nan

    def scores(self, finished: Finished) -> xr.Dataset:
        """Score the eddies of forecasts and baselines against those of the truth.

        Returns:
            `eddy_hit_rate`, `eddy_false_alarm_ratio`, `eddy_centre_distance`, `eddy_amplitude_ratio`,
            `eddy_radius_ratio` (forecast, lead_time), each with NAME_interval (…, bound); `eddy_count`, `eddy_survival`
            and `eddy_kinetic_energy` (source, lead_time).
        """
        results, bootstrap = Results(finished.bootstrap), finished.bootstrap
        samples: dict[str, list[np.ndarray]] = {name: [] for name in _BY_LEAD}
        counts, survival = [], []
        for sums in self.sums.swapaxes(0, 1):
            mean = dict(zip(COUNTS, (bootstrap.means(one) for one in sums), strict=True))
            with np.errstate(invalid="ignore", divide="ignore"):
                counts.append(mean["found"][0])
                survival.append((mean["alive"] / mean["begun"])[0])
                samples["eddy_hit_rate"].append(mean["hits"] / mean["true"])
                samples["eddy_false_alarm_ratio"].append(1 - mean["hits"] / mean["found"])
                samples["eddy_centre_distance"].append(mean["distance"] / mean["hits"] / 1e3)
                samples["eddy_amplitude_ratio"].append(mean["amplitude"] / mean["hits"])
                samples["eddy_radius_ratio"].append(mean["radius"] / mean["hits"])
        for name, (long_name, units, definition) in _BY_LEAD.items():
            results.add(
                name,
                ("forecast", "lead_time"),
                samples[name][:-1],
                long_name=long_name,
                units=units,
                definition=f"{definition}; over all initial conditions, missing where there are no such eddies",
            )
        results.add_plain(
            "eddy_count",
            ("source", "lead_time"),
            np.stack(counts),
            long_name="number of eddies",
            units="1",
            definition="eddies of a map (Okubo-Weiss cores of the geostrophic velocity that hold an extreme of sea "
            "level), averaged over initial conditions",
        )
        results.add_plain(
            "eddy_survival",
            ("source", "lead_time"),
            np.stack(survival),
            long_name="part of the initial eddies still tracked",
            units="1",
            definition="part of the eddies of the initial state that are found again at every stored lead so far, "
            f"within {MATCH / 1e3:g} km of their place at the lead before: their lifetime",
        )
        results.add_plain(
            "eddy_kinetic_energy",
            ("source", "lead_time"),
            np.stack([bootstrap.means(one)[0] for one in self.energy]),
            long_name="geostrophic kinetic energy",
            units="m2 s-2",
            definition="half the weighted mean square geostrophic velocity of the sea level, where it is defined (not "
            "within 5 degrees of the equator or next to land), averaged over initial conditions",
        )
        return results.dataset()


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
