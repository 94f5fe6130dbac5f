"""The report's sections about heat waves and eddies, as HTML."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from markupsafe import Markup

from triton_earth.core.wording import interval, number, units_of, with_units
from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.page import Cell, Picture, Section, paragraph, table, together
from triton_earth.plots.sections.eddy_map import eddy_maps
from triton_earth.plots.sections.score_grid import EDDIES, HEAT_WAVES, score_grid
from triton_earth.plots.sections.seen import shading

_ERRORS = {
    "heat_wave_onset_error": "Onset",
    "heat_wave_duration_error": "Duration",
    "heat_wave_intensity_error": "Intensity",
}


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
                f"Maps of {example.attrs['eddies']} with the eddies of the truth and of {name} at several leads.",
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
        rows.append([Cell(forecast, scope="row"), *cells])
    columns = [with_units(_ERRORS[name], units_of(scores[name])) for name in names]
    words = "Errors of heat waves, forecast minus truth, where both have one:"
    return paragraph(words) + table("scores", ["Forecast", *columns], rows)
