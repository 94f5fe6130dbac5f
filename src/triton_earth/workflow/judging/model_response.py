"""How a model that is judged while it forecasts treats noise: scores of the model beside those of its forecasts."""

import numpy as np
import xarray as xr

from triton_earth.evaluation.noise_response import STEPS, leading_growth, noise_response
from triton_earth.rollout.live_forecasts import LiveForecasts

STATES = 2
"""Initial states that are disturbed."""


def with_response(scores: xr.Dataset, forecasts: LiveForecasts) -> xr.Dataset:
    """Return the scores with the model's response to noise: `noise_gain`, `noise_small_scales`, `one_step_growth`.

    Args:
        scores: Scores of its forecasts.
        forecasts: The forecasts, whose model is disturbed.
    """
    steps = [step for step in STEPS if step <= len(forecasts.lead_times)]
    forecaster, initial, forcings = forecasts.beginnings(STATES, max(steps))
    if initial.data.shape[-1] < 4:
        return scores
    found = noise_response(forecaster, initial, forcings, steps=steps)
    _, one, given = forecasts.beginnings(1, forecaster.block)
    growth = float(leading_growth(forecaster, one, None if given is None else given[0]))
    found["one_step_growth"] = (
        (),
        growth,
        {
            "long_name": "growth of the fastest mode of one step",
            "units": "1",
            "definition": "growth from one application to the next of the small disturbance that grows fastest about "
            "the first initial state, by power iteration; above 1 it grows",
        },
    )
    kept = [name for name in scores["variable"].values if name in found["variable"].values]
    return scores.merge(
        found.sel(variable=kept).reindex(variable=scores["variable"].values, fill_value=np.nan),
        compat="override",
        combine_attrs="override",
    )
