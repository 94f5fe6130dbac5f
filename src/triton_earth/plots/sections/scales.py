"""Scales: spectra, and what is lost when, by wavenumber, latitude band and degree."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import (
    axis_title,
    is_baseline,
    long_name,
    one_variable,
    variable_names,
    variable_title,
    variable_words,
)
from triton_earth.evaluation.spectra.names import (
    BOX,
    BOX_ENERGY,
    DEGREE_ENERGY,
    DEGREE_ENSTROPHY,
    DEGREE_ROTATIONAL_ENERGY,
    DEGREES,
    ISOTROPIC,
    ISOTROPIC_ENERGY,
    SpectrumNames,
)
from triton_earth.evaluation.verdict.comparison import models
from triton_earth.plots.drawing import curves_of, draw_curve, edges, ratio_bar, scale_axis
from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.page import (
    MOST_VARIABLES,
    Picture,
    Section,
    heading,
    left_out,
    paragraph,
    shading,
    together,
)
from triton_earth.plots.sections.spectra import final_spectrum, spectra
from triton_earth.plots.sections.zonal import last_lead, zonal_maps, zonal_spectra
from triton_earth.plots.style import error_colours, looks, one_signed_colours, style


def scale_maps(ratio: xr.DataArray, error: xr.DataArray) -> Figure:
    """Draw ratio of spectra and relative spectral error of one forecast, scale against lead.

    Args:
        ratio: Spectrum divided by the truth's, shape (lead, wavenumber or degree); the attribute `resolved_wavenumber`
            of the wavenumbers, where it is there, is the largest that is shown.
        error: Relative spectral error, in the same way.

    Returns:
        A figure with two heat maps.
    """
    lead = str(ratio.dims[0])
    leads = lead_times(ratio[lead])
    with style():
        figure = LightFigure((10.4, 3.4))
        panels = figure.subplots(1, 2)
        _heat(panels[0], ratio, np.log2(_positive(ratio)), error_colours(), Normalize(-3, 3))
        panels[0].set_title("Spectrum of forecast / truth")
        ratio_bar(figure, panels[0].collections[0], [panels[0]])
        _heat(panels[1], error, np.asarray(error.values), one_signed_colours(), Normalize(0, 2))
        panels[1].set_title("Relative spectral error (1: as large as the truth)")
        bar_of_error = figure.colorbar(panels[1].collections[0], ax=panels[1], extend="max")
        for axes in panels:
            axes.set_xlabel(leads.axis_title)
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
        figure = LightFigure((10.4, 3.2))
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
    scale_axis(axes.yaxis, scale)
    if wavenumber[shown][0] == 1 and len(ticks) > 1:
        axes.yaxis.set_major_locator(FixedLocator(ticks))


def _positive(array: xr.DataArray) -> np.ndarray:
    values = np.asarray(array.values, dtype=np.float64)
    return np.where(values > 0, values, np.nan)


def scale_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the sections for which there are scores.

    Args:
        scores: Spectra (source, lead, wavenumber) and what follows from them.
        examples: One example of each model by name; not used.
    """
    sections = []
    if BOX.spectrum in scores or BOX_ENERGY.spectrum in scores:
        sections.append(Section("Spectra", _spectra(scores, (BOX, BOX_ENERGY), "")))
    if "zonal_spectrum" in scores:
        sections.append(Section("Zonal spectra", _zonal(scores)))
    if DEGREES.error in scores:
        velocities = (DEGREE_ENSTROPHY, DEGREE_ENERGY, DEGREE_ROTATIONAL_ENERGY)
        drawn = _of_variables(scores, DEGREES) + _of_velocities(scores, velocities)
        sections.append(Section("Spectra by degree", drawn))
    if ISOTROPIC.error in scores:
        drawn = _of_variables(scores, ISOTROPIC) + _of_velocities(scores, (ISOTROPIC_ENERGY,))
        sections.append(Section("Isotropic spectra", drawn))
    if BOX.error in scores:
        sections.append(Section("Scales", _scales(scores, BOX, "")))
    return sections


def _zonal(scores: xr.Dataset) -> Markup:
    variables = variable_names(scores)
    parts = []
    for variable in variables[:MOST_VARIABLES]:
        if not np.isfinite(scores["zonal_spectrum"].sel(variable=variable).values).any():
            continue
        words = variable_words(scores, variable)
        parts.append(
            Picture(
                svg_uri(zonal_spectra(scores, variable)),
                f"Zonal spectra of {words} by latitude band: truth and forecasts.",
                f"Zonal spectra of {words} at {last_lead(scores)}, mean over the rows of each latitude band and "
                f"over initial conditions. Black: truth. {shading(scores)}",
            ).html()
        )
        if "zonal_ratio" not in scores:
            continue
        parts += [
            Picture(
                png_uri(zonal_maps(scores, variable, name)),
                f"Heat maps of the zonal spectrum of {words} by {name} relative to the truth's.",
                f"{name}, {words}: zonal spectrum relative to the truth's by wavenumber and lead time (green: too "
                "much, purple: too little).",
            ).html()
            for name in models(scores)
        ]
    return together(parts) + left_out(variables)


def _of_variables(scores: xr.Dataset, family: SpectrumNames) -> Markup:
    """Return spectra and scales of each variable that has them."""
    variables = variable_names(scores)
    having = [
        variable
        for variable in variables
        if np.isfinite(scores[family.spectrum].sel(variable=variable).values).any()
    ]
    parts = []
    for variable in having[:MOST_VARIABLES]:
        if len(variables) > 1:
            parts.append(heading(variable_title(scores, variable)))
        spectrum = one_variable(scores[family.spectrum], variable)
        one = scores.sel(variable=variable).assign({family.spectrum: spectrum})
        of = f" of {variable_words(scores, variable)}"
        parts += [_spectra(one, (family,), of), _scales(one, family, of)]
    without = [variable for variable in variables if variable not in having]
    if without:
        words = ", ".join(variable_words(scores, one) for one in without)
        parts.append(paragraph(f"No spectrum of {words}: a spectrum takes a value in every cell."))
    return together(parts) + left_out(having)


def _of_velocities(scores: xr.Dataset, families: tuple[SpectrumNames, ...]) -> Markup:
    """Return spectra and scales of each velocity."""
    parts = []
    names = scores["velocity"].values.tolist() if "velocity" in scores.coords else []
    for name in names[:MOST_VARIABLES]:
        of = f" of {variable_words(scores, name)} and the other component"
        one = scores.sel(velocity=name)
        parts.append(heading(f"{variable_title(scores, name)} and the other component"))
        parts.append(_spectra(one, families, of))
        parts += [_scales(one, family, of) for family in families if family.error in scores]
    return together(parts) + left_out(names)


def _spectra(scores: xr.Dataset, families: tuple[SpectrumNames, ...], of: str) -> Markup:
    """Return spectra at several leads and, of enstrophy, the one at the last lead."""
    parts = []
    for family in families:
        if family.spectrum not in scores:
            continue
        words = long_name(scores[family.spectrum])
        title = f"{words[:1].upper()}{words[1:]}{of}"
        if family in (BOX, DEGREE_ENSTROPHY) and family.ratio in scores:
            parts.append(
                Picture(
                    svg_uri(final_spectrum(scores, family)),
                    f"The {words}{of} at the last lead, truth and forecasts, and its ratio to the truth's.",
                    f"{title} at the last lead, mean over initial conditions, and divided by the truth's. Black: "
                    f"truth. {shading(scores)}",
                ).html()
            )
        bounds = scores.get(f"{family.spectrum}_interval")
        parts.append(
            Picture(
                svg_uri(spectra(scores[family.spectrum], interval=bounds)),
                f"The {words}{of}, truth and forecasts at several leads.",
                f"{title} at several leads, mean over initial conditions. Black: truth.",
            ).html()
        )
    return together(parts)


def _scales(scores: xr.Dataset, family: SpectrumNames, of: str) -> Markup:
    words = long_name(scores[str(scores[family.ratio].dims[-1])])
    maps = [
        Picture(
            png_uri(
                scale_maps(
                    *(scores[one].sel(forecast=name) for one in (family.ratio, family.error))
                )
            ),
            f"Heat maps of the spectral ratio and error{of} of {name}: {words} against lead time.",
            f"{name}: {family.title}{of} relative to the truth's (green: too much, purple: too little) and relative "
            f"spectral error, by {words} and lead time.",
        ).html()
        for name in judged(scores)
    ]
    largest = resolved(scores[str(scores[family.ratio].dims[-1])])
    curves = Picture(
        svg_uri(scale_curves(scores, family, largest)),
        f"Decorrelation and effective {words}{of} over lead time, all forecasts.",
        f"Smallest {words} at which forecast and truth are decorrelated (coherence below one half; no line: all are "
        f"still correlated), and largest up to which the spectrum is within a factor 2 of the truth's. "
        f"{shading(scores)}",
    )
    return together(maps) + curves.html()
