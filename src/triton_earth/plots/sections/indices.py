"""The report's section about climate indices: skill by lead, by season of the start, and the series themselves."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import interval, is_baseline, number, pretty_units, with_units
from triton_earth.plots.drawing import curves_of
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import (
    Cell,
    Picture,
    Section,
    heading,
    paragraph,
    shading,
    table,
    together,
)
from triton_earth.plots.sections.scores import curve_panels, draw_forecasts, error_limits
from triton_earth.plots.style import TRUTH_COLOUR, looks, style
from triton_earth.plots.tables import Column, lead_table

CORRELATION, RMSE = "index_correlation", "index_rmse"
BY_SEASON = f"{CORRELATION}_by_season"

MOST_STARTS = 8
"""Starts whose forecasts are drawn over time."""

MOST_ROWS = 12
"""Leads that the table by season of the start has; of more of them it has those of the other tables."""

_RIVAL = "damped persistence"


def index_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section about climate indices; none where none was scored.

    Args:
        scores: `index_correlation` and `index_rmse` (forecast, lead_time, index) and the former by season of the start,
            all with intervals; `index_value` (source, lead_time, init, index) and `index_initial` (init, index).
        examples: Not looked at: an index has no map.
    """
    if CORRELATION not in scores:
        return []
    parts = []
    for name in map(str, scores["index"].values):
        words = str(scores["index_long_name"].sel(index=name).values)
        curves = Picture(
            svg_uri(index_curves(scores, name)),
            f"Correlation and root mean square error of {words} over lead time, all forecasts.",
            f"{words}: correlation with the truth and error over lead time. {shading(scores)}",
        )
        plume = Picture(
            svg_uri(index_plume(scores, name)),
            f"{words} over time: the truth, and forecasts from several starts.",
            f"{words}: the truth (black), and forecasts from {_starts(scores).size} starts.",
        )
        made = str(scores["index_definition"].sel(index=name).values)
        parts += [
            heading(words),
            paragraph(f"{made[:1].upper()}{made[1:]}."),
            curves.html(),
            plume.html(),
            _by_season(scores, name),
            _all_starts(scores, name),
        ]
    return [Section("Indices", together(parts))]


def index_curves(scores: xr.Dataset, name: str) -> Figure:
    """Draw correlation and error of one index over lead time, all forecasts together.

    Args:
        scores: `index_correlation` and `index_rmse` (forecast, lead_time, index) with intervals.
        name: Which index.
    """
    leads = lead_times(scores["lead_time"])
    titles = {"Correlation": CORRELATION, with_units("RMSE", _units(scores, name)): RMSE}

    def draw(axes: Axes, place: int) -> None:
        title, score = list(titles.items())[place]
        curves = curves_of(scores, score, "forecast", index=name)
        draw_forecasts(axes, curves, leads)
        axes.set_title(title)
        if score == RMSE:
            error_limits(axes, curves)
            return
        values = np.concatenate([curve.values for curve in curves.values()])
        lowest = float(values[np.isfinite(values)].min(initial=0.0))
        axes.set_ylim(lowest - 0.04, 1.04)

    return curve_panels(len(titles), draw)


def index_plume(scores: xr.Dataset, name: str) -> Figure:
    """Draw one index over time: the truth, and the forecasts of the models from some starts.

    Args:
        scores: `index_value` (source, lead_time, init, index), `index_initial` (init, index), `init_time` (init).
        name: Which index.
    """
    series = scores["index_value"].sel(index=name).transpose("source", "init", "lead_time")
    initial = scores["index_initial"].sel(index=name).values
    begin = scores["init_time"].values
    valid = begin[:, None] + scores["lead_time"].values
    true = series.sel(source="truth").values
    models = [
        source for source in map(str, scores["forecast"].values) if not is_baseline(source)
    ] or [str(scores["forecast"].values[0])]
    times, first = np.unique(np.concatenate([begin, valid.ravel()]), return_index=True)
    of_times = np.concatenate([initial, true.ravel()])[first]
    # The same time may be known from one start and not from another.
    for place in np.flatnonzero(~np.isfinite(of_times)):
        known = true[(valid == times[place]) & np.isfinite(true)]
        of_times[place] = known[0] if known.size else np.nan
    with style():
        figure = LightFigure((10.4, 3.0))
        axes = figure.subplots()
        axes.plot(times, of_times, color=TRUTH_COLOUR, linewidth=1.6, label="truth", zorder=3)
        for model, look in looks(models).items():
            own = series.sel(source=model).values
            for order, start in enumerate(_starts(scores).tolist()):
                axes.plot(
                    np.concatenate([begin[start : start + 1], valid[start]]),
                    np.concatenate([initial[start : start + 1], own[start]]),
                    color=look.colour,
                    linestyle=look.line,
                    linewidth=1.3,
                    label=model if order == 0 else None,
                )
                axes.plot(begin[start], initial[start], "o", color=look.colour, markersize=3.5)
        axes.set_title(
            with_units(str(scores["index_long_name"].sel(index=name).values), _units(scores, name))
        )
        axes.legend(loc="best", ncols=4)
    return figure


def _starts(scores: xr.Dataset) -> np.ndarray:
    """Return the numbers of the starts that are drawn: of one trajectory, evenly spread in time."""
    trajectories = scores["trajectory"].values
    own = np.flatnonzero(trajectories == trajectories[0])
    own = own[np.argsort(scores["init_time"].values[own], kind="stable")]
    chosen = np.unique(np.linspace(0, own.size - 1, min(MOST_STARTS, own.size)).round())
    return own[chosen.astype(np.int64)]


def _by_season(scores: xr.Dataset, name: str) -> Markup:
    """Return the correlation of each model by lead and season of the start as a table."""
    leads = lead_times(scores["lead_time"])
    shown = range(len(leads.steps)) if len(leads.steps) <= MOST_ROWS else leads.chosen()
    forecasts = [str(one) for one in scores["forecast"].values]
    models = [one for one in forecasts if not is_baseline(one)] or forecasts[:1]
    has_rival = _RIVAL in forecasts and _RIVAL not in models
    found = scores[BY_SEASON].sel(index=name)
    bounds = scores[f"{BY_SEASON}_interval"].sel(index=name)
    counts = scores["index_starts_by_season"]
    named = [str(season) for season in scores["start_season"].values]
    seasons = [season for season in named if int(counts.sel(start_season=season)) > 0]
    rows = []
    for model in models:
        for order, lead in enumerate(shown):
            cells = []
            for season in seasons:
                where = {"forecast": model, "start_season": season}
                value = float(found.sel(where)[lead])
                low, high = bounds.sel({**where, "bound": ["lower", "upper"]})[lead].values.tolist()
                small = [interval(low, high)]
                if has_rival:
                    rival = float(found.sel(forecast=_RIVAL, start_season=season)[lead])
                    small.append(f"{_RIVAL} {number(rival, 2)}")
                cells.append(Cell(number(value, 2), "; ".join(filter(None, small))))
            head = [Cell(model, "", "", "rowgroup", len(shown))] if order == 0 else []
            rows.append([*head, Cell(leads.title(lead), scope="row"), *cells])
    titles = [f"{season} ({int(counts.sel(start_season=season))} starts)" for season in seasons]
    words = "Correlation by lead and season of the start, with 95 % interval where there are enough starts:"
    return paragraph(words) + table("scores", ["Forecast", "Lead", *titles], rows)


def _all_starts(scores: xr.Dataset, name: str) -> Markup:
    where = {"index": name}
    columns = [
        Column("Correlation", CORRELATION, where),
        Column(with_units("RMSE", _units(scores, name)), RMSE, where),
    ]
    return paragraph("Over all starts:") + lead_table(scores, columns)


def _units(scores: xr.Dataset, name: str) -> str:
    return pretty_units(str(scores["index_units"].sel(index=name).values))
