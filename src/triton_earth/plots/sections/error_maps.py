"""Where and when forecasts err: maps of RMSE and mean error, and the error against the initial date."""

from collections.abc import Mapping

import matplotlib.dates
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    one_variable,
    units_of,
    variable_names,
    variable_title,
    variable_words,
    with_units,
)
from triton_earth.plots.colour_range import ColourRange, error_range
from triton_earth.plots.drawing import Curve, draw_curve
from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import MOST_VARIABLES, Picture, Section, left_out, together
from triton_earth.plots.panels import MapRow, draw_rows
from triton_earth.plots.sections.scores import error_limits
from triton_earth.plots.style import looks, one_signed_colours, style

_KEPT = 0.995
_FEWEST_STARTS = 4


def error_map_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on where and when forecasts err, as far as there are scores."""
    variables = variable_names(scores)
    parts = []
    for variable in variables[:MOST_VARIABLES]:
        title, words = variable_title(scores, variable), variable_words(scores, variable)
        if "map_rmse" in scores and np.isfinite(scores["map_rmse"].sel(variable=variable)).any():
            parts.append(
                Picture(
                    png_uri(error_maps(scores, variable)),
                    f"Maps of the root mean square error and the mean error of {words} at several leads.",
                    f"{title}: root mean square error and mean error (forecast minus truth) over all starts.",
                ).html()
            )
        if _has_dates(scores):
            parts.append(
                Picture(
                    svg_uri(errors_by_start(scores, variable)),
                    f"Root mean square error of {words} against the initial date, all forecasts.",
                    f"{title}: root mean square error of each start, by its date.",
                ).html()
            )
    if not parts:
        return []
    return [Section("Errors by place and start", together(parts) + left_out(variables))]


def error_maps(scores: xr.Dataset, variable: str) -> Figure:
    """Draw the root mean square error and the mean error of one variable at several leads, of every model.

    Args:
        scores: `map_rmse` and `map_bias` (model, variable, map_lead_time, y, x).
        variable: Which variable.

    Returns:
        A figure with a row of each kind for each model, and one column per lead.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    rmse, bias = (
        _cropped(one_variable(scores[name], variable).rename(map_lead_time="lead_time"))
        for name in ("map_rmse", "map_bias")
    )
    names = [str(name) for name in rmse["model"].values]
    known = rmse.values[np.isfinite(rmse.values)]
    top = float(np.quantile(known, _KEPT)) if known.size else 1.0
    sizes = ColourRange(0.0, top or 1.0, one_signed_colours())
    signed = error_range(bias, ColourRange(-top or -1.0, top or 1.0, one_signed_colours()))
    several = len(names) > 1
    rows = [
        MapRow(name if several else "RMSE", rmse.sel(model=name), sizes, "RMSE") for name in names
    ]
    rows += [
        MapRow(name if several else "Mean error", bias.sel(model=name), signed, "mean error")
        for name in names
    ]
    like = rmse.max("model", keep_attrs=True)
    return draw_rows(rows, like, range(like.sizes["lead_time"]))


def _cropped(maps: xr.DataArray) -> xr.DataArray:
    """Return the part of maps that has values."""
    there = np.isfinite(maps.values).any(axis=tuple(range(maps.ndim - 2)))
    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return maps
    y, x = maps.dims[-2:]
    return maps.isel({y: slice(rows[0], rows[-1] + 1), x: slice(columns[0], columns[-1] + 1)})


def _has_dates(scores: xr.Dataset) -> bool:
    """Return whether there are errors of enough single starts with dates."""
    return (
        "initial_rmse" in scores
        and scores["init_time"].dtype.kind == "M"
        and scores.sizes["init"] >= _FEWEST_STARTS
    )


def errors_by_start(scores: xr.Dataset, variable: str) -> Figure:
    """Draw the root mean square error of each start against its date, all forecasts.

    Args:
        scores: `initial_rmse` (forecast, variable, initial_lead_time, init) with the dates `init_time`.
        variable: Which variable.

    Returns:
        A figure with one panel per lead.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    array = one_variable(scores["initial_rmse"], variable)
    array = array.transpose("forecast", "initial_lead_time", "init")
    leads = lead_times(array["initial_lead_time"])
    order = np.argsort(scores["init_time"].values)
    dates = matplotlib.dates.date2num(scores["init_time"].values[order]).astype(np.float64)
    names = [str(name) for name in array["forecast"].values]
    with style():
        figure = LightFigure((10.4, 2.9))
        panels = figure.subplots(1, len(leads.values), squeeze=False)[0]
        for index, axes in enumerate(panels):
            curves = {
                name: Curve(array.values[place, index, order].astype(np.float64))
                for place, name in enumerate(names)
            }
            for name, look in looks(names).items():
                draw_curve(axes, dates, curves[name], look, name)
            axes.set_title(leads.at(index))
            locator = matplotlib.dates.AutoDateLocator(minticks=2, maxticks=4)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
            error_limits(axes, curves)
        panels[0].set_ylabel(with_units("RMSE", units_of(array)))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return figure
