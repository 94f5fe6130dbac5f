"""Scores over lead time: one panel per score, one line per forecast, its interval as shading, and a table."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from triton_earth.core.lead_times import LeadTimes, lead_times
from triton_earth.core.wording import (
    axis_title,
    is_baseline,
    one_variable,
    power_of_ten,
    shortened,
    variable_names,
)
from triton_earth.evaluation.results import REPORT
from triton_earth.plots.drawing import Curve, curves_of, draw_curve, readable_top
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.page import (
    CROSS,
    MOST_VARIABLES,
    Picture,
    Section,
    heading,
    left_out,
    shading,
    together,
)
from triton_earth.plots.style import looks, style
from triton_earth.plots.tables import score_table

SCORES = (
    "rmse",
    "relative_l2",
    "correlation",
    "acc",
    "activity",
    "ssim",
    "mae",
    "vrmse",
    "psnr",
    "mse",
    "bias",
)
"""Scores of one variable over lead time, in the order in which they are shown."""

_AT_MOST_ONE = ("correlation", "acc", "ssim")

_HIGH = 0.5
"""Where all correlations lie above this, the axis begins here and not at zero."""

_TIMES_BASELINE = 3.0
_COLUMNS = 3


def score_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section with curves and a table of each variable's scores over lead time."""
    variables = variable_names(scores)
    shown = variables[:MOST_VARIABLES]
    parts = []
    for variable in shown:
        if len(variables) > 1:
            parts.append(heading(variable))
        curves = Picture(
            svg_uri(score_curves(scores, variable)),
            f"Curves of every score of {variable} over lead time, all forecasts.",
            f"Scores of {variable} over lead time. {shading(scores)}{CROSS}",
        )
        parts += [curves.html(), score_table(scores, variable)]
    return [Section("Scores over lead time", together(parts) + left_out(variables))]


def score_curves(scores: xr.Dataset, variable: str) -> Figure:
    """Draw every score of one variable over lead time, all forecasts together.

    Args:
        scores: Each score of shape (forecast, variable, lead_time), where there is one its interval of shape
            (forecast, variable, lead_time, bound).
        variable: Which variable.

    Returns:
        A figure with one panel per score that is there, and the legend.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    names = [name for name in SCORES if name in scores]
    names += [str(name) for name, score in scores.items() if score.attrs.get(REPORT) == "curves"]
    leads = lead_times(scores["lead_time"])

    def draw(axes: Axes, number: int) -> None:
        name = names[number]
        curves = curves_of(scores, name, "forecast", variable=variable)
        draw_forecasts(axes, curves, leads)
        axes.set_title(shortened(axis_title(one_variable(scores[name], variable))))
        if name == "bias":
            _bias_limits(axes, curves, scores, variable)
        else:
            _set_limits(axes, name, curves)

    return curve_panels(len(names), draw)


def curve_panels(count: int, draw: Callable[[Axes, int], None]) -> Figure:
    """Return a figure of panels with the same forecasts, and their legend in the place after the last or below.

    Args:
        count: Number of panels.
        draw: What draws the panel of a number.
    """
    rows = -(-count // _COLUMNS)
    full = count % _COLUMNS == 0
    with style():
        figure = Figure(figsize=(10.4, 2.75 * rows + 0.4 * full), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for number, axes in enumerate(panels[:count]):
            draw(axes, number)
        for axes in panels[count:]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        if full:
            figure.legend(handles, labels, loc="outside lower left", ncols=min(len(labels), 5))
        else:
            panels[count].legend(
                handles, labels, loc="center left", title="Forecast", alignment="left"
            )
    return figure


def draw_forecasts(axes: Axes, curves: dict[str, Curve], leads: LeadTimes) -> None:
    """Draw the curves of forecasts over lead time, each with its look."""
    for forecast, look in looks(curves).items():
        draw_curve(axes, leads.values, curves[forecast], look, forecast)
    axes.set_xlabel(leads.axis_title)
    axes.set_xlim(0.0, 1.01 * leads.values[-1])


def error_limits(axes: Axes, curves: dict[str, Curve]) -> None:
    """Let an axis of errors begin at zero and show the baselines whole, whatever blows up."""
    top = readable_top(curves, filter(is_baseline, curves), _TIMES_BASELINE)
    if top is not None:
        axes.set_ylim(0.0, top)


def _set_limits(axes: Axes, name: str, curves: dict[str, Curve]) -> None:
    if name in _AT_MOST_ONE:
        values = np.concatenate([curve.values for curve in curves.values()])
        lowest = float(values[np.isfinite(values)].min(initial=1.0))
        low = _HIGH if lowest > _HIGH else min(lowest, 0.0)
        axes.set_ylim(low - 0.03 * (1 - low), 1 + 0.03 * (1 - low))
        return
    if name == "psnr":
        return
    if name == "mse":
        _logarithmic(axes, curves)
        return
    error_limits(axes, curves)


def _bias_limits(axes: Axes, curves: dict[str, Curve], scores: xr.Dataset, variable: str) -> None:
    """Show every bias whole, unless it blows up: baselines may have none, so that their errors set the scale."""
    axes.axhline(0.0, color="#8a9099", linewidth=0.8, zorder=1.5)
    top = max((curve.top for curve in curves.values()), default=0.0)
    if "rmse" in scores:
        errors = curves_of(scores, "rmse", "forecast", variable=variable)
        highest = readable_top(errors, filter(is_baseline, errors), _TIMES_BASELINE)
        top = min(top, highest or top)
    if top > 0:
        axes.set_ylim(-1.06 * top, 1.06 * top)


def _logarithmic(axes: Axes, curves: dict[str, Curve]) -> None:
    top = readable_top(curves, filter(is_baseline, curves), 10.0 * _TIMES_BASELINE)
    values = np.concatenate([curve.values for curve in curves.values()])
    positive = values[np.isfinite(values) & (values > 0)]
    if top is None or not positive.size or positive.min() >= top:
        return
    lowest = float(positive.min())
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(lowest / 1.6, top * 1.6)
