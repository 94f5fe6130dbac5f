"""The forecasts of one initial condition: what moves, maps of every variable, several models side by side."""

from collections.abc import Mapping

import xarray as xr
from markupsafe import Markup

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import variable_names, variable_title, variable_words
from triton_earth.plots.animation import animation, comparison, leads_shown
from triton_earth.plots.embedding import data_uri, png_uri
from triton_earth.plots.page import MOST_VARIABLES, Picture, Section, left_out, together
from triton_earth.plots.panels import (
    error_panels,
    halfway,
    model_panels,
    panels,
    state_panels,
)

_MOST_MOVING = 3
_COLOURS = (
    "Truth and forecasts share their colours, which the truth sets. Shaded: the variable does not exist there; "
    "grey: the forecast is not finite."
)


def example_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that shows the forecasts of one initial condition, of one model or of several side by side."""
    first = next(iter(examples.values()))
    seen = several_models(examples) if len(examples) > 1 else one_forecast(first)
    return [Section("One forecast in pictures", seen + left_out(variable_names(first)))]


def one_forecast(example: xr.Dataset) -> Markup:
    """Return the pictures of one forecast.

    Args:
        example: `truth`, `forecast` and `error` of shape (variable, lead_time, y, x) from one initial condition.

    Returns:
        HTML: animations, the state half-way of all variables, each variable at several leads.
    """
    variables = variable_names(example)
    parts = [
        _moving(
            animation(example, variable),
            example.sizes["lead_time"],
            f"Animation of {variable_words(example, variable)}: truth, forecast and error side by side.",
            f"{variable_title(example, variable)}, {_started(example)}",
            f"Error: forecast minus truth. {_COLOURS}",
        )
        for variable in variables[:_MOST_MOVING]
    ]
    parts += [
        _moving(
            animation(_anomalies(example), variable),
            example.sizes["lead_time"],
            f"Animation of the anomaly of {variable_words(example, variable)}: truth, forecast and error side by side.",
            f"{variable_title(example, variable)}, anomaly from climatology, {_started(example)}",
            f"Error: forecast minus truth. {_COLOURS}",
        )
        for variable in _with_anomalies(example)
    ]
    shown = variables[:MOST_VARIABLES]
    at = lead_times(example["lead_time"]).at(halfway(example))
    parts.append(
        Picture(
            png_uri(state_panels(example, shown)),
            f"Maps of {', '.join(variable_words(example, one) for one in shown)}: initial state, truth, forecast and "
            f"error after {at}.",
            f"Half-way, after {at}: the initial state, the truth, the forecast and its error. {_COLOURS}",
        ).html()
    )
    parts += [
        Picture(
            png_uri(panels(example, variable)),
            f"Maps of {variable_words(example, variable)}: truth, forecast and error at several leads.",
            f"{variable_title(example, variable)} at several leads. Arrows on a colour bar: values lie beyond it.",
        ).html()
        for variable in shown
    ]
    return together(parts)


def several_models(examples: Mapping[str, xr.Dataset]) -> Markup:
    """Return the pictures of several models from one initial condition.

    Args:
        examples: For each model by name what `one_forecast` takes, of the same initial condition and leads.

    Returns:
        HTML: animations of all models side by side, their states and their errors at several leads.
    """
    first = next(iter(examples.values()))
    variables, names = variable_names(first), ", ".join(examples)
    parts = [
        _moving(
            comparison(examples, variable),
            first.sizes["lead_time"],
            f"Animation of {variable_words(first, variable)}: the truth, {names} side by side.",
            f"{variable_title(first, variable)}, {_started(first)}",
            f"Below each model its error, forecast minus truth. {_COLOURS}",
        )
        for variable in variables[:_MOST_MOVING]
    ]
    anomalies = {name: _anomalies(one) for name, one in examples.items()}
    parts += [
        _moving(
            comparison(anomalies, variable),
            first.sizes["lead_time"],
            f"Animation of the anomaly of {variable_words(first, variable)}: the truth, {names} side by side.",
            f"{variable_title(first, variable)}, anomaly from climatology, {_started(first)}",
            f"Below each model its error, forecast minus truth. {_COLOURS}",
        )
        for variable in _with_anomalies(first)
    ]
    for variable in variables[:MOST_VARIABLES]:
        parts += [
            Picture(
                png_uri(model_panels(examples, variable)),
                f"Maps of {variable_words(first, variable)} at several leads: the truth, {names}.",
                f"{variable_title(first, variable)} at several leads: the truth above, the models below it. {_COLOURS}",
            ).html(),
            Picture(
                png_uri(error_panels(examples, variable)),
                f"Maps of the error of {variable_words(first, variable)} at several leads: {names}.",
                f"{variable_title(first, variable)}: errors, forecast minus truth, all in the same colours.",
            ).html(),
        ]
    return together(parts)


def _with_anomalies(example: xr.Dataset) -> list[str]:
    """Return the variables whose anomalies move too."""
    return [str(name) for name in example.attrs.get("anomalies", [])][:_MOST_MOVING]


def _anomalies(example: xr.Dataset) -> xr.Dataset:
    """Return an example with anomalies in place of fields, where it has them."""
    if "truth_anomaly" not in example:
        return example
    return example.assign(truth=example["truth_anomaly"], forecast=example["forecast_anomaly"])


def _moving(content: bytes, leads: int, alt: str, title: str, caption: str) -> Markup:
    shown = leads_shown(content)
    over = "all leads" if shown == leads else f"{shown} of {leads} leads, the start among them"
    words = f"{title}, over {over}. {caption}"
    return Picture(data_uri(content, "image/webp"), alt, words, moving=True).html()


def _started(example: xr.Dataset) -> str:
    time = str(example.attrs.get("init_time", ""))
    date = time[:16].replace("T", " ").removesuffix(" 00:00") if "T" in time else ""
    return f"forecast of {date}" if date else "one initial condition"
