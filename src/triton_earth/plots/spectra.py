"""Spectra over lead time: forecast against truth at several leads, log-log, with the resolved range marked."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from triton_earth.plots.drawing import Curve, draw_curve
from triton_earth.plots.labels import (
    axis_title,
    long_name,
    power_of_ten,
    shortened,
    units_of,
    with_units,
)
from triton_earth.plots.lead_times import lead_times
from triton_earth.plots.style import looks, style

SPECTRA = ("enstrophy_spectrum", "energy_spectrum")
"""Spectra over lead time, in the order in which they are shown."""

_DECADES = 8.0


def spectra(
    spectrum: xr.DataArray,
    steps: tuple[int, ...] | None = None,
    interval: xr.DataArray | None = None,
) -> Figure:
    """Draw one spectrum of every source at several leads.

    Args:
        spectrum: Shape (source, lead, wavenumber or degree); the attribute `resolved_wavenumber` of the wavenumbers,
            where it is there, is the largest that is resolved in every direction.
        interval: Its 95 % intervals, (…, bound), which are shaded; None: there are none.
        steps: Forecast steps to show; by default up to four, 1, 25, 50, 99 of 99.

    Returns:
        A figure with one panel per lead, all on the same axes.
    """
    array = spectrum
    _, lead, scale = (str(dim) for dim in array.dims)
    leads = lead_times(array[lead])
    shown = leads.chosen(steps)
    wavenumber = np.asarray(array[scale].values, dtype=np.float64)
    limits = _limits(array.sel(source="truth").isel({lead: shown}).values)
    resolved = array[scale].attrs.get("resolved_wavenumber")
    with style():
        figure = Figure(figsize=(10.4, 3.1), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, index in zip(panels, shown, strict=True):
            _draw_lead(
                axes,
                array.isel({lead: index}),
                wavenumber,
                limits,
                None if interval is None else interval.isel({lead: index}),
            )
            axes.set_title(leads.title(index) if lead == "lead_time" else leads.at(index))
            axes.set_xlabel(axis_title(array[scale]))
            axes.set_xlim(wavenumber[wavenumber > 0].min(), wavenumber.max() * 1.05)
            if limits:
                axes.set_ylim(*limits)
            if resolved is not None:
                _mark_resolved(axes, float(resolved), wavenumber.max() * 1.05)
        words = long_name(array)
        panels[0].set_ylabel(
            shortened(with_units(words[:1].upper() + words[1:], units_of(array)), 40)
        )
        if panels[0].lines:
            panels[0].legend(loc="lower left")
    return figure


def _draw_lead(
    axes: Axes,
    array: xr.DataArray,
    wavenumber: np.ndarray,
    limits: tuple[float, float] | None,
    interval: xr.DataArray | None,
) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    sources = [str(source) for source in array["source"].values]
    for source, look in looks(sources).items():
        values = np.asarray(array.sel(source=source).values, dtype=np.float64)
        kept = wavenumber > 0
        positive = np.where(values > 0, values, np.nan)
        # Climatology of a box whose places are all alike has next to nothing: no line, no name.
        if not (values[kept] > (limits[0] if limits else 0.0)).any():
            continue
        bounds = None
        if interval is not None:
            ends = interval.sel(source=source, bound=["lower", "upper"]).values[kept]
            bounds = np.where(ends > 0, ends, np.nan).astype(np.float64)
        draw_curve(axes, wavenumber[kept], Curve(positive[kept], bounds), look, source)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())


def _limits(truth: np.ndarray) -> tuple[float, float] | None:
    positive = truth[np.isfinite(truth) & (truth > 0)]
    if not positive.size:
        return None
    top = float(positive.max())
    seen = positive[positive > top / 10.0**_DECADES]
    return float(seen.min()) / 5, top * 5


def _mark_resolved(axes: Axes, resolved: float, end: float) -> None:
    if resolved >= end:
        return
    axes.axvspan(resolved, end, color="#eef0f3", linewidth=0, zorder=0.5)
    axes.annotate(
        "not resolved in\nevery direction",
        (resolved, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -3),
        textcoords="offset points",
        fontsize=7,
        color="#6a717b",
        ha="right",
        va="top",
    )
