"""Maps of one forecast at several leads: truth, forecast and error below one another."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from triton_earth.plots.colour_range import ColourRange, error_range, field_range
from triton_earth.plots.labels import long_name, shortened, units_of, with_units
from triton_earth.plots.lead_times import lead_times
from triton_earth.plots.style import style

_WIDTH = 10.4
_MARGINS = 1.7


def panels(example: xr.Dataset, variable: str, steps: tuple[int, ...] | None = None) -> Figure:
    """Draw truth, forecast and error of one variable at several leads.

    Truth and forecast share one range of colours, set by the truth; the error (forecast minus truth) has its own,
    symmetric about zero. Cells without a value are grey.

    Args:
        example: `truth`, `forecast` and `error` of shape (variable, lead_time, y, x) from one initial condition;
            the last two dimensions may have other names.
        variable: Which variable.
        steps: Forecast steps to show; by default up to four, 1, 25, 50, 99 of 99.

    Returns:
        A figure with three rows and one column per lead.

    Raises:
        KeyError: if the variable is not in `example`.
    """
    chosen = example.sel(variable=variable)
    leads = lead_times(example["lead_time"])
    shown = leads.chosen(steps)
    field = field_range(chosen["truth"])
    rows = {
        "truth": field,
        "forecast": field,
        "error": error_range(chosen["error"].isel(lead_time=shown), field),
    }
    y, x = chosen["truth"].dims[-2:]
    column = min((_WIDTH - _MARGINS) / len(shown), 3.0)
    height = column * chosen.sizes[y] / chosen.sizes[x]
    with style():
        figure = Figure(
            figsize=(column * len(shown) + _MARGINS, max(3 * height, 1.8) + 0.6),
            layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06),
        )
        grid = figure.subplots(3, len(shown), squeeze=False)
        for row, (name, colours) in zip(grid, rows.items(), strict=True):
            for axes, index in zip(row, shown, strict=True):
                _draw_map(axes, chosen[name].isel(lead_time=index), colours)
            row[0].set_ylabel(name.capitalize(), fontweight="bold", labelpad=6)
        for axes, index in zip(grid[0], shown, strict=True):
            axes.set_title(leads.title(index), fontsize=9, loc="center")
        if [long_name(chosen[axis]) for axis in (y, x)] == ["latitude", "longitude"]:
            _label_degrees(grid)
        fields = np.stack(
            [chosen[name].isel(lead_time=shown).values for name in ("truth", "forecast")]
        )
        words = variable.replace("_", " ")
        units = units_of(chosen["truth"])
        _colour_bar(figure, grid[:2], field, fields, with_units(words, units))
        errors = chosen["error"].isel(lead_time=shown).values
        _colour_bar(figure, grid[2:], rows["error"], errors, with_units("error", units))
    return figure


def _draw_map(axes: Axes, field: xr.DataArray, colours: ColourRange) -> None:
    y, x = (np.asarray(field[dim].values, dtype=np.float64) for dim in field.dims)
    axes.imshow(
        np.clip(field.values, colours.low, colours.high),
        origin="lower",
        extent=_extent(x, y),
        cmap=colours.colours,
        norm=colours.norm,
        interpolation="nearest",
        aspect="equal",
    )
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)


def _extent(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """Return the outer borders of the cells whose centres are x and y."""
    half_x = 0.5 * (x[-1] - x[0]) / max(len(x) - 1, 1) or 0.5
    half_y = 0.5 * (y[-1] - y[0]) / max(len(y) - 1, 1) or 0.5
    return x[0] - half_x, x[-1] + half_x, y[0] - half_y, y[-1] + half_y


def _label_degrees(grid: np.ndarray) -> None:
    """Put degrees on the outer maps; a box without a place on the Earth needs no ticks."""
    for axes in grid[:, 0]:
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _: _degrees(value, "N", "S"))
    for axes in grid[-1]:
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.xaxis.set_major_formatter(
            lambda value, _: _degrees((value + 180) % 360 - 180, "E", "W")
        )


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"


def _colour_bar(
    figure: Figure, rows: np.ndarray, colours: ColourRange, values: np.ndarray, title: str
) -> None:
    bar = figure.colorbar(
        rows[0, 0].images[0],
        ax=list(rows.ravel()),
        extend=colours.extends(values),
        aspect=14 * len(rows),
        pad=0.015,
        fraction=0.05,
    )
    bar.set_label(shortened(title, 40))
    bar.outline.set_visible(False)
