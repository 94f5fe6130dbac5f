"""Which scales are lost when: heat maps of wavenumber against lead, and the scales at which a forecast fails."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import axis_title, is_baseline
from triton_earth.evaluation.spectra.names import SpectrumNames
from triton_earth.plots.drawing import curves_of, draw_curve
from triton_earth.plots.style import error_colours, looks, one_signed_colours, style

_RATIOS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


def scale_maps(ratio: xr.DataArray, error: xr.DataArray) -> Figure:
    """Draw ratio of spectra and relative spectral error of one forecast, scale against lead.

    Args:
        ratio: Spectrum divided by the truth's, shape (lead, wavenumber or degree); the attribute `resolved_wavenumber`
            of the wavenumbers, where it is there, is the largest that is shown.
        error: Relative spectral error, in the same way.

    Returns:
        A figure with two heat maps.
    """
    lead, scale = (str(dim) for dim in ratio.dims)
    leads = lead_times(ratio[lead])
    with style():
        figure = Figure(figsize=(10.4, 3.4), layout="constrained")
        panels = figure.subplots(1, 2)
        _heat(panels[0], ratio, np.log2(_positive(ratio)), error_colours(), Normalize(-3, 3))
        panels[0].set_title("Spectrum of forecast / truth")
        ratio_bar(figure, panels[0].collections[0], [panels[0]])
        _heat(panels[1], error, np.asarray(error.values), one_signed_colours(), Normalize(0, 2))
        panels[1].set_title("Relative spectral error (1: as large as the truth)")
        bar_of_error = figure.colorbar(panels[1].collections[0], ax=panels[1], extend="max")
        for axes in panels:
            axes.set_xlabel(leads.axis_title)
            axes.set_ylabel(axis_title(ratio[scale]))
            axes.grid(visible=False)
        bar_of_error.outline.set_visible(False)
    return figure


def scale_curves(scores: xr.Dataset, names: SpectrumNames, largest: float) -> Figure:
    """Draw the scales at which forecasts decorrelate, and up to which their spectra hold, over lead time.

    Args:
        scores: Both, of shape (forecast, lead), with NAME_interval (…, bound) where there are intervals.
        names: What they are called.
        largest: The largest wavenumber or degree that is resolved.

    Returns:
        A figure with one panel for each.
    """
    leads = lead_times(scores[str(scores[names.decorrelation].dims[-1])])
    with style():
        figure = Figure(figsize=(10.4, 3.2), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, name in zip(panels, (names.decorrelation, names.effective), strict=True):
            score, curves = scores[name], curves_of(scores, name, "forecast")
            for forecast, look in looks(curves).items():
                draw_curve(axes, leads.values, curves[forecast], look, forecast)
            axes.set_title(axis_title(score))
            axes.set_xlabel(leads.axis_title)
            axes.set_xlim(0.0, 1.01 * leads.values[-1])
            axes.set_ylim(0.0, 1.05 * largest)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def resolved(scale: xr.DataArray) -> float:
    """Return the largest wavenumber or degree that is resolved in every direction."""
    return float(scale.attrs.get("resolved_wavenumber", scale.values.max()))


def judged(scores: xr.Dataset) -> list[str]:
    """Return the forecasts that heat maps are drawn of: all but the baselines."""
    return [name for name in map(str, scores["forecast"].values) if not is_baseline(name)]


def _heat(
    axes: Axes, score: xr.DataArray, values: np.ndarray, colours: Colormap, norm: Normalize
) -> None:
    scale = score[str(score.dims[-1])]
    wavenumber, end = np.asarray(scale.values, dtype=np.float64), resolved(scale)
    shown = (wavenumber > 0) & (wavenumber <= end * (1 + 1e-9))
    lead = lead_times(score[str(score.dims[0])]).values
    axes.pcolormesh(
        edges(lead),
        edges(wavenumber[shown]),
        values[:, shown].T,
        cmap=colours,
        norm=norm,
        shading="flat",
        rasterized=True,
    )
    axes.set_yscale("log")
    ticks = [tick for tick in (1, 2, 4, 8, 16, 32, 64, 128, 256) if tick <= end]
    whole = wavenumber[shown][0] == 1 and len(ticks) > 1
    axes.yaxis.set_major_locator(FixedLocator(ticks) if whole else LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def ratio_bar(figure: Figure, heat: ScalarMappable, axes: list[Axes]) -> None:
    """Put a colour bar beside heat maps of log2 of a ratio, from an eighth to eight."""
    bar = figure.colorbar(heat, ax=axes, extend="both")
    bar.set_ticks([float(np.log2(value)) for value in _RATIOS])
    bar.set_ticklabels(["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    bar.outline.set_visible(False)


def edges(centres: np.ndarray) -> np.ndarray:
    """Return the borders half-way between centres."""
    if len(centres) == 1:
        return np.array([0.5, 1.5]) * centres[0]
    inner = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])


def _positive(array: xr.DataArray) -> np.ndarray:
    values = np.asarray(array.values, dtype=np.float64)
    return np.where(values > 0, values, np.nan)
