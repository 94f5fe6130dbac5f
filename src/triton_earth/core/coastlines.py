"""Coastlines without internet: Natural Earth 1:110 million, public domain, in `coastlines.npz` beside this file."""

import functools
import importlib.resources

import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.core.grid import LatLonGrid

Line = Float64[np.ndarray, "point 2"]

_DATE_LINE = 180.0
_BEYOND_THE_POLE = -91.0


@functools.cache
def coastlines() -> list[Line]:
    """Return all coastlines, each as (longitude, latitude) in degrees, longitude from −180 to 180.

    Source: Natural Earth, `ne_110m_coastline`, without the lower border of Antarctica at the southern edge of the map.
    """
    file = importlib.resources.files("triton_earth.core") / "coastlines.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        points = stored["points"].astype(np.float64)
        ends = np.cumsum(stored["lengths"])[:-1]
    return np.split(points, ends)


def land_cells(grid: LatLonGrid) -> Bool[np.ndarray, "y x"]:
    """Return which cells have their centre on land: within an odd number of coastlines.

    The Caspian Sea, a coastline within that of Eurasia, is sea; other lakes are land, as are shelves of ice.

    Args:
        grid: Cells in any longitudes.
    """
    rings = [_closed(line) for line in coastlines()]
    starts = np.concatenate([ring[:-1] for ring in rings])
    ends = np.concatenate([ring[1:] for ring in rings])
    longitude = (grid.x + _DATE_LINE) % 360 - _DATE_LINE
    land = np.empty(grid.shape, dtype=bool)
    for row, latitude in enumerate(grid.y):
        # A corner on the parallel belongs to the side above it, so that every ring is crossed an even number of times.
        meets = (starts[:, 1] <= latitude) != (ends[:, 1] <= latitude)
        (x0, y0), (x1, y1) = starts[meets].T, ends[meets].T
        crossings = np.sort(x0 + (latitude - y0) / (y1 - y0) * (x1 - x0))
        land[row] = np.searchsorted(crossings, longitude, side="right") % 2 == 1
    return land


def _closed(line: Line) -> Float64[np.ndarray, "ring 2"]:
    """Return a coastline whose last point is its first; those cut at the date line are closed along it.

    That of Antarctica, which reaches around the globe, is closed along the pole.
    """
    first, last = line[0], line[-1]
    if np.allclose(first, last):
        return line
    ends = np.stack([last, first])
    ends[:, 0] = np.copysign(_DATE_LINE, ends[:, 0])
    if ends[0, 0] != ends[1, 0]:
        pole = np.stack([ends[:, 0], np.full(2, _BEYOND_THE_POLE)], axis=1)
        ends = np.stack([ends[0], *pole, ends[1]])
    return np.concatenate([line, ends, line[:1]])
