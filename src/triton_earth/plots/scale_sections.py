"""The report's sections about scales, as HTML: spectra, what is lost when, by wavenumber, latitude band and degree."""

from html import escape

import numpy as np
import xarray as xr

from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.labels import long_name, one_variable, variable_names
from triton_earth.plots.page import Picture, Section
from triton_earth.plots.scales import (
    BOX,
    DEGREES,
    ISOTROPIC,
    Scales,
    judged,
    resolved,
    scale_curves,
    scale_maps,
)
from triton_earth.plots.seen import MOST_VARIABLES, left_out
from triton_earth.plots.spectra import SPECTRA, spectra
from triton_earth.plots.verdict import models
from triton_earth.plots.zonal import last_lead, zonal_maps, zonal_spectra


def scale_sections(scores: xr.Dataset) -> list[Section]:
    """Return the sections for which there are scores.

    Args:
        scores: Spectra (source, lead, wavenumber) and what follows from them.
    """
    drawn = [_spectrum(scores[name], "") for name in SPECTRA if name in scores]
    sections = []
    if drawn:
        sections.append(Section("Spectra", "".join(drawn)))
    if "zonal_spectrum" in scores:
        sections.append(Section("Zonal spectra", _zonal(scores)))
    if DEGREES.are_in(scores):
        sections.append(Section("Spectra by degree", _of_variables(scores, DEGREES)))
    if ISOTROPIC.are_in(scores):
        sections.append(Section("Isotropic spectra", _of_variables(scores, ISOTROPIC)))
    if BOX.are_in(scores):
        sections.append(Section("Scales", _scales(scores, BOX, "")))
    return sections


def _zonal(scores: xr.Dataset) -> str:
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
                "over initial conditions. Black: truth.",
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
    return "".join(parts) + left_out(variables)


def _of_variables(scores: xr.Dataset, names: Scales) -> str:
    """Return spectra and scales of each variable that has them."""
    variables = variable_names(scores)
    having = [
        variable
        for variable in variables
        if np.isfinite(scores[names.spectrum].sel(variable=variable).values).any()
    ]
    parts = []
    for variable in having[:MOST_VARIABLES]:
        if len(variables) > 1:
            parts.append(f"<h3>{escape(variable)}</h3>")
        spectrum = one_variable(scores[names.spectrum], variable)
        one = scores.sel(variable=variable)
        bounds = one.get(f"{names.spectrum}_interval")
        parts += [
            _spectrum(spectrum, f" of {variable}", bounds),
            _scales(one, names, f" of {variable}"),
        ]
    without = [variable for variable in variables if variable not in having]
    if without:
        parts.append(
            f"<p>No such spectrum of {escape(', '.join(without))}: it takes a value in every cell.</p>"
        )
    for velocity in scores.get("velocity", xr.DataArray([])).values.tolist():
        energy = names.spectrum.replace("spectrum", "kinetic_energy")
        if energy in scores:
            chosen = scores[energy].sel(velocity=velocity)
            parts.append(_spectrum(chosen, f" of {velocity} and the other component"))
    return "".join(parts) + left_out(having)


def _spectrum(spectrum: xr.DataArray, of: str, interval: xr.DataArray | None = None) -> str:
    words = long_name(spectrum)
    return Picture(
        svg_uri(spectra(spectrum, interval=interval)),
        f"The {words}{of}, truth and forecasts at several leads.",
        f"{words[:1].upper()}{words[1:]}{of} at several leads, mean over initial conditions. Black: truth.",
    ).html()


def _scales(scores: xr.Dataset, names: Scales, of: str) -> str:
    words = long_name(scores[str(scores[names.ratio].dims[-1])])
    maps = [
        Picture(
            png_uri(
                scale_maps(*(scores[one].sel(forecast=name) for one in (names.ratio, names.error)))
            ),
            f"Heat maps of the spectral ratio and error{of} of {name}: {words} against lead time.",
            f"{name}: spectrum{of} relative to the truth's (green: too much, purple: too little) and relative spectral "
            f"error, by {words} and lead time.",
        ).html()
        for name in judged(scores)
    ]
    largest = resolved(scores[str(scores[names.ratio].dims[-1])])
    curves = Picture(
        svg_uri(scale_curves(scores, names, largest)),
        f"Decorrelation and effective {words}{of} over lead time, all forecasts.",
        f"Smallest {words} at which forecast and truth are decorrelated (coherence below one half; no line: all are "
        "still correlated), and largest up to which the spectrum is within a factor 2 of the truth's.",
    )
    return "".join(maps) + curves.html()
