"""Energy and enstrophy of many forecasts: totals of each, spectra added over them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.variables import Variables
from triton_earth.evaluation.spectra import (
    FlowSpectra,
    cross_spectrum,
    flow_spectra,
    small_scales,
    spectral_channel,
    wavenumbers,
)


@dataclass(frozen=True)
class Totals:
    """Totals of each forecast at each lead; NaN where there is no truth to compare with.

    Attributes:
        energy: Kinetic energy ½⟨|u|²⟩.
        enstrophy: Enstrophy ½⟨ω²⟩.
        small_scale_enstrophy: Enstrophy of the upper half of the resolved wavenumbers.
    """

    energy: Float64[np.ndarray, "source init lead"]
    enstrophy: Float64[np.ndarray, "source init lead"]
    small_scale_enstrophy: Float64[np.ndarray, "source init lead"]

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the totals."""
        return [field.name for field in fields(cls)]


@dataclass(frozen=True)
class FlowRecords:
    """Energy and enstrophy of every source (forecast, persistence, truth).

    Attributes:
        channel: Which channel is the vorticity.
        grid: The box.
        totals: Totals of each forecast and lead.
        energy_spectrum: Kinetic energy of each bin, added over forecasts.
        enstrophy_spectrum: Enstrophy of each bin, added over forecasts.
        cross_spectrum: Cross-spectrum with the truth of each bin, added over forecasts.
    """

    channel: int
    grid: PeriodicGrid
    totals: Totals
    energy_spectrum: Float64[np.ndarray, "source lead wavenumber"]
    enstrophy_spectrum: Float64[np.ndarray, "source lead wavenumber"]
    cross_spectrum: Float64[np.ndarray, "source lead wavenumber"]

    @classmethod
    def empty(
        cls,
        variables: Variables,
        grid: Grid,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
        *,
        sources: int,
        inits: int,
        leads: int,
    ) -> "FlowRecords | None":
        """Return records to put spectra into; None where fields have no vorticity on a doubly periodic box."""
        channel = spectral_channel(variables, grid, valid_mask)
        if channel is None or not isinstance(grid, PeriodicGrid):
            return None
        totals = (np.full((sources, inits, leads), np.nan) for _ in Totals.names())
        spectra = (np.zeros((sources, leads, len(wavenumbers(grid)))) for _ in range(3))
        return cls(channel, grid, Totals(*totals), *spectra)

    @classmethod
    def join(cls, parts: Sequence["FlowRecords"]) -> "FlowRecords":
        """Return the totals of consecutive initial conditions and the spectra added over them."""
        totals = (
            np.concatenate([getattr(part.totals, name) for part in parts], axis=1)
            for name in Totals.names()
        )
        return replace(
            parts[0],
            totals=Totals(*totals),
            energy_spectrum=np.sum([part.energy_spectrum for part in parts], axis=0),
            enstrophy_spectrum=np.sum([part.enstrophy_spectrum for part in parts], axis=0),
            cross_spectrum=np.sum([part.cross_spectrum for part in parts], axis=0),
        )

    def spectra(self, states: Float[np.ndarray, "batch channel y x"]) -> FlowSpectra:
        """Return the spectra of the vorticity of some states."""
        return flow_spectra(states[:, self.channel], self.grid)

    def put_cross(
        self,
        source: int,
        lead: int,
        states: Float[np.ndarray, "batch channel y x"],
        truth: Float[np.ndarray, "batch channel y x"],
    ) -> None:
        """Add the cross-spectra of some forecasts with their truth at one lead to the others'."""
        pair = (states[:, self.channel], truth[:, self.channel])
        self.cross_spectrum[source, lead] += cross_spectrum(*pair, self.grid).sum(axis=0)

    def put(
        self, source: int, forecasts: Int[np.ndarray, " batch"], lead: int, spectra: FlowSpectra
    ) -> None:
        """Keep the totals of some forecasts at one lead and add their spectra to the others'."""
        totals = self.totals
        small = spectra.enstrophy[:, small_scales(self.grid)]
        totals.energy[source, forecasts, lead] = spectra.energy.sum(axis=-1)
        totals.enstrophy[source, forecasts, lead] = spectra.enstrophy.sum(axis=-1)
        totals.small_scale_enstrophy[source, forecasts, lead] = small.sum(axis=-1)
        self.energy_spectrum[source, lead] += spectra.energy.sum(axis=0)
        self.enstrophy_spectrum[source, lead] += spectra.enstrophy.sum(axis=0)
