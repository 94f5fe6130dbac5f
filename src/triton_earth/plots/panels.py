"""Maps at several leads: truth, forecast and error below one another, or the truth and several models."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import shortened, units_of, variable_title, with_units
from triton_earth.plots.colour_range import ColourRange, error_range, field_range
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.maps import colour_bar, draw_map, height_for_width, label_axes, widest
from triton_earth.plots.style import style

_WIDTH = 10.4
_MARGINS = 1.7


def panels(example: xr.Dataset, variable: str, steps: tuple[int, ...] | None = None) -> Figure:
    """Draw truth, forecast and error of one variable at several leads.

    Truth and forecast share one range of colours, set by the truth; the error (forecast minus truth) has its own,
    symmetric about zero. Cells without a truth are shaded, those where only the forecast has no value are grey.

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
    shown = lead_times(example["lead_time"]).chosen(steps)
    field = field_range(chosen["truth"])
    error = error_range(chosen["error"].isel(lead_time=shown), field)
    words = variable_title(example, variable)
    rows = [
        MapRow("Truth", chosen["truth"], field, words),
        MapRow("Forecast", chosen["forecast"], field, words),
        MapRow("Error", chosen["error"], error, "error"),
    ]
    return draw_rows(rows, chosen["truth"], shown)


def model_panels(examples: Mapping[str, xr.Dataset], variable: str) -> Figure:
    """Draw the truth and the forecasts of several models at several leads, all in the same colours.

    Args:
        examples: For each model by name what `panels` takes, of the same initial condition and leads.
        variable: Which variable.

    Returns:
        A figure with one row for the truth and for each model, and one column per lead.

    Raises:
        KeyError: if the variable is not in one of `examples`.
    """
    truth = _first(examples)["truth"].sel(variable=variable)
    field = field_range(truth)
    words = variable_title(_first(examples), variable)
    rows = [MapRow("Truth", truth, field, words)]
    for name, example in examples.items():
        rows.append(MapRow(name, example["forecast"].sel(variable=variable), field, words))
    return draw_rows(rows, truth, lead_times(truth["lead_time"]).chosen())


def error_panels(examples: Mapping[str, xr.Dataset], variable: str) -> Figure:
    """Draw the errors of several models at several leads, all in the same colours; else as `model_panels`."""
    truth = _first(examples)["truth"].sel(variable=variable)
    shown = lead_times(truth["lead_time"]).chosen()
    errors = {name: example["error"].sel(variable=variable) for name, example in examples.items()}
    together = xr.concat([error.isel(lead_time=shown) for error in errors.values()], dim="model")
    colours = error_range(together, field_range(truth))
    rows = [MapRow(name, error, colours, "error") for name, error in errors.items()]
    return draw_rows(rows, truth, shown)


def state_panels(example: xr.Dataset, variables: Sequence[str]) -> Figure:
    """Draw initial state, truth, forecast and error of several variables half-way through the forecast.

    Args:
        example: What `panels` takes, its first lead being the initial state.
        variables: Which variables; each has colours of its own.

    Returns:
        A figure with one row per variable and four columns.

    Raises:
        KeyError: if a variable is not in `example`.
    """
    leads = lead_times(example["lead_time"])
    index = halfway(example)
    column = min(2.15, widest(example["truth"]))
    height = max(column * height_for_width(example["truth"]), 0.7)
    with style():
        size = (4 * (column + 0.45), len(variables) * (height + 0.12) + 0.5)
        figure = LightFigure(size, gaps=(0.04, 0.05))
        grid = figure.subplots(len(variables), 4, squeeze=False)
        for line, variable in zip(grid, variables, strict=True):
            chosen = example.sel(variable=variable)
            field = field_range(chosen["truth"])
            now = chosen.isel(lead_time=index)
            maps = (chosen["truth"][0], now["truth"], now["forecast"])
            for axes, values in zip(line, maps, strict=False):
                draw_map(axes, values, field, ~np.isfinite(maps[0].values))
            error = error_range(now["error"], field)
            draw_map(line[3], now["error"], error, ~np.isfinite(now["truth"].values))
            letters = max(8, int(13 * height))
            title = textwrap.fill(
                variable_title(example, variable), letters, max_lines=2, placeholder="…"
            )
            line[0].set_ylabel(title, labelpad=4, fontsize=8)
            units = shortened(units_of(chosen["truth"]), letters)
            drawn = np.stack([values.values for values in maps])
            colour_bar(figure, line[None, :3], field, drawn, units)
            colour_bar(figure, line[None, 3:], error, now["error"].values, units)
        titles = (
            "Initial state",
            *(f"{name}, {leads.at(index)}" for name in ("Truth", "Forecast", "Error")),
        )
        for axes, title in zip(grid[0], titles, strict=True):
            axes.set_title(title, fontsize=9, loc="center")
        label_axes(grid, example["truth"])
    return figure


def state_and_forecast_panels(
    example: xr.Dataset, variable: str
) -> tuple[Figure, np.ndarray, list[int]]:
    """Draw truth and forecast of one variable at several leads, for more to be drawn onto them.

    Returns:
        The figure, its axes (2, lead) and the index of each lead.
    """
    chosen = example.sel(variable=variable)
    shown = lead_times(example["lead_time"]).chosen()
    field, words = field_range(chosen["truth"]), variable_title(example, variable)
    rows = [
        MapRow("Truth", chosen["truth"], field, words),
        MapRow("Forecast", chosen["forecast"], field, words),
    ]
    figure, grid = _draw_with_axes(rows, chosen["truth"], shown)
    return figure, grid, shown


def halfway(example: xr.Dataset) -> int:
    """Return the index of the lead half-way through the forecast."""
    chosen = lead_times(example["lead_time"]).chosen()
    return chosen[-2] if len(chosen) > 1 else chosen[-1]


@dataclass(frozen=True)
class MapRow:
    """One row of maps: its title, its field (lead_time, y, x), its colours and what they are.

    Rows that follow one another with the same words share a colour bar.
    """

    title: str
    field: xr.DataArray
    colours: ColourRange
    words: str


def _first(examples: Mapping[str, xr.Dataset]) -> xr.Dataset:
    return next(iter(examples.values()))


def draw_rows(rows: Sequence[MapRow], truth: xr.DataArray, shown: Sequence[int]) -> Figure:
    """Draw rows of maps, one column per lead.

    Args:
        rows: The rows.
        truth: Field (lead_time, y, x) that has no value where a variable is undefined; of it are leads and units.
        shown: Indices of the leads.
    """
    return _draw_with_axes(rows, truth, shown)[0]


def _draw_with_axes(
    rows: Sequence[MapRow], truth: xr.DataArray, shown: Sequence[int]
) -> tuple[Figure, np.ndarray]:
    leads = lead_times(truth["lead_time"])
    column = min((_WIDTH - _MARGINS) / len(shown), 3.0, widest(truth))
    height = max(column * height_for_width(truth), 1.2)
    with style():
        size = (column * len(shown) + _MARGINS, len(rows) * height + 0.6)
        figure = LightFigure(size, gaps=(0.1, 0.06))
        grid = figure.subplots(len(rows), len(shown), squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            for axes, index in zip(line, shown, strict=True):
                undefined = ~np.isfinite(truth.values[index])
                draw_map(axes, row.field.isel(lead_time=index), row.colours, undefined)
            title = shortened(row.title, max(8, int(12 * height)))
            line[0].set_ylabel(title, fontweight="bold", labelpad=6)
        for axes, index in zip(grid[0], shown, strict=True):
            axes.set_title(leads.title(index), fontsize=9, loc="center")
        label_axes(grid, truth)
        for _, group in groupby(range(len(rows)), key=lambda number: rows[number].words):
            own = list(group)
            first = rows[own[0]]
            values = np.stack([rows[number].field.values[shown] for number in own])
            units = units_of(truth)
            room = min(40, max(16, int(13 * height * len(own))))
            words = shortened(first.words, max(8, room - len(units) - 3))
            title = shortened(with_units(words, units), room)
            colour_bar(figure, grid[own], first.colours, values, title)
    return figure, grid
