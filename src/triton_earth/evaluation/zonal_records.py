"""Zonal spectra of many forecasts, added over them, at a few leads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid
from triton_earth.evaluation.zonal import ZonalBands, zonal_bands

MOST_LEADS = 12
"""Leads at which zonal spectra are kept, evenly spread, the first and the last among them."""


@dataclass(frozen=True)
class ZonalRecords:
    """Zonal spectra of every source (forecasts, references, truth), variable and latitude band.

    Attributes:
        bands: How the spectra of each variable are taken; None for a variable that has none.
        names: Names of all bands that some variable has, south first.
        leads: Positions of the leads that spectra are kept of.
        spectrum: Spectra added over forecasts; NaN in bands that a variable does not have.
    """

    bands: list[ZonalBands | None]
    names: list[str]
    leads: Int[np.ndarray, " chosen"]
    spectrum: Float64[np.ndarray, "source variable band chosen wavenumber"]

    @classmethod
    def empty(
        cls,
        grid: Grid,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
        *,
        sources: int,
        leads: int,
        variables: int,
    ) -> "ZonalRecords | None":
        """Return records to add spectra to; None where no variable has a row that can be used."""
        bands = [
            zonal_bands(grid, None if valid_mask is None else valid_mask[channel])
            for channel in range(variables)
        ]
        edges = {
            tuple(edge): name
            for one in bands
            if one is not None
            for edge, name in zip(one.edges.tolist(), one.names, strict=True)
        }
        if not edges:
            return None
        chosen = np.unique(np.linspace(0, leads - 1, MOST_LEADS).round().astype(np.int64))
        shape = (sources, variables, len(edges), len(chosen), grid.shape[1] // 2 + 1)
        spectrum = np.full(shape, np.nan)
        names = [edges[edge] for edge in sorted(edges)]
        for variable, one in enumerate(bands):
            if one is not None:
                spectrum[:, variable, [names.index(name) for name in one.names]] = 0.0
        return cls(bands, names, chosen, spectrum)

    @classmethod
    def join(cls, parts: Sequence["ZonalRecords"]) -> "ZonalRecords":
        """Return the spectra added over all parts."""
        return replace(parts[0], spectrum=np.sum([part.spectrum for part in parts], axis=0))

    def put(self, source: int, lead: int, states: Float[np.ndarray, "batch channel y x"]) -> None:
        """Add the spectra of some forecasts at one lead, where that lead is one of those kept."""
        (where,) = np.nonzero(self.leads == lead)
        for position in where.tolist():
            for variable, bands in enumerate(self.bands):
                if bands is None:
                    continue
                rows = [self.names.index(name) for name in bands.names]
                found = bands.spectra(states[:, variable]).sum(axis=0)
                self.spectrum[source, variable, rows, position] += found
