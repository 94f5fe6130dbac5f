"""Long runs against the training climate, by window and over the floor; and the response to noise, their cause."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure

from triton_earth.core.wording import (
    number,
    one_variable,
    shortened,
    units_of,
    variable_names,
    variable_title,
    variable_words,
)
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import (
    MOST_VARIABLES,
    Cell,
    Picture,
    Section,
    heading,
    left_out,
    paragraph,
    table,
    together,
)
from triton_earth.plots.style import looks, style

_FEW_WINDOWS = 12
_HELD = (0.8, 1.25)
"""Ratios of variances between which a window is shaded as kept."""


def climate_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on the climate of long runs; nothing where there are no climate scores."""
    if "climate_ratio" not in scores:
        return []
    variables = variable_names(scores)
    parts: list[Markup] = [_failures(scores)]
    for variable in variables[:MOST_VARIABLES]:
        if len(variables) > 1:
            parts.append(heading(variable_title(scores, variable)))
        picture = Picture(
            svg_uri(climate_curves(scores, variable)),
            f"Departure from the season and variance of {variable_words(scores, variable)} in windows, every run.",
            f"{variable_title(scores, variable)}, every run: area mean minus the season, and mean square anomaly over "
            f"that expected. Shaded: ratios from {_HELD[0]:g} to {_HELD[1]:g}.",
        )
        parts += [picture.html(), _ratios(scores, variable)]
    return [Section("Climate", together(parts) + left_out(variables))]


def noise_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section on the response to noise; nothing where no model was disturbed."""
    if "noise_gain" not in scores:
        return []
    gain: xr.DataArray = (scores["noise_gain"] ** 2).mean("variable") ** 0.5
    steps = scores["step"].values.tolist()
    columns = ["Waves along a row", *(f"after {step} step{'s' * (step > 1)}" for step in steps)]
    rows = [
        [Cell(str(octave), scope="row")]
        + [Cell(_ratio(float(gain.sel(octave=octave, step=step)))) for step in steps]
        for octave in scores["octave"].values
    ]
    smallest = float(gain.sel(step=steps[-1]).isel(octave=-1))
    what = "damps" if smallest < 1 else "amplifies"
    text = (
        f"Noise of one octave of wavelengths at a time was added to initial states. The table has the size of the "
        f"difference that it makes to the forecast over the size of the noise, the root mean square over variables. "
        f"The model {what} the smallest scales. Models that stay in their climate damp noise that does not belong to "
        f"the flow."
    )
    growth = (
        f"The disturbance that grows fastest grows by a factor of {_ratio(float(scores['one_step_growth']))} in one "
        "step."
    )
    return [
        Section(
            "Response to noise",
            together([paragraph(text), table("scores", columns, rows), paragraph(growth)]),
        )
    ]


def _ratio(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "no longer finite"


def climate_curves(scores: xr.Dataset, variable: str) -> Figure:
    """Draw departure from the season and variance ratio of one variable, window after window.

    Args:
        scores: `climate_departure` (model, init, climate_window, variable), `climate_variance_ratio` (model, init,
            climate_quarter, variable).
        variable: Which variable.

    Returns:
        A figure of two panels, a thin line for each run and a thick one for their mean.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    chosen = scores.sel(variable=variable)
    panels = (
        ("climate_departure", "climate_window", 0.0),
        ("climate_variance_ratio", "climate_quarter", 1.0),
    )
    with style():
        figure = LightFigure((10.4, 3.2))
        for axes, (name, window, middle) in zip(figure.subplots(1, 2), panels, strict=True):
            steps = chosen[window].values.astype(float)
            models = [str(model) for model in chosen["model"].values]
            for model, look in looks(dict.fromkeys(models)).items():
                runs = chosen[name].sel(model=model).transpose("init", window).values
                for run in runs:
                    axes.plot(
                        steps,
                        run,
                        color=look.colour,
                        linewidth=0.6,
                        alpha=0.5,
                        marker=_marker(steps),
                    )
                with np.errstate(invalid="ignore"):
                    axes.plot(
                        steps, runs.mean(axis=0), color=look.colour, linewidth=1.8, label=model
                    )
            axes.axhline(middle, color="#8a9099", linewidth=0.8, zorder=1.5)
            if name == "climate_variance_ratio":
                axes.axhspan(*_HELD, color="#8a9099", alpha=0.12, zorder=0)
            axes.set_title(shortened(str(chosen[name].attrs["long_name"]), 64))
            axes.set_xlabel("last step of the window")
            axes.set_ylabel(units_of(one_variable(scores[name], variable)))
            axes.set_xlim(0.0, 1.01 * steps[-1])
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _marker(steps: np.ndarray) -> str:
    """Return a point where windows are so few that a line alone would not be seen."""
    return "." if len(steps) <= _FEW_WINDOWS else ""


def _failures(scores: xr.Dataset) -> Markup:
    """Return a table of the runs of each model: how many stay, how the others leave."""
    ways = [str(name) for name in scores["failure"].values]
    rows = []
    for model in (str(name) for name in scores["model"].values):
        own = scores.sel(model=model)
        failed = own["climate_failure"].values
        rows.append(
            [
                Cell(model),
                Cell(f"{int((~failed.any(axis=1)).sum())} of {len(failed)}"),
                *(Cell(str(int(count))) for count in failed.sum(axis=0)),
                Cell(number(float(own["climate_skill"]))),
                Cell(number(float(own["climate_skill_worst"]))),
            ]
        )
    head = ["model", "runs inside", *(way.replace("_", " ") for way in ways), "skill", "worst run"]
    return together(
        [
            paragraph(
                "Each run against the training climate at the same times of the year. Climate skill is 1 for a perfect "
                "run, 0 for a state that never changes; a run is inside where 95 of 100 runs of the truth are."
            ),
            table("scores", head, rows),
        ]
    )


def _ratios(scores: xr.Dataset, variable: str) -> Markup:
    """Return a table of climate scores over their noise floor: mean of the runs, and the worst."""
    models = [str(name) for name in scores["model"].values]
    ratio = (
        scores["climate_ratio"]
        .sel(variable=variable)
        .transpose("model", "climate_statistic", "init")
    )
    rows = []
    for place, name in enumerate(str(one) for one in scores["climate_statistic"].values):
        values = ratio.values[:, place]
        if np.isnan(values).all():
            continue
        rows.append(
            [
                Cell(name.replace("_", " ")),
                *(
                    Cell(f"{number(float(row.mean()))}, worst {number(float(row.max()))}")
                    for row in values
                ),
            ]
        )
    return table("scores", ["score over its noise floor", *models], rows)
