"""Scores over lead time of what is counted (heat waves, eddies): one panel for each score."""

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import axis_title, shortened
from triton_earth.plots.drawing import curves_of, draw_curve
from triton_earth.plots.style import looks, style

HEAT_WAVES = (
    "heat_wave_iou",
    "heat_wave_hit_rate",
    "heat_wave_false_alarm_ratio",
    "heat_wave_area",
)
"""Scores of heat waves, in the order in which they are shown."""

EDDIES = (
    "eddy_hit_rate",
    "eddy_false_alarm_ratio",
    "eddy_survival",
    "eddy_count",
    "eddy_centre_distance",
    "eddy_amplitude_ratio",
    "eddy_radius_ratio",
    "eddy_kinetic_energy",
)
"""Scores of eddies, in the same way."""

_PARTS = (*HEAT_WAVES[:3], *EDDIES[:3])
"""Those that lie between 0 and 1."""

_WORDS = 34


def score_grid(scores: xr.Dataset, names: Sequence[str], columns: int = 2) -> Figure:
    """Draw scores over lead time, each in a panel of its own.

    Args:
        scores: The scores, (forecast or source, lead_time), some with intervals.
        names: Which of them.
        columns: Panels in a row.

    Returns:
        The figure.
    """
    leads = lead_times(scores["lead_time"])
    rows = -(-len(names) // columns)
    with style():
        figure = Figure(figsize=(10.4, 2.6 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            along = str(scores[name].dims[0])
            curves = curves_of(scores, name, along)
            for source, look in looks(curves).items():
                draw_curve(axes, leads.values, curves[source], look, source)
            axes.set_title(shortened(axis_title(scores[name]), _WORDS * 2 // columns + 20))
            axes.set_xlabel(leads.axis_title)
            axes.set_xlim(0.0, 1.01 * leads.values[-1])
            if name in _PARTS:
                axes.set_ylim(-0.02, 1.02)
            else:
                axes.set_ylim(bottom=0.0)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        with_truth = [name for name in names if "source" in scores[name].dims]
        named = panels[list(names).index(with_truth[-1]) if with_truth else 0]
        if len(panels) > len(names):
            panels[-1].legend(*named.get_legend_handles_labels(), loc="center left")
        else:
            named.legend(loc="best", fontsize=7)
    return figure
