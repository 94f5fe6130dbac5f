"""What stabilisers did: how much each changed the states of a rollout."""

import numpy as np
import xarray as xr

from triton_earth.core.wording import number
from triton_earth.plots.page import Cell, Section, paragraph, table

_MOST_ROWS = 24


def stabilizers(change: xr.DataArray, spread: dict[str, float]) -> Section:
    """Return the section of the report about the stabilisers.

    Args:
        change: Root mean square change per step, (init, …, lead_time, corrected, stabilizer), as stored.
        spread: Standard deviation of each corrected variable over the training data, for comparison.

    Returns:
        A table with a row for each stabiliser and variable: mean, last and largest change.
    """
    others = [dim for dim in change.dims if dim not in ("lead_time", "corrected", "stabilizer")]
    with np.errstate(invalid="ignore"):
        by_lead = change.astype(np.float64).mean(others, skipna=True)
    rows = []
    for name in change["stabilizer"].values.tolist():
        for variable in change["corrected"].values.tolist():
            series = by_lead.sel(stabilizer=name, corrected=variable).values
            if not np.nanmax(np.append(series, 0.0)) > 0:
                continue
            mean = float(np.nanmean(series))
            part = f"{100 * mean / spread[variable]:.3g} %" if spread.get(variable, 0) > 0 else "–"
            texts = (
                name.replace("_", " "),
                variable,
                number(mean),
                part,
                number(float(series[-1])) if np.isfinite(series[-1]) else "–",
                number(float(np.nanmax(series))),
            )
            rows.append([Cell(text) for text in texts])
    switched = ", ".join(name.replace("_", " ") for name in change["stabilizer"].values.tolist())
    if not rows:
        said = paragraph(f"Switched on: {switched}. None changed a state.")
        return Section("Stabilisers", said)
    said = paragraph(f"Switched on: {switched}. Root mean square change of the state per step:")
    columns = (
        "Stabiliser",
        "Variable",
        "Mean change",
        "Of its standard deviation",
        "At the last lead",
        "Largest",
    )
    body = said + table("triage", columns, rows[:_MOST_ROWS])
    more = len(rows) - _MOST_ROWS
    if more > 0:
        body += paragraph(f"{more} more are in the forecast store.")
    return Section("Stabilisers", body)
