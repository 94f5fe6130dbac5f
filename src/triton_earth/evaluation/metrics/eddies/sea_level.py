"""Eddies in maps of sea level: centre, amplitude, radius; which eddies of two maps belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.metrics.eddies.detection import detect_eddies
from triton_earth.physics.sphere import (
    EARTH_RADIUS,
    geostrophic_eastward,
    geostrophic_northward,
)

MATCH = 100e3
"""Distance in m within which two eddies of the same sense may be one."""


@dataclass(frozen=True)
class SeaLevelEddy:
    """One eddy of a map of sea level.

    Attributes:
        latitude: Latitude of its centre in degrees north: where the sea level is highest or lowest in its core.
        longitude: Longitude of its centre in degrees east.
        amplitude: Sea level at the centre minus its mean along the rim of the core, in m; > 0 anticyclonic.
        radius: Radius in m of the circle with the area of the core.
    """

    latitude: float
    longitude: float
    amplitude: float
    radius: float


def geostrophic_velocity(
    height: Float[np.ndarray, "*batch y x"], grid: LatLonGrid
) -> tuple[Float64[np.ndarray, "*batch y x"], Float64[np.ndarray, "*batch y x"]]:
    """Return the geostrophic velocity (u, v) in m/s of a sea level in m; NaN near the equator."""
    eta = height.astype(np.float64)
    u = geostrophic_eastward(eta, grid.y)
    v = geostrophic_northward(eta, grid.y, grid.x, periodic=grid.is_global_in_longitude)
    return u, v


def detect_sea_level_eddies(
    height: Float[np.ndarray, "y x"], grid: LatLonGrid, fewest_cells: int = 8
) -> list[SeaLevelEddy]:
    """Return the eddies of a map of sea level, those of the largest amplitude first.

    Eddies are cores of the geostrophic velocity, W < −0.2 σ_W (see `detect_eddies`), that hold their own
    extreme of sea level: a core whose highest (anticyclone) or lowest (cyclone) cell lies on its rim is none.

    Args:
        height: η in m; NaN over land.
        grid: The grid.
        fewest_cells: Cells that a core must have.
    """
    radians = np.deg2rad(grid.y)
    dy = EARTH_RADIUS * float(np.median(np.diff(radians)))
    step = np.deg2rad(float(np.median(np.diff(grid.x))))
    u, v = geostrophic_velocity(height, grid)
    dx, periodic = EARTH_RADIUS * np.cos(radians) * step, grid.is_global_in_longitude
    found = []
    for core in detect_eddies(u, v, dy, dx, fewest_cells, periodic=periodic):
        rim = _rim(core.rows, core.columns)
        rows, columns = core.rows, core.columns % len(grid.x)
        values = height[rows, columns].astype(np.float64)
        sense = -np.sign(core.vorticity * np.mean(radians[rows]))  # +1: anticyclone
        centre = int(np.argmax(sense * values))
        if rim[centre]:
            continue
        found.append(
            SeaLevelEddy(
                float(grid.y[rows[centre]]),
                float(grid.x[columns[centre]]),
                float(values[centre] - values[rim].mean()),
                core.radius,
            )
        )
    return sorted(found, key=lambda eddy: -abs(eddy.amplitude))


def _rim(
    rows: Int[np.ndarray, " cell"], columns: Int[np.ndarray, " cell"]
) -> Bool[np.ndarray, " cell"]:
    """Return which cells of a core have a neighbour by a side that does not belong to it."""
    row, column = rows - rows.min() + 1, columns - columns.min() + 1
    inside = np.zeros((row.max() + 2, column.max() + 2), bool)
    inside[row, column] = True
    neighbours = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return ~neighbours[row - 1, column - 1]


def match_eddies(
    ones: Sequence[SeaLevelEddy], others: Sequence[SeaLevelEddy], within: float = MATCH
) -> tuple[Int[np.ndarray, "pair 2"], Float64[np.ndarray, " pair"]]:
    """Pair eddies of the same sense, the nearest first, each at most once.

    Args:
        ones: Eddies of one map.
        others: Eddies of another.
        within: Largest distance of the centres in m.

    Returns:
        Positions in `ones` and `others` of each pair, and the distance of their centres in m.
    """
    distance = _distances(ones, others)
    pairs, distances = [], []
    while distance.size and distance.min() <= within:
        row, column = (int(index) for index in np.unravel_index(distance.argmin(), distance.shape))
        pairs.append((row, column))
        distances.append(float(distance[row, column]))
        distance[row], distance[:, column] = np.inf, np.inf
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(distances)


def survivors(before: Sequence[int], pairs: Int[np.ndarray, "pair 2"]) -> dict[int, int]:
    """Return where tracked eddies are in the next map; those without a pair have ended.

    Args:
        before: Positions of the tracked eddies in the map before.
        pairs: Pairs of `match_eddies` of that map and the next.

    Returns:
        Position in the next map of each that goes on.
    """
    onwards = dict(pairs.tolist())
    return {position: onwards[position] for position in before if position in onwards}


def _distances(
    ones: Sequence[SeaLevelEddy], others: Sequence[SeaLevelEddy]
) -> Float64[np.ndarray, "one other"]:
    """Return the great-circle distances of the centres in m; ∞ between eddies of opposite sense."""
    (phi, theta, sense), (phi_2, theta_2, sense_2) = (_columns(eddies) for eddies in (ones, others))
    half = 0.5 * (phi_2 - phi[:, None]), 0.5 * (theta_2 - theta[:, None])
    haversine = np.sin(half[0]) ** 2 + np.cos(phi[:, None]) * np.cos(phi_2) * np.sin(half[1]) ** 2
    distance = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(haversine))
    return np.where(sense[:, None] * sense_2 > 0, distance, np.inf)


def _columns(eddies: Sequence[SeaLevelEddy]) -> Float64[np.ndarray, "3 eddy"]:
    """Return latitudes and longitudes in radians, and amplitudes."""
    found = np.array([(one.latitude, one.longitude, one.amplitude) for one in eddies], np.float64)
    found = found.reshape(-1, 3).T
    return np.stack([np.deg2rad(found[0]), np.deg2rad(found[1]), found[2]])
