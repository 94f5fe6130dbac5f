"""Budgets over lead time: energy, enstrophy and small-scale enstrophy of every forecast against the truth's."""

from collections.abc import Mapping

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triton_earth.core.lead_times import LeadTimes, lead_times
from triton_earth.core.wording import axis_title, shortened
from triton_earth.plots.drawing import curves_of, draw_curve, readable_top
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import CROSS, Picture, Section, shading
from triton_earth.plots.style import looks, style

BUDGETS = ("energy", "enstrophy", "small_scale_enstrophy")
"""Totals over lead time, in the order in which they are shown."""

_TIMES_TRUTH = 2.5


def total_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on energy and enstrophy; nothing where there are no totals."""
    if not any(name in scores for name in BUDGETS):
        return []
    picture = Picture(
        svg_uri(budgets(scores)),
        "Totals over lead time: forecasts against truth.",
        f"Totals over lead time. Black: truth. {shading(scores)}{CROSS}",
    )
    return [Section("Energy and enstrophy", picture.html())]


def budgets(scores: xr.Dataset) -> Figure:
    """Draw the totals of every source over lead time.

    Args:
        scores: Any of `energy`, `enstrophy` and `small_scale_enstrophy` of shape (source, lead_time), where there is
            one with its interval of shape (source, lead_time, bound).

    Returns:
        A figure with one panel per total that is there.

    Raises:
        ValueError: if none of them is there.
    """
    names = [name for name in BUDGETS if name in scores]
    if not names:
        raise ValueError(
            f"expected one of {', '.join(BUDGETS)}; found {', '.join(map(str, scores))}."
        )
    leads = lead_times(scores["lead_time"])
    with style():
        figure = LightFigure((10.4, 2.9))
        panels = figure.subplots(1, max(len(names), 2), squeeze=False)[0]
        for axes, name in zip(panels, names, strict=False):
            _draw_total(axes, scores, name, leads)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        panels[0].legend(loc="lower left")
    return figure


def _draw_total(axes: Axes, scores: xr.Dataset, name: str, leads: LeadTimes) -> None:
    curves = curves_of(scores, name, "source")
    for source, look in looks(curves).items():
        draw_curve(axes, leads.values, curves[source], look, source)
    axes.set_title(shortened(axis_title(scores[name])))
    axes.set_xlabel(leads.axis_title)
    axes.set_xlim(0.0, 1.01 * leads.values[-1])
    top = readable_top(curves, ["truth"], _TIMES_TRUTH)
    if top is not None:
        axes.set_ylim(0.0, top)
