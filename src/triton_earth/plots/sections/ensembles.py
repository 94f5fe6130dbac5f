"""What the members of an ensemble are worth: spread against error, CRPS, and the ranks of the truth among them."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    one_variable,
    units_of,
    variable_names,
    variable_words,
    with_units,
)
from triton_earth.plots.drawing import Curve, draw_curve
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import MOST_VARIABLES, Picture, Section, left_out, shading, together
from triton_earth.plots.style import Look, style

ENSEMBLE = ("crps", "ensemble_spread", "spread_skill", "rank_histogram")
"""Scores of ensembles, all of which the figure needs."""

_LOOKS = {"crps": Look("#0072b2", "-"), "ensemble_spread": Look("#d55e00", "-")}


def ensemble_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on ensembles; nothing where the forecasts have no members."""
    if not all(name in scores for name in ENSEMBLE):
        return []
    variables = variable_names(scores)
    each = {"": scores}
    if "ensemble" in scores.dims:
        each = {f"{name}, ": scores.sel(ensemble=name) for name in scores["ensemble"].values}
    parts = [
        Picture(
            svg_uri(ensemble_figure(one, variable)),
            f"CRPS, spread, spread divided by error and rank histograms of the ensemble of {name}"
            f"{variable_words(scores, variable)}.",
            f"{name}{variable_words(scores, variable)}: the members. Dashed in the rank histograms: all ranks "
            f"alike, as of a reliable ensemble. {shading(scores)}",
        ).html()
        for variable in variables[:MOST_VARIABLES]
        for name, one in each.items()
    ]
    return [Section("Ensemble", together(parts) + left_out(variables))]


def ensemble_figure(scores: xr.Dataset, variable: str) -> Figure:
    """Draw the ensemble scores of one variable.

    Args:
        scores: `crps`, `ensemble_spread` and `spread_skill` (variable, lead_time) with intervals; `rank_histogram`
            (variable, lead_time, rank).
        variable: Which variable.

    Returns:
        A figure: CRPS and spread over lead; their ratio to the error; rank histograms at up to four leads.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    leads = lead_times(scores["lead_time"])
    shown = leads.chosen()
    with style():
        figure = LightFigure((10.4, 5.2))
        upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
        one, two = upper.subplots(1, 2)
        for name, look in _LOOKS.items():
            draw_curve(
                one, leads.values, _curve(scores, name, variable), look, _words(scores, name)
            )
        one.set_ylim(bottom=0.0)
        units = units_of(one_variable(scores["crps"], variable))
        one.set_title(with_units("CRPS and spread of the members", units))
        one.legend(loc="best", fontsize=7)
        ratio = _curve(scores, "spread_skill", variable)
        draw_curve(two, leads.values, ratio, Look("#0072b2", "-"), "spread / error")
        two.axhline(1.0, color="#8a9099", linewidth=0.8)
        two.set_ylim(0.0, max(1.25, min(ratio.top * 1.06, 4.0)))
        two.set_title("Spread divided by error (1: reliable)")
        for axes in (one, two):
            axes.set_xlabel(leads.axis_title)
            axes.set_xlim(0.0, 1.01 * leads.values[-1])
        panels = lower.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, index in zip(panels, shown, strict=True):
            _draw_ranks(axes, scores["rank_histogram"].sel(variable=variable).isel(lead_time=index))
            axes.set_title(leads.title(index))
        panels[0].set_ylabel("Part of the cells")
    return figure


def _draw_ranks(axes: Axes, ranks: xr.DataArray) -> None:
    values = np.asarray(ranks.values, dtype=np.float64)
    values = values[np.isfinite(values)]  # of a smaller ensemble than that beside it
    axes.bar(np.arange(len(values)), values, width=0.9, color="#56b4e9")
    axes.axhline(1.0 / len(values), color="#2b2f36", linewidth=1.0, linestyle=(0, (4, 2)))
    axes.set_xlabel("Rank of the truth")
    axes.grid(visible=False, axis="x")


def _curve(scores: xr.Dataset, name: str, variable: str) -> Curve:
    bounds = scores[f"{name}_interval"].sel(variable=variable, bound=["lower", "upper"])
    return Curve(
        scores[name].sel(variable=variable).values.astype(np.float64),
        bounds.transpose("lead_time", "bound").values.astype(np.float64),
    )


def _words(scores: xr.Dataset, name: str) -> str:
    return "CRPS" if name == "crps" else str(scores[name].attrs.get("long_name", name))
