"""Long runs beyond the end of the truth: means, variances and extremes of one variable against the training climate."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    axis_title,
    one_variable,
    shortened,
    variable_names,
    variable_title,
    variable_words,
)
from triton_earth.plots.drawing import curves_of, draw_curve
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import MOST_VARIABLES, Picture, Section, left_out, shading, together
from triton_earth.plots.sections.long_runs import rates_table
from triton_earth.plots.style import TRUTH_COLOUR, looks, style

BEYOND = ("beyond_area_mean", "beyond_seasonal_departure", "beyond_variance")
"""What is drawn over lead time, as far as it is there."""


def beyond_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on leads beyond the end of the truth; nothing where there are none."""
    if "beyond_extreme" not in scores:
        return []
    variables = variable_names(scores)
    parts = [
        Picture(
            svg_uri(beyond_curves(scores, variable)),
            f"Area mean, variance and extremes of {variable_words(scores, variable)} at the leads beyond the end of "
            "the truth.",
            f"{variable_title(scores, variable)} where there is no truth any more. Black: extremes of the training "
            f"split. {shading(scores)}",
        ).html()
        for variable in variables[:MOST_VARIABLES]
    ]
    rates = Markup("")
    if "beyond_drift_rate" in scores:
        rates = rates_table(scores, ("beyond_drift_rate",), "model")
    return [Section("Beyond the truth", together(parts) + left_out(variables) + rates)]


def beyond_curves(scores: xr.Dataset, variable: str) -> Figure:
    """Draw means, variances and extremes of one variable at the leads beyond the truth.

    Args:
        scores: Any of `BEYOND` of shape (model, variable, beyond_lead_time) and `beyond_extreme` (model, variable,
            beyond_extreme_lead_time, quantile), with NAME_interval (…, bound) where there are intervals;
            `training_extreme` (variable, quantile) where there is a training split.
        variable: Which variable.

    Returns:
        A figure with one panel for each that is there.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    names = [name for name in BEYOND if name in scores]
    leads = lead_times(scores["beyond_lead_time"])
    with style():
        figure = LightFigure((10.4, 5.6))
        panels = figure.subplots(2, 2).ravel()
        for axes, name in zip(panels, names, strict=False):
            curves = curves_of(scores, name, "model", variable=variable)
            for model, look in looks(curves).items():
                draw_curve(axes, leads.values, curves[model], look, model)
            if name == "beyond_seasonal_departure":
                axes.axhline(0.0, color="#8a9099", linewidth=0.8, zorder=1.5)
            _title(axes, one_variable(scores[name], variable))
        _extremes(panels[len(names)], scores, variable)
        for axes in panels[len(names) + 1 :]:
            axes.set_axis_off()
        for axes in panels[: len(names) + 1]:
            axes.set_xlabel(leads.axis_title)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _extremes(axes: Axes, scores: xr.Dataset, variable: str) -> None:
    lead = lead_times(scores["beyond_extreme_lead_time"]).values
    for quantile in scores["quantile"].values:
        where = {"variable": variable, "quantile": quantile}
        curves = curves_of(scores, "beyond_extreme", "model", **where)
        for model, look in looks(curves).items():
            draw_curve(axes, lead, curves[model], look, model)
        words = f"{100 * float(quantile):g} %"
        height = float(next(iter(curves.values())).values[-1])
        if "training_extreme" in scores:
            height = float(scores["training_extreme"].sel(where))
            axes.axhline(height, color=TRUTH_COLOUR, linewidth=1.0, zorder=3.0)
        if np.isfinite(height):
            axes.annotate(
                words,
                (1.0, height),
                xycoords=("axes fraction", "data"),
                xytext=(3, 4 if quantile > 0.995 or 0.005 < quantile < 0.5 else -4),
                textcoords="offset points",
                fontsize=7,
                va="center",
                annotation_clip=False,
            )
    _title(axes, one_variable(scores["beyond_extreme"], variable))


def _title(axes: Axes, score: xr.DataArray) -> None:
    axes.set_title(shortened(axis_title(score).replace(" beyond the truth", ""), 64))
