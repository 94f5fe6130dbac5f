"""Spectra of many forecasts: added over them at every kept lead, and of each of them at as many as memory allows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.evaluation.spectra.names import Family

MOST_LEADS = 12
"""Leads at which spectra are kept where they cost much, evenly spread, the first and the last among them."""

APART_VALUES = 2**17
"""Values of one kind of spectra that are kept of each initial condition (1 MB), unless those of one lead are more."""

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
        bands: Latitude bands with a spectrum each; empty where there is one of everything.
    """

    numbers: Float64[np.ndarray, " wavenumber"]
    title: str
    units: str = "1"
    largest: float | None = None
    bands: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one spectrum."""
        return (*([len(self.bands)] if self.bands else []), len(self.numbers))

    @property
    def resolved(self) -> Bool[np.ndarray, " wavenumber"]:
        """Which of them are resolved."""
        return np.asarray(self.numbers <= (self.largest or math.inf) * (1 + 1e-9))


@dataclass(frozen=True)
class Quantity:
    """One thing that has a spectrum.

    Attributes:
        family: What its scores are called.
        label: Variable or velocity.
        units: Units of the spectrum.
        definition: What the spectrum is.
    """

    family: Family
    label: str
    units: str
    definition: str


@runtime_checkable
class SpectrumKind(Protocol):
    """A way to take fields apart by scale."""

    @property
    def scale(self) -> Scale:
        """What the spectra are functions of."""

    @property
    def quantities(self) -> Sequence[Quantity]:
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


@dataclass(frozen=True)
class SpectrumRecords:
    """Spectra of every source (forecasts, references, truth) and quantity.

    The mean over forecasts needs sums alone. Intervals need the spectra of each initial condition: those are kept at as
    many leads, evenly spread, as `APART_VALUES` hold, 1 MB for each initial condition and kind of spectrum, or at the
    last lead alone where it has more. Zonal spectra of 69 variables on one degree then take 6 MB, a third of a state.

    Attributes:
        scale: What they are functions of.
        quantities: What has a spectrum.
        leads: Positions of the leads that spectra are kept of.
        apart: Which of those the spectra of each forecast are kept of.
        total: Spectra added over forecasts.
        each: Spectra of each forecast; NaN where there is no truth.
    """

    scale: Scale
    quantities: tuple[Quantity, ...]
    leads: Int[np.ndarray, " kept"]
    apart: Int[np.ndarray, " apart"]
    total: Float64[np.ndarray, "2 source quantity kept *scale"]
    each: Float64[np.ndarray, "2 source quantity init apart *scale"]

    @classmethod
    def empty(
        cls, kind: SpectrumKind, *, sources: int, inits: int, leads: Int[np.ndarray, " kept"]
    ) -> "SpectrumRecords":
        """Return records to put spectra into.

        Args:
            kind: How they are taken.
            sources: Number of forecasts and references, and the truth.
            inits: Number of initial conditions.
            leads: Positions of the leads to keep them of.
        """
        shape, quantities = kind.scale.shape, tuple(kind.quantities)
        one = (2, sources, len(quantities))
        count = max(1, APART_VALUES // (math.prod(one) * math.prod(shape)))
        apart = spread(len(leads), count)
        total = np.zeros((*one, len(leads), *shape))
        each = np.full((*one, inits, len(apart), *shape), np.nan)
        return cls(kind.scale, quantities, leads, apart, total, each)

    @classmethod
    def join(cls, parts: Sequence["SpectrumRecords"]) -> "SpectrumRecords":
        """Return the spectra of consecutive initial conditions."""
        return replace(
            parts[0],
            total=np.sum([part.total for part in parts], axis=0),
            each=np.concatenate([part.each for part in parts], axis=3),
        )

    def keep(self, lead: int) -> bool:
        """Return whether spectra are kept of a lead."""
        return bool((self.leads == lead).any())

    def put(self, inits: Int[np.ndarray, " batch"], lead: int, found: Spectra) -> None:
        """Add the spectra of some forecasts at one of the kept leads.

        Args:
            inits: Which forecasts.
            lead: Position of the lead.
            found: Their spectra.
        """
        (position,) = np.flatnonzero(self.leads == lead)
        self.total[:, :, :, position] += found.sum(axis=3)
        for place in np.flatnonzero(self.apart == position):
            self.each[:, :, :, inits, place] = found


def spread(count: int, most: int = MOST_LEADS) -> Int[np.ndarray, " chosen"]:
    """Return which of some leads are kept: at most so many, evenly spread, the last and the first among them."""
    if most == 1:
        return np.array([count - 1])
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
