"""What spectra are called in the scores: the spectrum itself, and what follows from it and the truth's."""

from dataclasses import dataclass

WAVELENGTH = "wavelength_of_one"
"""Attribute of wavenumbers: wavelength of wavenumber 1 in km, where waves have one length."""


@dataclass(frozen=True)
class SpectrumNames:
    """Names of scores that belong to one spectrum.

    Attributes:
        spectrum: The spectrum.
        title: What it is in words.
        lead: Dimension of its leads.
        scale: Dimension of its wavenumbers or degrees.
        label: Dimension along which there is one for each variable or velocity; empty where there is a single one.
        ratio: Spectrum divided by that of the truth; empty, like all that follow, where there is no such score.
        error: Relative spectral error.
        coherence: Correlation of forecast and truth.
        effective: Scale up to which the spectrum holds.
        decorrelation: Scale at which forecast and truth decorrelate.
    """

    spectrum: str
    title: str
    lead: str
    scale: str
    label: str
    ratio: str = ""
    error: str = ""
    coherence: str = ""
    effective: str = ""
    decorrelation: str = ""


BOX = SpectrumNames(
    "enstrophy_spectrum",
    "enstrophy spectrum",
    "lead_time",
    "wavenumber",
    "",
    "spectrum_ratio",
    "spectral_error",
    "coherence",
    "effective_wavenumber",
    "decorrelation_wavenumber",
)
"""Enstrophy of vorticity on a doubly periodic box."""

BOX_ENERGY = SpectrumNames(
    "energy_spectrum", "kinetic energy spectrum", "lead_time", "wavenumber", ""
)
"""Kinetic energy of the same; its ratio, error and coherence are those of the enstrophy but for the width of bins."""

_ISOTROPIC = ("isotropic_lead_time", "isotropic_wavenumber")

ISOTROPIC = SpectrumNames(
    "isotropic_spectrum",
    "isotropic spectrum",
    *_ISOTROPIC,
    "variable",
    "isotropic_ratio",
    "isotropic_error",
    "isotropic_coherence",
    "effective_isotropic_wavenumber",
    "decorrelation_isotropic_wavenumber",
)
"""A variable in a region or on a box."""

ISOTROPIC_ENERGY = SpectrumNames(
    "isotropic_kinetic_energy", "kinetic energy spectrum", *_ISOTROPIC, "velocity"
)
"""A velocity in a region or on a box."""

ZONAL = SpectrumNames(
    "zonal_spectrum",
    "zonal spectrum",
    "zonal_lead_time",
    "zonal_wavenumber",
    "variable",
    "zonal_ratio",
    "zonal_error",
    "zonal_coherence",
    "effective_zonal_wavenumber",
    "decorrelation_zonal_wavenumber",
)
"""A variable along circles of latitude, by latitude band."""

_DEGREES = ("degree_lead_time", "degree")

DEGREES = SpectrumNames(
    "degree_spectrum",
    "spherical-harmonic spectrum",
    *_DEGREES,
    "variable",
    "degree_ratio",
    "degree_error",
    "degree_coherence",
    "effective_degree",
    "decorrelation_degree",
)
"""A variable on the globe."""

DEGREE_ENERGY = SpectrumNames(
    "degree_kinetic_energy", "kinetic energy spectrum", *_DEGREES, "velocity"
)
"""A velocity on the globe."""

DEGREE_ROTATIONAL_ENERGY = SpectrumNames(
    "degree_rotational_kinetic_energy",
    "rotational energy spectrum",
    *_DEGREES,
    "velocity",
)
"""The rotational part of a velocity on the globe; its ratio, error and coherence are those of the enstrophy."""

DEGREE_ENSTROPHY = SpectrumNames(
    "degree_enstrophy",
    "enstrophy spectrum",
    *_DEGREES,
    "velocity",
    "degree_enstrophy_ratio",
    "degree_enstrophy_error",
    "degree_enstrophy_coherence",
    "effective_degree_of_enstrophy",
    "decorrelation_degree_of_enstrophy",
)
"""The vorticity of a velocity on the globe."""
