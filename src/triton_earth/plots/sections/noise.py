"""The report's section on how a model treats noise: a table by scale and step, and what it means."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from triton_earth.plots.page import Cell, Section, paragraph, table, together


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
