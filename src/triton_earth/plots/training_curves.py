"""The course of a training run: its log as curves over steps, and its validation forecasts over leads."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from triton_earth.core.wording import shortened
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.style import looks, style

_COLUMNS = 3
_WIDE = 4.0
"""Ratio of largest and smallest value beyond which an axis becomes logarithmic."""

_EXPECTED = "#8a9099"

_PANELS = {
    "loss": ("Training loss", True),
    "validation_mse": ("Validation error, squared", True),
    "validation_crps": ("Validation CRPS", True),
    "learning_rate": ("Learning rate", False),
    "gradient_norm": ("Norm of the gradient", True),
    "samples_per_second": ("Windows per second", False),
}
"""Title of the panel of each column that is there, and whether its axis is logarithmic where values differ much."""


def log_curves(logs: xr.Dataset) -> Figure:
    """Draw the columns of the log over steps, persistence beside the validation score.

    Args:
        logs: Arrays (step,), NaN where a step has no value. Where there is `expected_NAME` (expected_NAME_step,
            expected_bound), what other runs of the recipe gave is drawn in grey, from the lowest to the highest.
    """
    shown = {name: panel for name, panel in _PANELS.items() if name in logs}
    rows = -(-len(shown) // _COLUMNS)
    with style():
        figure = LightFigure((10.4, 2.6 * rows))
        panels = figure.subplots(rows, _COLUMNS).ravel()
        for axes, (name, (title, logarithmic)) in zip(panels, shown.items(), strict=False):
            curves = {"model": logs[name]}
            if name == "validation_mse":
                curves["persistence"] = logs["persistence_mse"]
            for label, look in looks(curves).items():
                _over_steps(axes, curves[label], look.colour, look.line, label)
            if f"expected_{name}" in logs:
                _expected(axes, logs[f"expected_{name}"])
            _finish(axes, title, logarithmic=logarithmic)
        if len(shown) < len(panels):
            _legend(panels[1], panels[len(shown)])
        else:
            panels[1].legend()
    return figure


def _expected(axes: Axes, values: xr.DataArray) -> None:
    """Draw the mean and the range of other runs behind what is there."""
    steps = values[str(values.dims[0])].values
    low, high = (values.sel(expected_bound=end).values for end in ("lowest", "highest"))
    axes.fill_between(steps, low, high, color=_EXPECTED, alpha=0.25, linewidth=0, zorder=1)
    axes.plot(
        steps,
        values.sel(expected_bound="mean").values,
        color=_EXPECTED,
        linewidth=1.0,
        zorder=1,
        label="expected",
    )


def lead_losses(logs: xr.Dataset, variables: list[str]) -> Figure:
    """Draw the training loss of each variable over steps, one line for each lead.

    Args:
        logs: `lead_loss` (step, lead, variable), NaN where a step has no such lead.
        variables: Which variables, one panel each.
    """
    return _panels(logs["lead_loss"], variables, "step", "lead", "Step", "lead")


def rollout_errors(logs: xr.Dataset, variables: list[str]) -> Figure:
    """Draw the error of validation forecasts over leads, early and late in training, persistence beside them.

    Args:
        logs: `rmse` and `persistence_rmse` (validated_step, validation_lead, variable).
        variables: Which variables, one panel each.
    """
    errors = logs["rmse"].isel(validated_step=_some_steps(logs))
    return _panels(
        errors,
        variables,
        "validation_lead",
        "validated_step",
        "Lead (steps)",
        "step",
        logs["persistence_rmse"].isel(validated_step=-1),
    )


def rollout_variances(logs: xr.Dataset, name: str, variables: list[str]) -> Figure:
    """Draw a log ratio of forecast to true variance over leads, early and late in training.

    Args:
        logs: `log_variance_ratio`, `log_small_scale_ratio` (validated_step, validation_lead, variable).
        name: Which of them.
        variables: Which variables, one panel each.
    """
    ratios = logs[name].isel(validated_step=_some_steps(logs))
    return _panels(
        ratios, variables, "validation_lead", "validated_step", "Lead (steps)", "step", signed=True
    )


def _some_steps(logs: xr.Dataset) -> list[int]:
    last = logs.sizes["validated_step"] - 1
    return sorted({round(place) for place in np.linspace(0, last, 4)})


def _panels(
    values: xr.DataArray,
    variables: list[str],
    along: str,
    lines: str,
    axis: str,
    word: str,
    persistence: xr.DataArray | None = None,
    *,
    signed: bool = False,
) -> Figure:
    """Draw one panel for each variable, one line for each value of a coordinate; zero in the middle where signed."""
    rows = -(-(len(variables) + 1) // _COLUMNS)
    with style():
        figure = LightFigure((10.4, 2.75 * rows))
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, variable in zip(panels, variables, strict=False):
            curves = {
                f"{word} {number}": values.sel({lines: number, "variable": variable})
                for number in values[lines].values.tolist()
            }
            if persistence is not None:
                curves["persistence"] = persistence.sel(variable=variable)
            for label, look in looks(curves).items():
                _over_steps(axes, curves[label], look.colour, look.line, label, along)
            _finish(axes, variable, logarithmic=not signed, axis=axis, signed=signed)
        _legend(panels[0], panels[len(variables)])
        for axes in panels[len(variables) + 1 :]:
            axes.set_axis_off()
    return figure


def _over_steps(
    axes: Axes, values: xr.DataArray, colour: str, line: Any, label: str, along: str = "step"
) -> None:
    shown = np.isfinite(values.values)
    axes.plot(
        values[along].values[shown],
        values.values[shown],
        color=colour,
        linestyle=line,
        marker="o" if shown.sum() == 1 else None,
        label=label,
    )


def _finish(
    axes: Axes, title: str, *, logarithmic: bool, axis: str = "Step", signed: bool = False
) -> None:
    axes.set_title(shortened(title))
    axes.set_xlabel(axis)
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.get_lines()])
    positive = values[values > 0]
    if logarithmic and positive.size and positive.max() > _WIDE * positive.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    elif signed:
        axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
    elif not logarithmic:
        axes.set_ylim(bottom=0.0)


def _legend(shown: Axes, place: Axes) -> None:
    place.set_axis_off()
    handles, labels = shown.get_legend_handles_labels()
    place.legend(handles, labels, loc="center left")
