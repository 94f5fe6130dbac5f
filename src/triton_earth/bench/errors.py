"""Errors of single forecasts at the leads of the table: what intervals over seeds and trajectories are made of."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.evaluation.alignment import Forecasts, Truth, align
from triton_earth.evaluation.metrics.error_metrics import mean_square_error, relative_l2
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.regions.weights import cell_weights

RELATIVE_L2, NORMALIZED = "relative_l2", "normalized_mse"
"""What the error of one forecast is: of a single variable, and of several."""

LONG_NAMES = {
    RELATIVE_L2: "relative L2 error",
    NORMALIZED: "root mean square error in units of the training standard deviation, over all variables",
}


def error_kind(variables: int) -> str:
    """Return the kind of error of one forecast with so many variables."""
    return RELATIVE_L2 if variables == 1 else NORMALIZED


def finished(kind: str, mean: np.ndarray) -> np.ndarray:
    """Return the error that the table shows, from the mean over forecasts."""
    return mean if kind == RELATIVE_L2 else np.sqrt(mean)


def forecast_errors(
    forecast: Forecasts, truth: Truth, leads: Sequence[int], std: Sequence[float]
) -> Float64[np.ndarray, "init lead"]:
    """Return the error of each forecast at some leads.

        one variable: ‖f − t‖ / ‖t‖,      several: mean over variables of ⟨w (f − t)²⟩ / σ²

    Args:
        forecast: Forecasts.
        truth: Store with what followed.
        leads: Numbers of leads; the first step is 1.
        std: σ, the standard deviation of each forecast variable in the training split.

    Raises:
        UserError: if a forecast has no truth at one of the leads.
    """
    alignment = align(forecast, truth)
    place = {int(number): index for index, number in enumerate(alignment.numbers)}
    lacking = [lead for lead in leads if lead not in place]
    if lacking or not alignment.available[:, [place[lead] for lead in leads]].all():
        raise UserError(
            f"leads: the truth ends before lead {max(leads)} of some forecasts. Take shorter leads, or start "
            "forecasts earlier (forecast.init_every)."
        )
    weights = cell_weights(truth.grid, "cell_area")
    mask = None if truth.valid_mask is None else truth.valid_mask[alignment.channels]
    found = np.empty((len(forecast.init_times), len(leads)))
    for column, lead in enumerate(leads):
        index = place[lead]
        for row, start in enumerate(alignment.starts):
            fields = forecast.read(slice(row, row + 1), int(alignment.leads[index]))
            time = int(start + alignment.offsets[index])
            true = truth.read(int(forecast.trajectories[row]), slice(time, time + 1))
            sums = error_sums(fields, true[:, alignment.channels], weights, mask)
            if len(std) == 1:
                found[row, column] = relative_l2(sums)[0, 0]
            else:
                found[row, column] = np.mean(mean_square_error(sums)[0] / np.square(std))
    return found


def reference_errors(
    scores: xr.Dataset, name: str, leads: Sequence[int], std: Sequence[float]
) -> Float64[np.ndarray, " lead"]:
    """Return the error of a reference forecast as the table shows it, from the scores of an evaluation."""
    chosen = scores.sel(forecast=name)
    numbers = chosen["lead"].values.tolist()
    at = [numbers.index(lead) for lead in leads]
    if len(std) == 1:
        return chosen["relative_l2"].values[0, at].astype(np.float64)
    squares = chosen["mse"].values[:, at] / np.square(std)[:, None]
    return np.sqrt(squares.mean(axis=0))
