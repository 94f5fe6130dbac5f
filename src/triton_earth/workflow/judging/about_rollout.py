"""What happened while forecasts were made, for the report: what the guard saw and what stabilisers changed."""

from typing import Any

import numpy as np

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.example import example_case
from triton_earth.plots.page import Section
from triton_earth.plots.sections.guard import first_trips, stabilizers, steps_around, triage
from triton_earth.rollout.guard.training_range import training_pairs
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.storage.forecast_store import ForecastStore


def about_rollout(
    forecasts: ForecastStore | LiveForecasts, truth: TrainingStore, name: str | None = None
) -> list[Section]:
    """Return the report's sections on what the guard saw and the stabilisers did.

    Args:
        forecasts: The forecasts.
        truth: Training store that holds what followed.
        name: Of several models, what to call this one in the headings.
    """
    sections = (
        [] if forecasts.guard is None else [_guard_section(forecasts, forecasts.guard, truth)]
    )
    change = forecasts.stabilizer_change
    if change is not None:
        names = change["corrected"].values.tolist()
        pairs = [pair.select(names).data.flatten(0, 1) for pair in training_pairs(truth, 16)]
        deviation = np.nanstd(np.concatenate(pairs), axis=(0, 2, 3))
        sections.append(stabilizers(change, dict(zip(names, deviation.tolist(), strict=True))))
    if name is None:
        return sections
    return [Section(f"{section.title}: {name}", section.body) for section in sections]


def _guard_section(
    forecasts: ForecastStore | LiveForecasts, guard: dict[str, Any], truth: TrainingStore
) -> Section:
    """Return the report's section on the guard, with maps of the forecast that left the climate first."""
    first = first_trips(guard)[:1]
    example = None
    for trip in first:
        alignment = align(forecasts, truth)
        reached = alignment.numbers[alignment.available[trip["init"]]]
        leads = [step for step in steps_around(trip["step"]) if step in reached]
        if leads:
            example = example_case(forecasts, truth, init=trip["init"], leads=leads)
    return triage(guard, len(forecasts.init_times) * forecasts.members, example)
