"""Coastlines on maps in degrees."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from triton_earth.core.coastlines import Line, coastlines
from triton_earth.core.wording import long_name

COAST_COLOUR = "#3b3f46"

_TURN = 360.0

Extent = tuple[float, float, float, float]
"""West, east, south and north border of a map in degrees."""


def coastlines_within(extent: Extent) -> list[Line]:
    """Return the coastlines that meet a map, moved by whole turns to where the map has them.

    Args:
        extent: Borders of the map; longitudes may go beyond 180 or 360 degrees.

    Returns:
        Whole lines, each with a segment whose bounding box meets the map; they may go on outside.
    """
    west, east, south, north = extent
    found = []
    for line in coastlines():
        first = np.ceil((west - line[:, 0].max()) / _TURN)
        last = np.floor((east - line[:, 0].min()) / _TURN)
        for turns in np.arange(first, last + 1):
            moved = line + np.array([turns * _TURN, 0.0])
            low, high = np.minimum(moved[1:], moved[:-1]), np.maximum(moved[1:], moved[:-1])
            if ((low <= [east, north]) & (high >= [west, south])).all(axis=1).any():
                found.append(moved)
    return found


def draw_coastlines(axes: Axes, extent: Extent) -> None:
    """Draw the coastlines of a map in degrees; the limits of the axes stay as they are."""
    _draw_lines(axes, _coast(extent))


@lru_cache(maxsize=16)
def _coast(extent: Extent) -> Path:
    """Return the coastlines of a map as one path."""
    return _as_path(coastlines_within(extent))


def draw_outline(axes: Axes, undefined: Bool[np.ndarray, "y x"], extent: Extent) -> None:
    """Draw the border between cells in which a variable is undefined and others.

    Args:
        axes: The map.
        undefined: The cells, south first.
        extent: Outer borders of the map.
    """
    _draw_lines(axes, _as_path(outline(undefined, extent)))


def _as_path(lines: Sequence[np.ndarray]) -> Path:
    """Return lines as one path, which the renderer rids of points that nobody sees."""
    if not lines:
        return Path(np.empty((0, 2)))
    codes = np.full(sum(map(len, lines)), Path.LINETO, dtype=Path.code_type)
    codes[np.cumsum([0, *map(len, lines[:-1])])] = Path.MOVETO
    return Path(np.concatenate(lines), codes)


def _draw_lines(axes: Axes, path: Path) -> None:
    axes.add_artist(
        PathPatch(
            path,
            fill=False,
            edgecolor=COAST_COLOUR,
            linewidth=0.6,
            joinstyle="round",
            capstyle="butt",
            zorder=2.0,
        )
    )


def outline(undefined: Bool[np.ndarray, "y x"], extent: Extent) -> list[Line]:
    """Return the sides of cells that part undefined cells from others, each as two points (x, y)."""
    west, east, south, north = extent
    rows, columns = undefined.shape
    x = west + (east - west) * np.arange(columns + 1) / columns
    y = south + (north - south) * np.arange(rows + 1) / rows
    upright = np.argwhere(undefined[:, 1:] != undefined[:, :-1])
    level = np.argwhere(undefined[1:] != undefined[:-1])
    return [
        *(np.array([[x[j + 1], y[i]], [x[j + 1], y[i + 1]]]) for i, j in upright),
        *(np.array([[x[j], y[i + 1]], [x[j + 1], y[i + 1]]]) for i, j in level),
    ]


def is_geographic(field: xr.DataArray) -> bool:
    """Return whether the last two dimensions of a field are latitude and longitude."""
    return [long_name(field[axis]) for axis in field.dims[-2:]] == ["latitude", "longitude"]


def extent_of(field: xr.DataArray) -> Extent:
    """Return the outer borders of the cells whose centres are the last two coordinates of a field."""
    (south, north), (west, east) = (
        _ends(field[axis].values.astype(np.float64)) for axis in field.dims[-2:]
    )
    return west, east, south, north


def _ends(centres: Float[np.ndarray, " cell"]) -> tuple[float, float]:
    first, last = float(centres[0]), float(centres[-1])
    half = 0.5 * (last - first) / max(len(centres) - 1, 1) or 0.5
    return first - half, last + half
