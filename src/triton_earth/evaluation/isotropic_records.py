"""Isotropic spectra of many forecasts, each of its own, at a few leads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.isotropic import IsotropicBox, isotropic_box

MOST_LEADS = 12
"""Leads at which spectra are kept, evenly spread, the first and the last among them."""


@dataclass(frozen=True)
class IsotropicRecords:
    """Isotropic spectra of every source (forecasts, references, truth) and variable.

    Attributes:
        box: How they are taken.
        channels: Variables without missing cells; the others have no spectrum.
        leads: Positions of the leads that spectra are kept of.
        spectrum: Spectra; NaN of variables that have none and where there is no truth.
        cross: Cross-spectra with the truth, in the same way.
    """

    box: IsotropicBox
    channels: Int[np.ndarray, " chosen"]
    leads: Int[np.ndarray, " kept"]
    spectrum: Float64[np.ndarray, "source variable init kept wavenumber"]
    cross: Float64[np.ndarray, "source variable init kept wavenumber"]

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
    ) -> "IsotropicRecords | None":
        """Return records to put spectra into; None where no variable has them.

        Vorticity on a doubly periodic box is left out: `FlowRecords` has its spectra at every lead.
        """
        box = isotropic_box(grid)
        whole = np.ones(len(variables), bool)
        if valid_mask is not None:
            whole = np.asarray(valid_mask.all(axis=(1, 2)))
        if isinstance(grid, PeriodicGrid) and VORTICITY.name in variables:
            whole[variables.indices([VORTICITY.name])] = False
        if box is None or not whole.any():
            return None
        kept = np.unique(np.linspace(0, leads - 1, MOST_LEADS).round().astype(np.int64))
        shape = (sources, len(variables), inits, len(kept), len(box.wavenumbers))
        return cls(box, np.flatnonzero(whole), kept, np.full(shape, np.nan), np.full(shape, np.nan))

    @classmethod
    def join(cls, parts: Sequence["IsotropicRecords"]) -> "IsotropicRecords":
        """Return the spectra of consecutive initial conditions."""
        return replace(
            parts[0],
            spectrum=np.concatenate([part.spectrum for part in parts], axis=2),
            cross=np.concatenate([part.cross for part in parts], axis=2),
        )

    def put(
        self,
        inits: Int[np.ndarray, " batch"],
        lead: int,
        sources: Sequence[Float[np.ndarray, "batch channel y x"]],
    ) -> None:
        """Keep the spectra of some forecasts at one lead, where it is kept.

        Args:
            inits: Which forecasts.
            lead: Position of the lead.
            sources: Fields of every source on the box; the truth is the last.
        """
        for position in np.flatnonzero(self.leads == lead).tolist():
            for channel in self.channels.tolist():
                each = [self.box.coefficients(field[:, channel]) for field in sources]
                for source, own in enumerate(each):
                    at = (source, channel, inits, position)
                    self.spectrum[at] = self.box.spectrum(own, own)
                    self.cross[at] = self.box.spectrum(own, each[-1])
