"""What stabilisers did: how much each changed the states of a rollout."""

from html import escape

import numpy as np
import xarray as xr

from triton_earth.core.wording import number
from triton_earth.plots.page import Section

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
            columns = (
                name.replace("_", " "),
                variable,
                number(mean),
                part,
                number(float(series[-1])) if np.isfinite(series[-1]) else "–",
                number(float(np.nanmax(series))),
            )
            rows.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in columns) + "</tr>")
    switched = ", ".join(name.replace("_", " ") for name in change["stabilizer"].values.tolist())
    said = f"<p>Switched on: {escape(switched)}. Root mean square change of the state per step:</p>"
    if not rows:
        return Section(
            "Stabilisers", f"<p>Switched on: {escape(switched)}. None changed a state.</p>"
        )
    heading = (
        "Stabiliser",
        "Variable",
        "Mean change",
        "Of its standard deviation",
        "At the last lead",
        "Largest",
    )
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heading)
    more = (
        f"<p>{len(rows) - _MOST_ROWS} more are in the forecast store.</p>"
        if len(rows) > _MOST_ROWS
        else ""
    )
    return Section(
        "Stabilisers",
        f'{said}<div class="wide"><table class="triage"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows[:_MOST_ROWS])}</tbody></table></div>{more}",
    )
