"""What happened while forecasts were made, for the report: what the guard saw and what stabilisers changed."""

import numpy as np
import xarray as xr

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.plots.page import Section
from triton_earth.plots.sections.guard import stabilizers, triage
from triton_earth.rollout.guard.training_range import training_pairs
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.storage.forecast_store import ForecastStore


def about_rollout(
    forecasts: ForecastStore | LiveForecasts,
    truth: TrainingStore,
    failure: xr.Dataset | None = None,
    name: str | None = None,
) -> list[Section]:
    """Return the report's sections on what the guard saw and the stabilisers did.

    Args:
        forecasts: The forecasts.
        truth: Training store that holds what followed.
        failure: The forecast that left the training climate first, around that step; None where there is none.
        name: Of several models, what to call this one in the headings.
    """
    sections = []
    if forecasts.guard is not None:
        count = len(forecasts.init_times) * forecasts.members
        sections.append(triage(forecasts.guard, count, failure))
    change = forecasts.stabilizer_change
    if change is not None:
        names = change["corrected"].values.tolist()
        pairs = [pair.select(names).data.flatten(0, 1) for pair in training_pairs(truth, 16)]
        deviation = np.nanstd(np.concatenate(pairs), axis=(0, 2, 3))
        sections.append(stabilizers(change, dict(zip(names, deviation.tolist(), strict=True))))
    if name is None:
        return sections
    return [Section(f"{section.title}: {name}", section.body) for section in sections]
