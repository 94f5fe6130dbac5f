"""The report's sections about scales, as HTML: spectra, what is lost when, by wavenumber, latitude band and degree."""

import numpy as np
import xarray as xr
from markupsafe import Markup

from triton_earth.core.wording import long_name, one_variable, variable_names
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
from triton_earth.evaluation.verdict import models
from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.page import Picture, Section, heading, paragraph, together
from triton_earth.plots.sections.scales import judged, resolved, scale_curves, scale_maps
from triton_earth.plots.sections.seen import MOST_VARIABLES, left_out, shading
from triton_earth.plots.sections.spectra import final_spectrum, spectra
from triton_earth.plots.sections.zonal import last_lead, zonal_maps, zonal_spectra


def scale_sections(scores: xr.Dataset) -> list[Section]:
    """Return the sections for which there are scores.

    Args:
        scores: Spectra (source, lead, wavenumber) and what follows from them.
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
        parts.append(
            Picture(
                svg_uri(zonal_spectra(scores, variable)),
                f"Zonal spectra of {variable} by latitude band: truth and forecasts.",
                f"Zonal spectra of {variable} at {last_lead(scores)}, mean over the rows of each latitude band and "
                f"over initial conditions. Black: truth. {shading(scores)}",
            ).html()
        )
        if "zonal_ratio" not in scores:
            continue
        parts += [
            Picture(
                png_uri(zonal_maps(scores, variable, name)),
                f"Heat maps of the zonal spectrum of {variable} by {name} relative to the truth's.",
                f"{name}, {variable}: zonal spectrum relative to the truth's by wavenumber and lead time (green: too "
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
            parts.append(heading(variable))
        spectrum = one_variable(scores[family.spectrum], variable)
        one = scores.sel(variable=variable).assign({family.spectrum: spectrum})
        of = f" of {variable}"
        parts += [_spectra(one, (family,), of), _scales(one, family, of)]
    without = [variable for variable in variables if variable not in having]
    if without:
        parts.append(
            paragraph(f"No such spectrum of {', '.join(without)}: it takes a value in every cell.")
        )
    return together(parts) + left_out(having)


def _of_velocities(scores: xr.Dataset, families: tuple[SpectrumNames, ...]) -> Markup:
    """Return spectra and scales of each velocity."""
    parts = []
    names = scores["velocity"].values.tolist() if "velocity" in scores.coords else []
    for name in names[:MOST_VARIABLES]:
        of = f" of {name} and the other component"
        one = scores.sel(velocity=name)
        parts.append(heading(f"{name} and the other component"))
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
