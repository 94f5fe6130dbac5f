"""Zonal spectra of one variable: one panel for each latitude band, forecasts against truth."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from triton_earth.plots.drawing import Curve, draw_curve
from triton_earth.plots.labels import (
    axis_title,
    long_name,
    one_variable,
    power_of_ten,
    shortened,
    units_of,
    with_units,
)
from triton_earth.plots.lead_times import lead_times
from triton_earth.plots.style import looks, style

_COLUMNS = 3
_DECADES = 10.0


def zonal_spectra(scores: xr.Dataset, variable: str) -> Figure:
    """Draw the zonal spectra of one variable at the last lead.

    Args:
        scores: `zonal_spectrum` of shape (source, variable, latitude_band, zonal_lead_time, zonal_wavenumber).
        variable: Which variable.

    Returns:
        A figure with one panel for each band that the variable has, south first.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    array = one_variable(scores["zonal_spectrum"], variable).isel(zonal_lead_time=-1)
    bands = [
        str(band)
        for band in array["latitude_band"].values
        if np.isfinite(array.sel(source="truth", latitude_band=band).values).any()
    ]
    wavenumber = np.asarray(array["zonal_wavenumber"].values, dtype=np.float64)
    kept = wavenumber > 0
    rows = max(-(-len(bands) // _COLUMNS), 1)
    sources = [str(source) for source in array["source"].values]
    with style():
        figure = Figure(figsize=(10.4, 2.7 * rows), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, sharex=True, squeeze=False).ravel()
        for axes, band in zip(panels, bands, strict=False):
            axes.set_xscale("log")
            axes.set_yscale("log")
            for source, look in looks(sources).items():
                values = array.sel(source=source, latitude_band=band).values[kept]
                shown = np.where(values > 0, values, np.nan).astype(np.float64)
                draw_curve(axes, wavenumber[kept], Curve(shown), look, source)
            truth = array.sel(source="truth", latitude_band=band).values[kept]
            top = float(np.nanmax(np.where(truth > 0, truth, np.nan), initial=0.0))
            if top > 0:
                seen = truth[truth > top / 10**_DECADES]
                axes.set_ylim(float(seen.min()) / 10, top * 10)
            axes.set_title(band.replace("-", " to "))
            axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(NullLocator())
        for axes in panels[len(bands) :]:
            axes.set_axis_off()
        for axes in panels[max(len(bands) - _COLUMNS, 0) : len(bands)]:
            axes.set_xlabel(axis_title(array["zonal_wavenumber"]))
            axes.tick_params(labelbottom=True)
        words = long_name(array).capitalize()
        panels[0].set_ylabel(shortened(with_units(words, units_of(array)), 30))
        panels[0].legend(loc="lower left", fontsize=7)
    return figure


def last_lead(scores: xr.Dataset) -> str:
    """Return the lead that is drawn, in words."""
    return lead_times(scores["zonal_lead_time"]).at(-1)
