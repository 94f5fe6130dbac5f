"""The scorecard: every model against one of them, by variable and lead, with what lies beyond chance marked."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import shortened
from triton_earth.evaluation.verdict import beyond_chance, models, relative_difference
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.page import Picture, Section, shading
from triton_earth.plots.style import error_colours, style

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
        figure = Figure(figsize=(10.4, height), layout="constrained")
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
