"""Eddies of one case: sea level of truth and forecast at several leads, with a circle around each eddy."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from triton_earth.physics.sphere import EARTH_RADIUS
from triton_earth.plots.panels import state_and_forecast_panels

ANTICYCLONE, CYCLONE = "#8c2029", "#12345f"
"""Colours of the two senses."""


def eddy_maps(example: xr.Dataset) -> Figure:
    """Draw the sea level of truth and forecast with their eddies.

    Args:
        example: `truth` and `forecast` (variable, lead_time, y, x) with eddies as
            `triton_earth.evaluation.example.with_eddies` gives them.

    Returns:
        A figure with two rows and one column per lead. Circles have the radius of the eddy; solid: anticyclonic,
        dashed: cyclonic.
    """
    figure, grid, shown = state_and_forecast_panels(example, str(example.attrs["eddies"]))
    for line, source in zip(grid, ("truth", "forecast"), strict=True):
        for axes, lead in zip(line, shown, strict=True):
            here = (example["eddy_source"] == source) & (example["eddy_lead"] == lead)
            _circles(axes, example.isel(eddy=np.flatnonzero(here.values)))
    return figure


def _circles(axes: Axes, eddies: xr.Dataset) -> None:
    for number in range(eddies.sizes["eddy"]):
        eddy = eddies.isel(eddy=number)
        latitude, longitude = float(eddy["eddy_latitude"]), float(eddy["eddy_longitude"])
        height = np.rad2deg(2 * float(eddy["eddy_radius"]) / EARTH_RADIUS)
        warm = float(eddy["eddy_amplitude"]) > 0
        axes.add_patch(
            Ellipse(
                (longitude, latitude),
                height / max(np.cos(np.deg2rad(latitude)), 0.05),
                height,
                fill=False,
                edgecolor=ANTICYCLONE if warm else CYCLONE,
                linestyle="-" if warm else (0, (3, 1.5)),
                linewidth=1.1,
                zorder=3.0,
            )
        )
