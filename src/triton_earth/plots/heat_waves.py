"""How well heat waves are forecast over lead time: one panel for each score."""

import xarray as xr
from matplotlib.figure import Figure

from triton_earth.plots.drawing import curves_of, draw_curve
from triton_earth.plots.labels import axis_title, shortened
from triton_earth.plots.lead_times import lead_times
from triton_earth.plots.style import looks, style

HEAT_WAVES = (
    "heat_wave_iou",
    "heat_wave_hit_rate",
    "heat_wave_false_alarm_ratio",
    "heat_wave_area",
)
"""Scores of heat waves, in the order in which they are shown."""


def heat_wave_curves(scores: xr.Dataset) -> Figure:
    """Draw the scores of heat waves over lead time.

    Args:
        scores: The scores of `HEAT_WAVES`, all but the area with intervals.

    Returns:
        A figure with one panel for each.
    """
    leads = lead_times(scores["lead_time"])
    with style():
        figure = Figure(figsize=(10.4, 5.2), layout="constrained")
        for axes, name in zip(figure.subplots(2, 2).ravel(), HEAT_WAVES, strict=True):
            along = str(scores[name].dims[0])
            curves = curves_of(scores, name, along)
            for source, look in looks(curves).items():
                draw_curve(axes, leads.values, curves[source], look, source)
            axes.set_title(shortened(axis_title(scores[name])))
            axes.set_xlabel(leads.axis_title)
            axes.set_xlim(0.0, 1.01 * leads.values[-1])
            if along == "forecast":
                axes.set_ylim(-0.02, 1.02)
            else:
                axes.set_ylim(bottom=0.0)
                axes.legend(loc="best", fontsize=7)
    return figure
