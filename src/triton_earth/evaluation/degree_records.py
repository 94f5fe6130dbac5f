"""Spherical-harmonic spectra of many forecasts, added over them, at a few leads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.physics.spherical_harmonics import SphericalTransform, cross_by_degree

MOST_LEADS = 12
"""Leads at which spectra are kept, evenly spread, the first and the last among them."""

FEWEST_ROWS = 8
"""Rows below which a globe has no spectrum."""


@dataclass(frozen=True)
class DegreeRecords:
    """Spectra by degree of every source (forecasts, references, truth) and variable.

    Attributes:
        transform: The transform of the grid.
        channels: Variables without missing cells; the others have no spectrum.
        leads: Positions of the leads that spectra are kept of.
        spectrum: Spectra added over forecasts; NaN of variables that have none.
        cross: Cross-spectra with the truth, in the same way.
    """

    transform: SphericalTransform
    channels: Int[np.ndarray, " chosen"]
    leads: Int[np.ndarray, " kept"]
    spectrum: Float64[np.ndarray, "source variable kept degree"]
    cross: Float64[np.ndarray, "source variable kept degree"]

    @classmethod
    def empty(
        cls,
        grid: Grid,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
        *,
        sources: int,
        leads: int,
        variables: int,
    ) -> "DegreeRecords | None":
        """Return records to add spectra to; None where no variable is defined on a whole globe."""
        whole = np.ones(variables, bool) if valid_mask is None else valid_mask.all(axis=(1, 2))
        if not isinstance(grid, LatLonGrid) or not is_globe(grid) or not whole.any():
            return None
        transform = SphericalTransform(grid.y, grid.shape[1])
        kept = np.unique(np.linspace(0, leads - 1, MOST_LEADS).round().astype(np.int64))
        spectrum = np.full((sources, variables, len(kept), transform.highest + 1), np.nan)
        spectrum[:, whole] = 0.0
        return cls(transform, np.flatnonzero(whole), kept, spectrum, spectrum.copy())

    @classmethod
    def join(cls, parts: Sequence["DegreeRecords"]) -> "DegreeRecords":
        """Return the spectra added over all parts."""
        return replace(
            parts[0],
            spectrum=np.sum([part.spectrum for part in parts], axis=0),
            cross=np.sum([part.cross for part in parts], axis=0),
        )

    def put(self, lead: int, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> None:
        """Add the spectra of some forecasts at one lead, where it is kept.

        Args:
            lead: Position of the lead.
            sources: Fields of every source; the truth is the last.
        """
        for position in np.flatnonzero(self.leads == lead).tolist():
            for channel in self.channels.tolist():
                with np.errstate(invalid="ignore", over="ignore"):
                    each = [self.transform.coefficients(field[:, channel]) for field in sources]
                for source, own in enumerate(each):
                    at = (source, channel, position)
                    self.spectrum[at] += cross_by_degree(own, own).sum(axis=0)
                    self.cross[at] += cross_by_degree(own, each[-1]).sum(axis=0)


def is_globe(grid: LatLonGrid) -> bool:
    """Return whether a grid reaches around the globe and, to a row, from pole to pole."""
    step = float(np.median(np.diff(grid.y)))
    reach = min(grid.y[-1], -grid.y[0])
    return (
        grid.is_global_in_longitude
        and len(grid.y) >= FEWEST_ROWS
        and bool(reach + 1.01 * step > 90)
    )
