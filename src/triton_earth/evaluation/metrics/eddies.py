"""What is kept of eddies: counts and sums over the eddies of each map, and the kinetic energy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.metrics.sea_level_eddies import (
    SeaLevelEddy,
    detect_sea_level_eddies,
    geostrophic_velocity,
    match_eddies,
    survivors,
)
from triton_earth.evaluation.passing import Passing
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights

COUNTS = ("found", "true", "hits", "distance", "amplitude", "radius", "alive", "begun")
"""What is added over eddies: of a pair, distance of centres and ratios to the truth."""


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


@dataclass(frozen=True)
class EddyRecords:
    """Eddies of every source (forecasts, references, truth).

    Attributes:
        sums: What `COUNTS` names, of each map; zero where there is no truth.
        energy: Mean geostrophic kinetic energy; NaN where there is no truth.
    """

    sums: Float64[np.ndarray, "count source init lead"]
    energy: Float64[np.ndarray, "source init lead"]

    @classmethod
    def empty(cls, *, sources: int, inits: int, leads: int) -> "EddyRecords":
        """Return records to put maps into."""
        shape = (sources, inits, leads)
        return cls(np.zeros((len(COUNTS), *shape)), np.full(shape, np.nan))

    @classmethod
    def join(cls, parts: Sequence["EddyRecords"]) -> "EddyRecords":
        """Return the records of consecutive initial conditions."""
        return cls(
            np.concatenate([part.sums for part in parts], axis=2),
            np.concatenate([part.energy for part in parts], axis=1),
        )


@dataclass
class _Tracks:
    """Eddies of one initial condition that are followed: those of the last map of each source, and which are left."""

    first: list[SeaLevelEddy]
    begun: int
    before: list[list[SeaLevelEddy]]
    alive: list[list[int]]


class EddyRecorder:
    """Finds and follows eddies; of each initial condition it remembers the eddies of the last map, no field.

    In a region they are found in the whole map, and those count whose centre lies inside.

    Attributes:
        records: What it has kept.
    """

    def __init__(
        self,
        forecast: Forecasts,
        truth: Truth,
        alignment: Alignment,
        variable: str,
        *,
        sources: int,
        region: Place | None = None,
        weights_name: WeightsName = "cell_area",
    ) -> None:
        """Say what to keep.

        Args:
            forecast: Stored forecasts.
            truth: The truth.
            alignment: Which belong together.
            variable: Name of the sea level, in m.
            sources: Number of forecasts, references and truth.
            region: Where the centres lie and the kinetic energy is taken; None: everywhere.
            weights_name: Which cell weights the kinetic energy has.

        Raises:
            UserError: if the variable is not there or not in metres, or the grid has no latitudes.
        """
        self._grid = require_sea_level(forecast, variable)
        (self._channel,) = forecast.variables.indices([variable])
        self._reader = TruthReader(forecast, truth, alignment)
        mask = self._reader.valid_mask
        self._valid = None if mask is None else mask[self._channel]
        self._inside = (
            np.ones(self._grid.shape, bool) if region is None else region.cells(self._grid)
        )
        self._weights = cell_weights(self._grid, weights_name) * self._inside
        self._trajectories = np.asarray(forecast.trajectories)
        self._alignment = alignment
        inits, leads = alignment.available.shape
        self.records = EddyRecords.empty(sources=sources, inits=inits, leads=leads)
        self._tracks: dict[int, _Tracks] = {}
        # Of forecasts that overlap the truth's maps are the same.
        self._known: dict[tuple[int, int], list[SeaLevelEddy]] = {}

    def put(self, passing: Passing) -> None:
        """Keep what the eddies of some initial conditions are at one lead.

        Raises:
            UserError: if the truth is not finite in a valid cell, outside a region too.
        """
        channel = self._channel
        offset = int(self._alignment.offsets[passing.lead])
        for place, row in enumerate(passing.rows.tolist()):
            self._reader.require_finite(passing.truth[place][None], row, np.array([offset]))
            initial = passing.initial[place, channel]
            if row not in self._tracks:
                self._tracks[row] = self._begin(row, passing.initial[place])
            maps = [field[place, channel] for field in (*passing.fields, passing.truth)]
            first = self._tracks[row].first
            each = [
                first if np.array_equal(field, initial, equal_nan=True) else self._eddies(field)
                for field in maps[:-1]
            ]
            each.append(self._true(row, offset, maps[-1]))
            self._put(row, passing.lead, maps, each)

    def _begin(self, row: int, initial: Float[np.ndarray, "channel y x"]) -> _Tracks:
        self._reader.require_finite(initial[None], row, np.zeros(1, np.int64))
        first = self._true(row, 0, initial[self._channel])
        begun = [place for place, eddy in enumerate(first) if self._is_inside(eddy)]
        sources = len(self.records.energy)
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
            self.records.energy[at] = self._kinetic_energy(maps[source])
            own = [eddy for eddy in eddies if self._is_inside(eddy)]
            alive = len(tracks.alive[source])
            self.records.sums[(slice(None), *at)] = [*_compare(own, true), alive, tracks.begun]

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
