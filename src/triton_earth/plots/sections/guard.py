"""What the guard saw and what stabilisers changed, as HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import number, told_apart, variable_words
from triton_earth.evaluation.failure import steps_around
from triton_earth.plots.embedding import png_uri
from triton_earth.plots.maps import place
from triton_earth.plots.page import Cell, Picture, Section, paragraph, table
from triton_earth.plots.panels import panels

_MOST_ROWS = 6


def first_trips(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the first trip of each forecast that left the climate, in order of steps.

    Args:
        record: What the guard stored with the forecast.
    """
    first: dict[tuple[int, int | None], dict[str, Any]] = {}
    for trip in record["trips"]:
        first.setdefault((trip["init"], trip.get("member")), trip)
    return list(first.values())


def triage(record: Mapping[str, Any], forecasts: int, example: xr.Dataset | None) -> Section:
    """Return the section of the report about what the guard saw.

    Args:
        record: What the guard stored with the forecast.
        forecasts: Number of forecasts.
        example: `truth`, `forecast` and `error` (variable, lead_time, y, x) of the forecast that left first, at leads
            around that; None where there is nothing to show.

    Returns:
        A sentence; where a forecast left the climate a table and, with an example, maps before and after.
    """
    first = first_trips(record)
    began = {(trip["init"], trip.get("member")) for trip in record.get("began_outside", ())}
    states = record.get("climate_source", "training states")
    basis = f"ranges over {record['climate_states']} {states}, with margins"
    if not first:
        words = (
            f"Every state of {forecasts} forecasts stayed within the training climate ({basis})."
            f"{_began(len(began))}"
        )
        return Section("Guard", paragraph(words))
    stopped = "; each was stopped there, and its later states are missing"
    happened = stopped if str(record["policy"]) == "stop" else ""
    body = paragraph(
        f"{len(first)} of {forecasts} forecasts left the training climate during the rollout{happened}. Climate: "
        f"{basis}.{_began(len(began))} The first to leave:"
    ) + _table(first, example)
    if example is not None:
        body += _picture(first[0], example)
    return Section("Guard", body)


def _began(count: int) -> str:
    """Return in a sentence how many forecasts began outside, or nothing where none did."""
    if not count:
        return ""
    return (
        f" In {count} the initial state was outside already: that does not count, but a statistic that gets twice as "
        "far from the climate does."
    )


def _table(trips: Sequence[Mapping[str, Any]], example: xr.Dataset | None) -> Markup:
    heading = (
        "Forecast",
        "Lead",
        "Variable",
        "Statistic",
        "Value",
        "Climate",
        "Where",
        "Scale",
        "Growth",
    )
    rows = []
    for trip in trips[:_MOST_ROWS]:
        cell = _place(trip, example)
        left = trip["scale_step"]
        scale = f"{trip['scale']}, {'nearest to leaving' if left is None else f'first, at {_lead(left, example)}'}"
        growth = "–" if trip["growth_rate"] is None else f"{number(trip['growth_rate'])} per step"
        value, lower, upper = _numbers(trip)
        columns = (
            _forecast(trip),
            _lead(trip["step"], example),
            trip["variable"] if example is None else variable_words(example, trip["variable"]),
            trip["statistic"],
            value,
            f"{lower} to {upper}",
            cell,
            scale,
            growth,
        )
        rows.append([Cell(column) for column in columns])
    body, more = table("triage", heading, rows), len(trips) - _MOST_ROWS
    if more > 0:
        body += Markup(
            "<p>{} more are in the forecast store, attribute <code>guard</code>.</p>"
        ).format(more)
    return body


def _numbers(trip: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return value and bounds as other numbers of the report, or with as many digits as tell them apart."""
    value, lower, upper = (trip[key] for key in ("value", "lower", "upper"))
    shown, low, high = ("–" if one is None else number(one) for one in (value, lower, upper))
    return told_apart(value, lower, upper) if shown in (low, high) else (shown, low, high)


def _forecast(trip: Mapping[str, Any]) -> str:
    member, which = trip.get("member"), str(trip.get("init_time") or trip["init"])
    return which if member is None else f"{which}, member {member}"


def _lead(step: int, example: xr.Dataset | None) -> str:
    """Return a step as a lead: ``day 4``; without an example, which has the lead times, ``step 4``."""
    return (
        f"step {step}" if example is None else lead_times(example["lead_time"]).of_step(float(step))
    )


def _place(trip: Mapping[str, Any], example: xr.Dataset | None) -> str:
    """Return where a state is worst: in degrees or coordinates or, without an example, row and column."""
    if trip["y"] is None:
        return "–"
    if example is None:
        return f"row {trip['y']}, column {trip['x']}"
    return place(example["truth"], trip["y"], trip["x"])


def _picture(trip: Mapping[str, Any], example: xr.Dataset) -> Markup:
    variable, step = trip["variable"], trip["step"]
    words = variable_words(example, variable)
    return Picture(
        png_uri(_marked(panels(example, variable, steps_around(step)), trip, example)),
        f"Maps of {words} before and after {_lead(step, example)}: truth, forecast and error.",
        f"Forecast {_forecast(trip)}, the first to leave: {words} before, at ({_lead(step, example)}) "
        "and after. Truth and forecast share their colours, which the truth sets. Grey: no finite value."
        + ("" if trip["y"] is None else f" Cross: the worst cell, {_place(trip, example)}."),
    ).html()


def _marked(figure: Figure, trip: Mapping[str, Any], example: xr.Dataset) -> Figure:
    """Mark the worst cell on every map."""
    if trip["y"] is None:
        return figure
    y_name, x_name = example["truth"].dims[-2:]
    at = float(example[x_name][trip["x"]]), float(example[y_name][trip["y"]])
    for axes in figure.axes:
        if axes.images:
            axes.plot(*at, marker="x", markersize=7, color="#000000", markeredgewidth=2.6, zorder=4)
            axes.plot(*at, marker="x", markersize=6, color="#ffd400", markeredgewidth=1.2, zorder=5)
    return figure


_MOST_CHANGES = 24


def stabilizers(change: xr.DataArray, spread: dict[str, float]) -> Section:
    """Return the section of the report about the stabilisers.

    Args:
        change: Root mean square change per step, (init, …, lead_time, corrected, stabilizer), as stored.
        spread: Standard deviation of each corrected variable over the training data, for comparison.

    Returns:
        A table with a row for each stabiliser and variable: mean, last and largest change.
    """
    others = [dim for dim in change.dims if dim not in ("lead_time", "corrected", "stabilizer")]
    with np.errstate(invalid="ignore"):
        by_lead = change.astype(np.float64).mean(others, skipna=True)
    rows = []
    for name in change["stabilizer"].values.tolist():
        for variable in change["corrected"].values.tolist():
            series = by_lead.sel(stabilizer=name, corrected=variable).values
            if not np.nanmax(np.append(series, 0.0)) > 0:
                continue
            mean = float(np.nanmean(series))
            part = f"{100 * mean / spread[variable]:.3g} %" if spread.get(variable, 0) > 0 else "–"
            texts = (
                name.replace("_", " "),
                variable,
                number(mean),
                part,
                number(float(series[-1])) if np.isfinite(series[-1]) else "–",
                number(float(np.nanmax(series))),
            )
            rows.append([Cell(text) for text in texts])
    switched = ", ".join(name.replace("_", " ") for name in change["stabilizer"].values.tolist())
    if not rows:
        said = paragraph(f"Switched on: {switched}. None changed a state.")
        return Section("Stabilisers", said)
    said = paragraph(f"Switched on: {switched}. Root mean square change of the state per step:")
    columns = (
        "Stabiliser",
        "Variable",
        "Mean change",
        "Of its standard deviation",
        "At the last lead",
        "Largest",
    )
    body = said + table("triage", columns, rows[:_MOST_CHANGES])
    more = len(rows) - _MOST_CHANGES
    if more > 0:
        body += paragraph(f"{more} more are in the forecast store.")
    return Section("Stabilisers", body)
