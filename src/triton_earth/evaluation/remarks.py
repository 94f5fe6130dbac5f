"""Remarks: what a reader of the scores must know about what was scored, in sentences."""

import numpy as np
import xarray as xr

from triton_earth.evaluation.alignment import Alignment, Forecasts

REMARKS = "remarks"
"""Attribute of the scores that holds them, one a line."""


def remarks(scores: xr.Dataset) -> list[str]:
    """Return the sentences on what was scored, and what was not."""
    return str(scores.attrs.get(REMARKS, "")).splitlines()


def coverage(forecast: Forecasts, alignment: Alignment) -> list[str]:
    """Return sentences on the leads and initial conditions for which there is a truth.

    Args:
        forecast: Stored forecasts.
        alignment: Which of them have a truth.
    """
    found = []
    scored, stored = len(alignment.leads), len(forecast.lead_times)
    if scored < stored:
        ends = alignment.leads[-1] < stored - 1
        why = "the truth ends there" if ends else "the truth has no state at the others"
        found.append(f"Scored over {scored} of the forecast's {stored} leads: {why}.")
    absent = np.flatnonzero(alignment.starts < 0)
    if absent.size:
        first, last = (np.asarray(forecast.init_times)[absent[place]] for place in (0, -1))
        found.append(
            f"{absent.size} of {len(alignment.starts)} initial conditions are left out: the truth does not have their "
            f"initial times, {first} to {last}."
        )
    counts = alignment.available.sum(axis=0)
    if counts.min() < len(alignment.starts):
        shown = np.unique(np.linspace(0, scored - 1, 5).round().astype(np.int64))
        parts = ", ".join(
            f"{counts[lead]} at step {alignment.numbers[lead]}" for lead in shown.tolist()
        )
        found.append(f"Initial conditions with a truth, of {len(alignment.starts)}: {parts}.")
    return found
