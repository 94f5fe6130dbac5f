"""Heat waves and eddies: their scores over lead time, errors of events, and maps of one case with its eddies."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    axis_title,
    interval,
    number,
    shortened,
    units_of,
    variable_words,
    with_units,
)
from triton_earth.physics.sphere import EARTH_RADIUS
from triton_earth.plots.drawing import curves_of, draw_curve
from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import Cell, Picture, Section, paragraph, shading, table, together
from triton_earth.plots.panels import state_and_forecast_panels
from triton_earth.plots.style import looks, style

_ERRORS = {
    "heat_wave_onset_error": "Onset",
    "heat_wave_duration_error": "Duration",
    "heat_wave_intensity_error": "Intensity",
}

_SAMPLE = ("heat_wave_shared_cells", "heat_wave_shared_starts")


def event_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the sections for which there are scores.

    Args:
        scores: Scores of heat waves and eddies, (forecast or source, lead_time).
        examples: Example of each model by name, with eddies where they were scored.
    """
    sections = []
    if all(name in scores for name in HEAT_WAVES):
        picture = Picture(
            svg_uri(score_grid(scores, HEAT_WAVES)),
            "Intersection over union, hit rate and false alarm ratio of heat waves, and their area, over lead time.",
            f"Marine heat waves, forecasts against truth. {shading(scores)}",
        )
        sections.append(Section("Heat waves", picture.html() + _errors(scores)))
    if all(name in scores for name in EDDIES):
        picture = Picture(
            svg_uri(score_grid(scores, EDDIES, columns=3)),
            "Scores of eddies over lead time: hits, false alarms, survival, number, distance, size, energy.",
            f"Eddies, forecasts against truth. Black: truth. {shading(scores)}",
        )
        maps = [
            Picture(
                png_uri(eddy_maps(example)),
                f"Maps of {variable_words(example, example.attrs['eddies'])} with the eddies of the truth and of "
                f"{name} at several leads.",
                f"Eddies of the truth and of {name}. Circles have the radius of the eddy; solid: anticyclonic, dashed: "
                "cyclonic.",
            ).html()
            for name, example in examples.items()
            if "eddies" in example.attrs
        ]
        sections.append(Section("Eddies", picture.html() + together(maps)))
    return sections


def _errors(scores: xr.Dataset) -> Markup:
    """Return the errors of onset, duration and intensity as a table."""
    names = [name for name in _ERRORS if name in scores]
    if not names:
        return Markup("")
    rows = []
    for forecast in map(str, scores["forecast"].values):
        cells = []
        for name in names:
            bounds = scores[f"{name}_interval"].sel(forecast=forecast, bound=["lower", "upper"])
            lower, upper = np.asarray(bounds.values, dtype=np.float64)
            value = number(float(scores[name].sel(forecast=forecast)))
            cells.append(Cell(value, interval(float(lower), float(upper))))
        rows.append([Cell(forecast, scope="row"), *cells, *_sample(scores, forecast)])
    columns = [with_units(_ERRORS[name], units_of(scores[name])) for name in names]
    words = "Errors of heat waves, forecast minus truth, where both have one:"
    sample = ["Cells in starts"] if _SAMPLE[0] in scores else []
    return paragraph(words) + table("scores", ["Forecast", *columns, *sample], rows)


def _sample(scores: xr.Dataset, forecast: str) -> list[Cell]:
    """Return how many cells of how many starts the errors are a mean over."""
    if _SAMPLE[0] not in scores:
        return []
    cells, starts = (int(scores[name].sel(forecast=forecast)) for name in _SAMPLE)
    return [Cell(f"{cells} in {starts}")]


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
        figure = LightFigure((10.4, 2.6 * rows))
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


ANTICYCLONE, CYCLONE = "#8c2029", "#12345f"
"""Colours of the two senses."""


def eddy_maps(example: xr.Dataset) -> Figure:
    """Draw the sea level of truth and forecast with their eddies.

    Args:
        example: `truth` and `forecast` (variable, lead_time, y, x) with eddies as
            `triton_earth.evaluation.example.with_eddies` gives them.

    Returns:
        A figure with two rows and one column per lead. Circles have the radius of the eddy; solid: anticyclonic,
        dashed: cyclonic.
    """
    figure, grid, shown = state_and_forecast_panels(example, str(example.attrs["eddies"]))
    for line, source in zip(grid, ("truth", "forecast"), strict=True):
        for axes, lead in zip(line, shown, strict=True):
            here = (example["eddy_source"] == source) & (example["eddy_lead"] == lead)
            _circles(axes, example.isel(eddy=np.flatnonzero(here.values)))
    return figure


def _circles(axes: Axes, eddies: xr.Dataset) -> None:
    for index in range(eddies.sizes["eddy"]):
        eddy = eddies.isel(eddy=index)
        latitude, longitude = float(eddy["eddy_latitude"]), float(eddy["eddy_longitude"])
        height = np.rad2deg(2 * float(eddy["eddy_radius"]) / EARTH_RADIUS)
        warm = float(eddy["eddy_amplitude"]) > 0
        axes.add_patch(
            Ellipse(
                (longitude, latitude),
                height / max(np.cos(np.deg2rad(latitude)), 0.05),
                height,
                fill=False,
                edgecolor=ANTICYCLONE if warm else CYCLONE,
                linestyle="-" if warm else (0, (3, 1.5)),
                linewidth=1.1,
                zorder=3.0,
            )
        )
