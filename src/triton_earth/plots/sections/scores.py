"""Scores over lead time: one panel per score, one line per forecast, its interval as shading, and a table."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
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
    variable_title,
    variable_words,
)
from triton_earth.evaluation.results import REPORT
from triton_earth.evaluation.verdict.comparison import beyond_chance, models, relative_difference
from triton_earth.evaluation.verdict.predictability import is_relative
from triton_earth.plots.drawing import Curve, curves_of, draw_curve, readable_top
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
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
from triton_earth.plots.style import error_colours, looks, style
from triton_earth.plots.tables import RELATIVE, score_table

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
            parts.append(heading(variable_title(scores, variable)))
        curves = Picture(
            svg_uri(score_curves(scores, variable)),
            f"Curves of every score of {variable_words(scores, variable)} over lead time, all forecasts.",
            f"Scores of {variable_words(scores, variable)} over lead time. {shading(scores)}{CROSS}",
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
    names = [name for name in names if name != RELATIVE or is_relative(scores, variable)]
    names += [str(name) for name, score in scores.items() if score.attrs.get(REPORT) == "curves"]
    leads = lead_times(scores["lead_time"])

    def draw(axes: Axes, number: int) -> None:
        name = names[number]
        curves = curves_of(scores, name, "forecast", variable=variable)
        draw_forecasts(axes, curves, leads)
        axes.set_title(shortened(axis_title(one_variable(scores[name], variable))))
        if not any(np.isfinite(curve.values).any() for curve in curves.values()):
            _say_why(axes, name)
        elif name == "bias":
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
        figure = LightFigure((10.4, 2.75 * rows + 0.4 * full))
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


_REASONS = {"ssim": "no window of 11 x 11 cells\nholds scored cells only"}


def _say_why(axes: Axes, name: str) -> None:
    """Say in an empty panel that there are no values, and why."""
    words = f"no values: {_REASONS[name]}" if name in _REASONS else "no values"
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=8)
    axes.set_yticks([])


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


_LARGEST = 50.0
_MOST_MARKS = 60


def scorecard_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that compares each model with the first; nothing where there is one model."""
    if len(examples) < 2:
        return []
    reference = models(scores)[0]
    picture = Picture(
        svg_uri(scorecard(scores, reference)),
        f"Scorecard: mean square error of every forecast relative to {reference}, by lead time.",
        f"Mean square error relative to that of {reference}. Green: smaller, purple: larger. Dots: the 95 % interval "
        f"of the paired difference does not hold zero. {shading(scores).replace('Shading', 'Intervals')}",
    )
    return [Section("Scorecard", picture.html())]


def scorecard(scores: xr.Dataset, reference: str) -> Figure:
    """Draw the mean square error of each forecast relative to one of them.

    Args:
        scores: `mse` (forecast, variable, lead_time) and the interval of its difference from the reference.
        reference: The forecast that all others are compared with.

    Returns:
        A figure with one panel for each variable: a row for each other forecast, a column for each lead. Dots mark
        where the 95 % interval of the difference does not hold zero.

    Raises:
        KeyError: if the difference from `reference` is not in `scores`.
    """
    changes = relative_difference(scores, reference)
    surely = beyond_chance(scores, reference)
    others = [str(name) for name in scores["forecast"].values if str(name) != reference]
    variables = [str(name) for name in scores["variable"].values]
    leads = lead_times(scores["lead_time"])
    with style():
        height = 0.7 + len(variables) * (0.32 * len(others) + 0.55)
        figure = LightFigure((10.4, height))
        panels = figure.subplots(len(variables), 1, sharex=True, squeeze=False)[:, 0]
        for axes, variable in zip(panels, variables, strict=True):
            own = {"variable": variable, "forecast": others}
            change = changes.sel(own).transpose("forecast", "lead_time").values
            clear = surely.sel(own).transpose("forecast", "lead_time").values != 0
            _draw(axes, leads.values, change, clear)
            axes.set_yticks(range(len(others)), [shortened(name, 24) for name in others])
            if len(variables) > 1:
                axes.set_title(variable)
        panels[-1].set_xlabel(leads.axis_title)
        bar = figure.colorbar(panels[0].collections[0], ax=list(panels), extend="both", pad=0.01)
        bar.set_label("MSE against reference (%)")
        bar.outline.set_visible(False)
    return figure


def _draw(axes: Axes, leads: np.ndarray, change: np.ndarray, clear: np.ndarray) -> None:
    rows = np.arange(len(change) + 1) - 0.5
    step = leads[0] if len(leads) == 1 else leads[1] - leads[0]
    edges = np.concatenate([leads - 0.5 * step, leads[-1:] + 0.5 * step])
    axes.pcolormesh(
        edges,
        rows,
        np.clip(change, -1e6, 1e6),
        cmap=error_colours().reversed(),
        norm=Normalize(-_LARGEST, _LARGEST),
        rasterized=True,
    )
    every = -(-len(leads) // _MOST_MARKS)
    marked = clear & (np.arange(len(leads)) % every == 0)
    row, column = np.nonzero(marked)
    axes.plot(
        leads[column],
        row,
        "o",
        color="#20242b",
        markersize=3.2,
        markeredgecolor="white",
        markeredgewidth=0.6,
    )
    axes.invert_yaxis()
    axes.grid(visible=False)
