"""The report's section about regions, as HTML: which they are, and each model's errors there beside the baselines'."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    is_baseline,
    one_variable,
    shortened,
    units_of,
    variable_names,
    variable_title,
    variable_words,
    with_units,
)
from triton_earth.evaluation.metrics.by_region import SUFFIX
from triton_earth.evaluation.verdict.comparison import against_baselines
from triton_earth.plots.drawing import curves_of
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.page import (
    MOST_VARIABLES,
    Picture,
    Section,
    heading,
    left_out,
    paragraph,
    render,
    shading,
    together,
)
from triton_earth.plots.sections.provenance import Term
from triton_earth.plots.sections.scores import curve_panels, draw_forecasts, error_limits
from triton_earth.plots.tables import Column, lead_table

MARKS = {-1: ("✓", "good"), 0: ("", ""), 1: ("✗", "bad")}
"""Mark of a model that is better than every baseline, of neither, and worse than a baseline, and its class."""

ERROR = f"rmse{SUFFIX}"
"""Score that is shown by region; the score files hold more."""

_MARKS = (
    "In the tables ✓ stands where the model is better than every baseline, ✗ where it is worse than any: the 95 % "
    "interval of the paired difference of mean square errors does not hold zero."
)


def region_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section about regions; none where there are no scores by region.

    Args:
        scores: `rmse_by_region` and `mse_minus_NAME_by_region` (region, forecast, variable, lead_time) with intervals,
            and `region_description` (region).
        examples: One example of each model by name; not used.
    """
    if ERROR not in scores:
        return []
    words = scores["region_description"].values
    regions = [
        Term(_words(name), str(description))
        for name, description in zip(scores["region"].values, words, strict=True)
    ]
    variables = variable_names(scores)
    parts = [render("terms.html", terms=regions), paragraph(_MARKS)]
    for variable in variables[:MOST_VARIABLES]:
        if len(variables) > 1:
            parts.append(heading(variable_title(scores, variable)))
        curves = Picture(
            svg_uri(region_curves(scores, variable)),
            f"Curves of the root mean square error of {variable_words(scores, variable)} over lead time in each "
            "region, all forecasts.",
            f"Root mean square error of {variable_words(scores, variable)} over lead time by region. {shading(scores)}",
        )
        parts += [curves.html(), _table(scores, variable)]
    return [Section("Regions", together(parts) + left_out(variables))]


def region_curves(scores: xr.Dataset, variable: str) -> Figure:
    """Draw the error of one variable over lead time in each region where it is defined, all forecasts together.

    Args:
        scores: `rmse_by_region` (region, forecast, variable, lead_time) with its interval.
        variable: Which variable.
    """
    regions, leads = _regions(scores, variable), lead_times(scores["lead_time"])
    units = units_of(one_variable(scores[ERROR], variable))

    def draw(axes: Axes, number: int) -> None:
        region = regions[number]
        curves = curves_of(scores, ERROR, "forecast", variable=variable, region=region)
        draw_forecasts(axes, curves, leads)
        axes.set_title(with_units(f"RMSE, {shortened(_words(region), 30)}", units))
        error_limits(axes, curves)

    return curve_panels(len(regions), draw)


def _table(scores: xr.Dataset, variable: str) -> Markup:
    units = units_of(one_variable(scores[ERROR], variable))
    beaten = against_baselines(scores, SUFFIX)
    columns = []
    for region in _regions(scores, variable):
        where = {"variable": variable, "region": region}

        def mark(forecast: str, index: int, region: str = region) -> tuple[str, str]:
            if beaten is None or is_baseline(forecast):
                return "", ""
            return MARKS[
                int(
                    beaten.sel(variable=variable, region=region, forecast=forecast).isel(
                        lead_time=index
                    )
                )
            ]

        columns.append(Column(with_units(f"RMSE, {_words(region)}", units), ERROR, where, mark))
    return lead_table(scores, columns)


def _regions(scores: xr.Dataset, variable: str) -> list[str]:
    """Return the regions in which a variable has any value."""
    found = scores[ERROR].sel(variable=variable)
    return [
        str(region)
        for region in scores["region"].values
        if not np.isnan(found.sel(region=region).values).all()
    ]


def _words(region: str) -> str:
    return str(region).replace("_", " ")
