"""Cells in which forecasts made elsewhere have a value as well as the truth."""

import copy
from collections.abc import Sequence

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.alignment import Forecasts
from triton_earth.evaluation.foreign.forecasts import XarrayForecasts
from triton_earth.evaluation.foreign.truth import XarrayTruth
from triton_earth.evaluation.matching import Selected


def on_common_cells(
    forecasts: Sequence[Forecasts], truth: TrainingStore
) -> tuple[TrainingStore, list[str]]:
    """Return the truth with a valid mask that all forecasts share.

    Files of others say nothing of a mask: the cells without a value in the first field of a forecast are those that are
    not defined. A field without any value is not finite, and a result.

    Args:
        forecasts: What is judged.
        truth: The truth, on their grid.

    Returns:
        The truth, and a sentence for each variable that is scored in fewer cells than the truth has.

    Raises:
        UserError: if a variable has no cell in common.
    """
    theirs = [one for one in forecasts if _is_made_elsewhere(one)]
    if isinstance(truth, XarrayTruth):
        theirs = list(forecasts)
    if not theirs:
        return truth, []
    names = forecasts[0].variables.names
    channels = [truth.variables.names.index(name) for name in names if name in truth.variables]
    ours = np.ones((len(truth.variables), *truth.grid.shape), dtype=bool)
    if truth.valid_mask is not None:
        ours = truth.valid_mask
    common = ours.copy()
    for forecast in theirs:
        field = np.isfinite(forecast.read(slice(0, 1), 0)[0])
        if field.shape[1:] != truth.grid.shape:
            return truth, []  # the alignment refuses the grids, naming both
        own = [names.index(truth.variables.names[channel]) for channel in channels]
        defined = field[own]
        defined[~defined.any(axis=(1, 2))] = True
        common[channels] &= defined
    said = []
    for channel in channels:
        name = truth.variables.names[channel]
        before, after = int(ours[channel].sum()), int(common[channel].sum())
        if not after and before:
            raise UserError(
                f"'{name}' has values in {before} cells of the truth, and the forecast in none of these cells. Check "
                "its land mask, and that both are on one grid."
            )
        if after < before:
            said.append(
                f"'{name}' is scored in {after} of the {before} cells of the truth, those in which every forecast has "
                "a value."
            )
    masked = copy.copy(truth)
    masked.valid_mask = None if common.all() else common
    return masked, said


def _is_made_elsewhere(forecast: Forecasts) -> bool:
    if isinstance(forecast, Selected):
        return _is_made_elsewhere(forecast.chosen_from)
    return isinstance(forecast, XarrayForecasts)
