"""Zonal spectra of every variable by latitude band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from triton_earth.core.grid import Grid
from triton_earth.core.variables import Variables
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.spectra.names import ZONAL
from triton_earth.evaluation.spectra.records import Quantity, Scale, Spectra, paired
from triton_earth.evaluation.spectra.zonal import COAST, WIDTH, ZonalBands, zonal_bands


@dataclass(frozen=True)
class ZonalSpectra:
    """How zonal spectra are taken.

    Attributes:
        variables: The variables.
        bands: How those of each are taken; variables without a row that can be used are left out.
    """

    variables: Variables
    bands: dict[int, ZonalBands]

    @property
    def scale(self) -> Scale:
        """Waves around the full circle, in every band that some variable has, south first."""
        names = {
            tuple(edge): name
            for one in self.bands.values()
            for edge, name in zip(one.edges.tolist(), one.names, strict=True)
        }
        numbers = next(iter(self.bands.values())).wavenumbers
        ordered = tuple(names[edge] for edge in sorted(names))
        return Scale(numbers, "zonal wavenumber", bands=ordered)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The variables."""
        each = list(self.bands.values())
        span = (
            "all bins add up to the mean square"
            if each[0].grid.is_global_in_longitude
            else "a region: trend of each row taken out, tapered"
        )
        words = (
            "variance at each zonal wavenumber, area-weighted mean over the rows of a latitude band of "
            f"{WIDTH:g} degrees ({span})"
        )
        if any((one.taper < 1).any() for one in each):
            words += (
                f"; rows with cells that are not valid are tapered over {COAST} cells beside them and divided by the "
                "mean square of the taper"
            )
        chosen = [list(self.variables)[channel] for channel in self.bands]
        return tuple(
            Quantity(ZONAL, one.name, METRICS["mse"].units(one.units), words) for one in chosen
        )

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return the spectra of every source; NaN in bands that a variable does not have."""
        scale = self.scale
        shape = (2, len(sources), len(self.bands), len(sources[0]), *scale.shape)
        found = np.full(shape, np.nan)
        for number, (channel, bands) in enumerate(self.bands.items()):
            rows = [scale.bands.index(name) for name in bands.names]
            waves = [bands.coefficients(field[:, channel]) for field in sources]
            found[:, :, number, :, rows] = np.moveaxis(paired(waves, bands.spectrum), 3, 0)
        return found


def zonal_spectra(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> ZonalSpectra | None:
    """Return the zonal spectra of a grid; None where no variable has a row that can be used."""
    made = {
        channel: zonal_bands(grid, None if valid_mask is None else valid_mask[channel])
        for channel in range(len(variables))
    }
    bands = {channel: one for channel, one in made.items() if one is not None}
    return ZonalSpectra(variables, bands) if bands else None
