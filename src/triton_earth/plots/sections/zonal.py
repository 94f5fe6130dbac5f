"""Zonal spectra of one variable by latitude band: forecasts against truth, and their ratio over lead time."""

import numpy as np
import xarray as xr
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    long_name,
    one_variable,
    power_of_ten,
    shortened,
    units_of,
    with_units,
)
from triton_earth.plots.drawing import Curve, curves_of, draw_curve, edges, ratio_bar, scale_axis
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.style import error_colours, looks, style

_COLUMNS = 3
_DECADES = 10.0


def zonal_spectra(scores: xr.Dataset, variable: str) -> Figure:
    """Draw the zonal spectra of one variable at the last lead.

    Args:
        scores: `zonal_spectrum` of shape (source, variable, latitude_band, zonal_lead_time, zonal_wavenumber), with
            `zonal_spectrum_interval` (…, bound) where there are intervals.
        variable: Which variable.

    Returns:
        A figure with one panel for each band that the variable has, south first.

    Raises:
        KeyError: if the variable is not in `scores`.
    """
    array = one_variable(scores["zonal_spectrum"], variable).isel(zonal_lead_time=-1)
    last = scores.isel(zonal_lead_time=-1, zonal_wavenumber=scores["zonal_wavenumber"].values > 0)
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
        figure = LightFigure((10.4, 2.7 * rows))
        panels = figure.subplots(rows, _COLUMNS, sharex=True, squeeze=False).ravel()
        for axes, band in zip(panels, bands, strict=False):
            axes.set_xscale("log")
            axes.set_yscale("log")
            where = {"variable": variable, "latitude_band": band}
            curves = curves_of(last, "zonal_spectrum", "source", **where)
            for source, look in looks(sources).items():
                shown, ends = curves[source].values, curves[source].bounds
                bounds = None if ends is None else np.where(ends > 0, ends, np.nan)
                curve = Curve(np.where(shown > 0, shown, np.nan), bounds)
                draw_curve(axes, wavenumber[kept], curve, look, source)
            truth = array.sel(source="truth", latitude_band=band).values[kept]
            top = float(np.nanmax(np.where(truth > 0, truth, np.nan), initial=0.0))
            if top > 0:
                seen = truth[truth > top / 10**_DECADES]
                axes.set_ylim(float(seen.min()) / 10, top * 10)
            axes.set_title(band.replace("-", " to "))
            axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
            axes.yaxis.set_minor_locator(NullLocator())
            scale_axis(axes.xaxis, array["zonal_wavenumber"])
            axes.set_xlabel("")
        for axes in panels[len(bands) :]:
            axes.set_axis_off()
        for axes in panels[max(len(bands) - _COLUMNS, 0) : len(bands)]:
            scale_axis(axes.xaxis, array["zonal_wavenumber"])
            axes.tick_params(labelbottom=True)
        words = long_name(array).capitalize()
        panels[0].set_ylabel(shortened(with_units(words, units_of(array)), 30))
        panels[0].legend(loc="lower left", fontsize=7)
    return figure


def zonal_maps(scores: xr.Dataset, variable: str, forecast: str) -> Figure:
    """Draw the ratio of the zonal spectra of one forecast and the truth, wavenumber against lead.

    Args:
        scores: `zonal_ratio` of shape (forecast, variable, latitude_band, zonal_lead_time, zonal_wavenumber).
        variable: Which variable.
        forecast: Which forecast.

    Returns:
        A figure with one heat map for each latitude band that the variable has, south first.

    Raises:
        KeyError: if variable or forecast is not in `scores`.
    """
    array = scores["zonal_ratio"].sel(variable=variable, forecast=forecast)
    array = array.transpose("latitude_band", "zonal_lead_time", "zonal_wavenumber")
    array = array.isel(zonal_wavenumber=scores["zonal_wavenumber"].values > 0)
    shown = [band for band in array if np.isfinite(band.values).any()]
    leads = lead_times(scores["zonal_lead_time"])
    rows = max(-(-len(shown) // _COLUMNS), 1)
    with style():
        figure = LightFigure((10.4, 2.5 * rows))
        grid = figure.subplots(rows, _COLUMNS, squeeze=False)
        panels = grid.ravel()
        for axes, band in zip(panels, shown, strict=False):
            positive = np.where(band.values > 0, band.values, np.nan)
            heat = axes.pcolormesh(
                edges(leads.values),
                edges(band["zonal_wavenumber"].values.astype(np.float64)),
                np.log2(positive).T,
                cmap=error_colours(),
                norm=Normalize(-3, 3),
                rasterized=True,
            )
            axes.set_yscale("log")
            scale_axis(axes.yaxis, array["zonal_wavenumber"])
            axes.set_ylabel("")
            axes.set_title(str(band["latitude_band"].values).replace("-", " to "))
            axes.grid(visible=False)
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        for axes in panels[max(len(shown) - _COLUMNS, 0) : len(shown)]:
            axes.set_xlabel(leads.axis_title)
        for axes in grid[:, 0]:
            scale_axis(axes.yaxis, array["zonal_wavenumber"])
        if shown:
            ratio_bar(figure, heat, list(panels[: len(shown)]))
    return figure


def last_lead(scores: xr.Dataset) -> str:
    """Return the lead that is drawn, in words."""
    return lead_times(scores["zonal_lead_time"]).at(-1)
