"""The report's sections about heat waves and eddies, as HTML."""

from collections.abc import Mapping
from html import escape

import numpy as np
import xarray as xr

from triton_earth.core.wording import interval, number, units_of, with_units
from triton_earth.plots.eddy_map import eddy_maps
from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.page import Picture, Section
from triton_earth.plots.score_grid import EDDIES, HEAT_WAVES, score_grid
from triton_earth.plots.seen import shading

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
        sections.append(Section("Eddies", picture.html() + "".join(maps)))
    return sections


def _errors(scores: xr.Dataset) -> str:
    """Return the errors of onset, duration and intensity as a table."""
    names = [name for name in _ERRORS if name in scores]
    if not names:
        return ""
    head = "".join(
        f'<th scope="col">{escape(with_units(_ERRORS[name], units_of(scores[name])))}</th>'
        for name in names
    )
    rows = []
    for forecast in map(str, scores["forecast"].values):
        cells = []
        for name in names:
            lower, upper = np.asarray(
                scores[f"{name}_interval"].sel(forecast=forecast, bound=["lower", "upper"]).values,
                dtype=np.float64,
            )
            words = interval(float(lower), float(upper))
            small = f"<small>{escape(words)}</small>" if words else ""
            value = number(float(scores[name].sel(forecast=forecast)))
            cells.append(f"<td>{escape(value)}{small}</td>")
        rows.append(f'<tr><th scope="row">{escape(forecast)}</th>{"".join(cells)}</tr>')
    return (
        "<p>Errors of heat waves, forecast minus truth, where both have one:</p>"
        f'<div class="wide"><table class="scores"><thead><tr><th scope="col">Forecast</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
