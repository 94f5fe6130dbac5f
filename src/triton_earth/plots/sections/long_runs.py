"""Long runs of one variable: area mean and variance against the truth, the gap shaded, the seasonal cycle, extremes."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triton_earth.core.lead_times import LeadTimes, lead_times
from triton_earth.core.wording import (
    axis_title,
    interval,
    is_baseline,
    number,
    one_variable,
    shortened,
    variable_names,
    variable_title,
    variable_words,
)
from triton_earth.plots.drawing import Curve, curves_of, draw_curve, readable_top
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import (
    MOST_VARIABLES,
    Cell,
    Picture,
    Section,
    left_out,
    table,
    together,
)
from triton_earth.plots.style import looks, style

BY_LEAD = ("area_mean", "seasonal_departure", "variance")
"""What is drawn over lead time, as far as it is there."""

RATES = ("drift_rate", "variance_drift_rate", "error_growth_rate", "error_doubling_time")
"""What the table has columns for, as far as it is there."""

_GAP_OPACITY = 0.22
_TIMES_TRUTH = 3.0


def long_run_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on the statistics of long runs; nothing where there are none."""
    if "area_mean" not in scores:
        return []
    variables = variable_names(scores)
    seasonal = "departure from the seasonal cycle, " if "seasonal_departure" in scores else ""
    parts = [
        Picture(
            svg_uri(long_run_curves(scores, variable)),
            f"Area mean, {seasonal}variance and extremes of {variable_words(scores, variable)} over lead time.",
            f"{variable_title(scores, variable)}: area mean with the gap to the truth shaded, {seasonal}variance and "
            "extremes (the value below which that part of the area lies). Black: truth.",
        ).html()
        for variable in variables[:MOST_VARIABLES]
    ]
    return [Section("Long runs", together(parts) + left_out(variables) + rates_table(scores))]


def long_run_curves(scores: xr.Dataset, variable: str) -> Figure:
    """Draw means, variances and extremes of one variable over lead time.

    The gap between each model and the truth is shaded in the first panel. The axes follow the truth, and a model only
    so far that the truth stays readable.

    Args:
        scores: Any of `area_mean`, `seasonal_departure` and `variance` of shape (source, variable, lead_time), with
            their intervals; `extreme` of shape (source, variable, extreme_lead_time, quantile).
        variable: Which variable.

    Returns:
        A figure with one panel for each that is there.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    names = [name for name in BY_LEAD if name in scores]
    leads = lead_times(scores["lead_time"])
    deviation = _deviation(scores, variable)
    with style():
        figure = LightFigure((10.4, 5.6))
        panels = figure.subplots(2, 2).ravel()
        for axes, name in zip(panels, names, strict=False):
            curves = curves_of(scores, name, "source", variable=variable)
            if name == "area_mean":
                # Initial conditions lie in all seasons: their interval is not that of the gap, which is shaded instead.
                curves = {source: Curve(curve.values) for source, curve in curves.items()}
                _shade_gaps(axes, curves, leads)
            for source, look in looks(curves).items():
                draw_curve(axes, leads.values, curves[source], look, source)
            axes.set_title(shortened(axis_title(one_variable(scores[name], variable)), 64))
            if name == "variance":
                axes.set_ylim(0.0, readable_top(curves, ["truth"], _TIMES_TRUTH))
            else:
                _follow(axes, curves, deviation)
        rest = panels[len(names) :]
        if "extreme" in scores:
            _draw_extremes(rest[0], scores, variable, deviation)
            rest = rest[1:]
        for axes in rest:
            axes.set_axis_off()
        for axes in panels[: len(panels) - len(rest)]:
            axes.set_xlabel(leads.axis_title)
            axes.set_xlim(0.0, 1.01 * leads.values[-1])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def rates_table(
    scores: xr.Dataset, rates: Sequence[str] = RATES, along: str = "forecast"
) -> Markup:
    """Return drift, growth and doubling of every forecast and variable with intervals, as HTML of one table.

    Args:
        scores: The rates (forecast, variable), with NAME_interval (…, bound) where there are intervals.
        rates: Which, as far as they are there.
        along: Dimension of the forecasts.
    """
    names = [name for name in rates if name in scores]
    forecasts = [str(name) for name in scores[along].values]
    rows = []
    for variable in variable_names(scores):
        group = Cell(variable, scope="rowgroup", rowspan=len(forecasts))
        for order, forecast in enumerate(forecasts):
            where = {along: forecast, "variable": variable}
            cells = [_cell(scores, name, where) for name in names]
            rows.append([*([group] if order == 0 else []), Cell(forecast, scope="row"), *cells])
    titles = [_heading(scores, name) for name in names]
    return table("scores", ["Variable", "Forecast", *titles], rows)


def _heading(scores: xr.Dataset, name: str) -> str:
    """Return the title of a column; where the units of variables differ, they are said to be the variable's own."""
    units = str(scores[name].attrs.get("units", ""))
    if "; " not in units:
        return axis_title(scores[name])
    title = str(scores[name].attrs.get("long_name", name))
    return f"{title[:1].upper()}{title[1:]} (units of the variable)"


def _cell(scores: xr.Dataset, name: str, where: dict[str, str]) -> Cell:
    value = float(scores[name].sel(where))
    words = ""
    if f"{name}_interval" in scores:
        bounds = scores[f"{name}_interval"].sel(where)
        words = interval(*(float(bounds.sel(bound=bound)) for bound in ("lower", "upper")))
    shown = "∞" if np.isposinf(value) else number(value)
    return Cell(shown, words)


def _shade_gaps(axes: Axes, curves: dict[str, Curve], leads: LeadTimes) -> None:
    for source, look in looks(curves).items():
        if source == "truth" or is_baseline(source):
            continue
        axes.fill_between(
            leads.values,
            curves["truth"].values,
            np.where(np.isfinite(curves[source].values), curves[source].values, np.nan),
            color=look.colour,
            alpha=_GAP_OPACITY,
            linewidth=0,
            zorder=1.8,
        )


def _deviation(scores: xr.Dataset, variable: str) -> float:
    """Return the largest standard deviation of the truth over the cells, 0 where the variance is not known."""
    if "variance" not in scores:
        return 0.0
    values = scores["variance"].sel(source="truth", variable=variable).values
    return float(np.sqrt(values[np.isfinite(values)].max(initial=0.0)))


def _follow(axes: Axes, curves: dict[str, Curve], deviation: float) -> None:
    """Set limits that show the truth and the baselines whole, and models as far as the truth stays readable.

    What is small beside the standard deviation of the field is shown as small.
    """
    kept = [curve.values for name, curve in curves.items() if name == "truth" or is_baseline(name)]
    known = np.concatenate(kept)
    known = known[np.isfinite(known)]
    every = np.concatenate([curve.values for curve in curves.values()])
    every = every[np.isfinite(every)]
    if not known.size:
        return
    middle = 0.5 * float(known.min() + known.max())
    scale = max(float(np.ptp(known)), 0.1 * deviation)
    least = 0.02 * deviation or 0.5
    low = min(max(float(every.min()), middle - _TIMES_TRUTH * scale), middle - least)
    high = max(min(float(every.max()), middle + _TIMES_TRUTH * scale), middle + least)
    room = 0.06 * (high - low)
    axes.set_ylim(low - room, high + room)


def _draw_extremes(axes: Axes, scores: xr.Dataset, variable: str, deviation: float) -> None:
    array = one_variable(scores["extreme"], variable)
    lead = lead_times(scores["extreme_lead_time"]).values
    shown = [name for name in map(str, array["source"].values) if not is_baseline(name)]
    curves = {}
    for source, look in looks(shown).items():
        for quantile in array["quantile"].values:
            values = array.sel(source=source, quantile=quantile).values.astype(np.float64)
            curves[f"{source} {quantile}"] = Curve(values)
            draw_curve(axes, lead, Curve(values), look, source)
            if source == "truth":
                axes.annotate(
                    f"{100 * float(quantile):g} %",
                    (lead[-1], values[-1]),
                    xytext=(3, 4 if quantile > 0.995 or 0.005 < quantile < 0.5 else -4),
                    textcoords="offset points",
                    fontsize=7,
                    va="center",
                    annotation_clip=False,
                )
    truth = {name: curve for name, curve in curves.items() if name.startswith("truth ")}
    _follow(
        axes,
        {"truth": Curve(np.concatenate([c.values for c in truth.values()])), **curves},
        deviation,
    )
    axes.set_title(shortened(axis_title(array), 64))
