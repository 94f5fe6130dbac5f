"""One map on an axis: a field in its colours, land shaded, coastlines, degrees along the outer borders."""

import numpy as np
import xarray as xr
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from triton_earth.core.wording import axis_title, long_name, shortened
from triton_earth.plots.coastlines import draw_coastlines, draw_outline, extent_of, is_geographic
from triton_earth.plots.colour_range import ColourRange
from triton_earth.plots.style import UNDEFINED_COLOUR

_WIDEST_STRETCH = 2.5
_KILOMETRES = 1e4
"""Side of a box from which on its coordinates are metres, and its axes show km."""
_WIDEST_CELL = 0.07
_NARROWEST = 1.8
_NARROW = 2.0
"""Inches of a figure for each map below which only two longitudes have room."""
_DEGREE_STEPS = [1, 1.5, 2, 3, 4.5, 5, 6, 9, 10]


def draw_map(
    axes: Axes,
    field: xr.DataArray,
    colours: ColourRange,
    undefined: Bool[np.ndarray, "y x"] | None = None,
) -> None:
    """Draw a field; on latitudes and longitudes in the middle as wide as on the ground.

    The coast is that of the field, the outline of its undefined cells; where all are defined, coastlines of the Earth.

    Args:
        axes: Where to draw.
        field: Values of shape (y, x); what is not finite is grey.
        colours: Which colours stand for which values.
        undefined: Cells in which the variable does not exist (land, for the ocean), which are shaded; None: none.
    """
    extent = extent_of(field)
    stretch = height_of_degree(field)
    axes.imshow(
        np.clip(field.values, colours.low, colours.high),
        cmap=colours.colours,
        norm=colours.norm,
        aspect=stretch,
        origin="lower",
        extent=extent,
        interpolation="nearest",
    )
    if undefined is not None and undefined.any():
        axes.imshow(
            np.where(undefined, 0.0, np.nan),
            cmap=ListedColormap([UNDEFINED_COLOUR]),
            aspect=stretch,
            origin="lower",
            extent=extent,
            interpolation="nearest",
        )
    if undefined is not None and undefined.any():
        draw_outline(axes, undefined, extent)
    elif is_geographic(field):
        draw_coastlines(axes, extent)
    axes.grid(visible=False)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(NullLocator())
    axes.spines[:].set_visible(True)


def place(field: xr.DataArray, row: int, column: int) -> str:
    """Return where a cell is: latitude and longitude in degrees, on a box its coordinates."""
    y_name, x_name = field.dims[-2:]
    y, x = float(field[y_name][row]), float(field[x_name][column])
    if is_geographic(field):
        return f"{_degrees(round(y, 2), 'N', 'S')} {_degrees(round((x + 180) % 360 - 180, 2), 'E', 'W')}"
    return f"{y_name} {y:.4g}, {x_name} {x:.4g}"


def label_axes(grid: np.ndarray, field: xr.DataArray) -> None:
    """Put degrees, or the coordinates of a box, on the outer maps of a grid of axes of shape (row, column)."""
    if is_geographic(field):
        label_degrees(grid)
        return
    west, east, south, north = extent_of(field)
    in_kilometres = max(east - west, north - south) >= _KILOMETRES
    for axes in grid[:, 0]:
        axes.yaxis.set_major_locator(MaxNLocator(3))
        if in_kilometres:
            axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1e3:g}")
    for axes in grid[-1]:
        axes.xaxis.set_major_locator(MaxNLocator(3))
        if in_kilometres:
            axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1e3:g}")
            axes.set_xlabel(f"{long_name(field[field.dims[-1]])} (km)", fontsize=8)
            continue
        # Without its coordinates: the scalar `units` among them are those of the field.
        axes.set_xlabel(
            axis_title(field[field.dims[-1]].drop_vars("units", errors="ignore")), fontsize=8
        )


def height_of_degree(field: xr.DataArray) -> float:
    """Return how many times higher than wide a map draws a degree.

    On a box and on the globe 1; in a region 1 / cos φ of its middle, so that shapes are right there.
    """
    west, east, south, north = extent_of(field)
    if not is_geographic(field) or east - west > 180 or north - south > 120:
        return 1.0
    middle = np.deg2rad(0.5 * (south + north))
    return float(min(1.0 / np.cos(middle), _WIDEST_STRETCH))


def widest(field: xr.DataArray) -> float:
    """Return how many inches wide a map is at most: maps of few cells are small."""
    return max(_NARROWEST, _WIDEST_CELL * field.shape[-1])


def height_for_width(field: xr.DataArray) -> float:
    """Return the height of a map of width 1."""
    west, east, south, north = extent_of(field)
    return height_of_degree(field) * (north - south) / (east - west)


def label_degrees(grid: np.ndarray) -> None:
    """Put degrees on the outer maps of a grid of axes of shape (row, column)."""
    figure = grid[0, 0].get_figure()
    narrow = figure.get_size_inches()[0] < _NARROW * grid.shape[1]
    for axes in grid[:, 0]:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=_DEGREE_STEPS))
        axes.yaxis.set_major_formatter(lambda value, _: _degrees(value, "N", "S"))
    for axes in grid[-1]:
        axes.xaxis.set_major_locator(MaxNLocator(2 if narrow else 4, steps=_DEGREE_STEPS))
        axes.xaxis.set_major_formatter(
            lambda value, _: _degrees((value + 180) % 360 - 180, "E", "W")
        )


def colour_bar(
    figure: Figure,
    grid: np.ndarray,
    colours: ColourRange,
    values: np.ndarray,
    title: str,
) -> None:
    """Put one colour bar beside maps that share their colours.

    Args:
        figure: The figure.
        grid: Axes of the maps, shape (row, column).
        colours: Their colours.
        values: All values drawn, which decide whether the bar ends in arrows.
        title: What the colours are, with units.
    """
    bar = figure.colorbar(
        grid[0, 0].images[0],
        ax=list(grid.ravel()),
        extend=colours.extends(values),
        aspect=14 * len(grid),
        pad=0.015,
        fraction=0.05,
    )
    bar.set_label(shortened(title, 40))
    bar.outline.set_visible(False)


def _degrees(value: float, positive: str, negative: str) -> str:
    if abs(value) == 180:
        return "180°"
    return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"
