"""Fields taken apart by scale: what a spectral transform gives, and which fields it can be asked of."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid
from triton_earth.core.region import Region
from triton_earth.core.variables import Variables
from triton_earth.core.velocity import velocity_pairs
from triton_earth.evaluation.spectra.names import SpectrumNames

Spectra = Float64[np.ndarray, "2 source quantity batch *scale"]
"""Spectra (0) and cross-spectra with the truth (1) of every source; the truth is the last."""


@dataclass(frozen=True)
class Scale:
    """What spectra are functions of.

    Attributes:
        numbers: Wavenumbers or degrees, ascending from 0.
        title: What they are in words.
        units: Their units.
        largest: The largest that is resolved in every direction; None: all are.
        wavelength: Wavelength of wavenumber 1 in km, where waves have one length; None: on a sphere or without units.
        bands: Latitude bands with a spectrum each; empty where there is one of everything.
    """

    numbers: Float64[np.ndarray, " wavenumber"]
    title: str
    units: str = "1"
    largest: float | None = None
    bands: tuple[str, ...] = ()
    wavelength: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one spectrum."""
        return (*([len(self.bands)] if self.bands else []), len(self.numbers))

    @property
    def resolved(self) -> Bool[np.ndarray, " wavenumber"]:
        """Which of them are resolved."""
        return np.asarray(self.numbers <= (self.largest or math.inf) * (1 + 1e-9))


@dataclass(frozen=True)
class SpectralQuantity:
    """One thing that has a spectrum.

    Attributes:
        names: What its scores are called.
        label: Variable or velocity.
        units: Units of the spectrum.
        definition: What the spectrum is.
    """

    names: SpectrumNames
    label: str
    units: str
    definition: str


@runtime_checkable
class SpectralTransform(Protocol):
    """A way to take fields apart by scale."""

    @property
    def scale(self) -> Scale:
        """What the spectra are functions of."""

    @property
    def quantities(self) -> Sequence[SpectralQuantity]:
        """What has a spectrum."""

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return the spectra of the fields of every source; the truth is the last."""


def paired(
    coefficients: Sequence[Any], spectrum: Callable[[Any, Any], Float64[np.ndarray, "batch *scale"]]
) -> Float64[np.ndarray, "2 source batch *scale"]:
    """Return the spectrum of every source, and its cross-spectrum with the last.

    Args:
        coefficients: Of each source.
        spectrum: Cross-spectrum of two of them.
    """
    own = [spectrum(one, one) for one in coefficients]
    cross = [spectrum(one, coefficients[-1]) for one in coefficients[:-1]]
    return np.stack([np.stack(own), np.stack([*cross, own[-1]])])


def cut_to(region: Region | None, grid: Grid) -> tuple[Grid, Callable[[np.ndarray], np.ndarray]]:
    """Return the part of a grid in a region, all of it without one, and what takes that part of fields [..., y, x]."""
    if region is None:
        return grid, np.asarray
    cut = region.cut(grid)
    return cut.grid, lambda fields: fields[..., cut.rows[:, None], cut.columns]


def whole_channels(
    variables: Variables, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> Int[np.ndarray, " chosen"]:
    """Return the channels of variables without missing cells."""
    if valid_mask is None:
        return np.arange(len(variables))
    return np.flatnonzero(valid_mask.all(axis=(1, 2)))


def whole_velocities(
    variables: Variables, channels: Int[np.ndarray, " chosen"]
) -> list[tuple[int, int]]:
    """Return the (eastward, northward) channels of every velocity with both among some channels."""
    return [pair for pair in velocity_pairs(variables) if np.isin(pair, channels).all()]
