"""Spectra over lead time: forecast against truth, log-log, with the resolved range marked."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    long_name,
    power_of_ten,
    shortened,
    units_of,
    with_units,
)
from triton_earth.evaluation.spectra.names import SpectrumNames
from triton_earth.plots.drawing import Curve, curves_of, draw_curve, scale_axis
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.style import looks, style

_DECADES = 8.0
_RATIOS = {1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2", 1: "1", 2: "2", 4: "4", 8: "8"}


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
    lead = str(spectrum.dims[1])
    leads = lead_times(spectrum[lead])
    shown = leads.chosen(steps)
    limits = _limits(spectrum.isel({lead: shown}))
    with style():
        figure = LightFigure((10.4, 3.4))
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, index in zip(panels, shown, strict=True):
            bounds = None if interval is None else interval.isel({lead: index})
            _draw_lead(axes, spectrum.isel({lead: index}), limits, bounds)
            axes.set_title(leads.title(index) if lead == "lead_time" else leads.at(index))
        _label(figure, panels[0], spectrum)
    return figure


def final_spectrum(scores: xr.Dataset, family: SpectrumNames) -> Figure:
    """Draw one spectrum of every source at the last lead, and its ratio to the truth's.

    Args:
        scores: The spectrum (source, lead, wavenumber or degree) and its ratio (forecast, lead, …), with
            NAME_interval (…, bound) where there are intervals.
        family: What they are called.

    Returns:
        A figure with a panel for each.
    """
    leads = lead_times(scores[family.lead])
    last = scores.isel({family.lead: -1})
    spectrum, scale = last[family.spectrum], last[family.scale]
    with style():
        figure = LightFigure((10.4, 4.4))
        left, right = figure.subplots(1, 2)
        _draw_lead(left, spectrum, _limits(spectrum), last.get(f"{family.spectrum}_interval"))
        where = leads.title(-1) if family.lead == "lead_time" else leads.at(-1)
        left.set_title(f"Last lead: {where}")
        for value, line in ((1.0, "-"), (0.5, ":"), (2.0, ":")):
            right.axhline(value, color="#8a9099", linewidth=0.8, linestyle=line, zorder=1.5)
        curves = curves_of(last, family.ratio, "forecast")
        kept = scale.values > 0
        for name, look in looks(curves).items():
            ends = curves[name].bounds
            curve = Curve(curves[name].values[kept], None if ends is None else ends[kept])
            draw_curve(right, scale.values[kept], curve, look, name)
        _log_log(right, scale)
        right.set_ylim(min(_RATIOS), max(_RATIOS))
        right.yaxis.set_major_locator(FixedLocator(list(_RATIOS)))
        right.yaxis.set_major_formatter(lambda value, _: _RATIOS.get(value, ""))
        right.set_title("Divided by the truth's")
        _label(figure, left, spectrum)
    return figure


def _draw_lead(
    axes: Axes,
    array: xr.DataArray,
    limits: tuple[float, float] | None,
    interval: xr.DataArray | None,
) -> None:
    scale = array[str(array.dims[-1])]
    wavenumber = np.asarray(scale.values, dtype=np.float64)
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
    _log_log(axes, scale)
    axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
    if limits:
        axes.set_ylim(*limits)


def _log_log(axes: Axes, scale: xr.DataArray) -> None:
    """Make both axes logarithmic, that of the wavenumbers labelled by `scale_axis` and the resolved range marked."""
    wavenumber = np.asarray(scale.values, dtype=np.float64)
    end = wavenumber.max() * 1.05
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(wavenumber[wavenumber > 0].min(), end)
    scale_axis(axes.xaxis, scale)
    axes.yaxis.set_minor_locator(NullLocator())
    resolved = scale.attrs.get("resolved_wavenumber")
    if resolved is not None:
        _mark_resolved(axes, float(resolved), end)


def _label(figure: Figure, axes: Axes, spectrum: xr.DataArray) -> None:
    """Name the spectrum beside the first panel, and its sources below all panels."""
    words = long_name(spectrum)
    title = with_units(words[:1].upper() + words[1:], units_of(spectrum))
    axes.set_ylabel(shortened(title, 40))
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)


def _limits(spectrum: xr.DataArray) -> tuple[float, float] | None:
    """Return limits that show the truth's waves; its mean, wavenumber 0, is not drawn."""
    waves = spectrum[str(spectrum.dims[-1])].values > 0
    truth = spectrum.sel(source="truth").values[..., waves]
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
