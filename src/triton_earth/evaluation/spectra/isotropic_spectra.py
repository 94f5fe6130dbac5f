"""Isotropic spectra of the variables without missing cells, and of velocities, on boxes and in regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from triton_earth.core.grid import Grid, LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.spectra.isotropic import IsotropicBox, isotropic_box
from triton_earth.evaluation.spectra.names import ISOTROPIC, ISOTROPIC_ENERGY
from triton_earth.evaluation.spectra.records import Quantity, Scale, Spectra, paired
from triton_earth.evaluation.spectra.whole_fields import whole_channels, whole_velocities


@dataclass(frozen=True)
class IsotropicSpectra:
    """How isotropic spectra are taken.

    Attributes:
        box: The box.
        variables: The variables.
        channels: Those without missing cells; the others have no spectrum.
    """

    box: IsotropicBox
    variables: Variables
    channels: Int[np.ndarray, " chosen"]

    @property
    def scale(self) -> Scale:
        """Wavenumbers up to the corners of the spectral plane."""
        units = "rad km-1" if isinstance(self.box.grid, LatLonGrid) else "rad m-1"
        return Scale(self.box.wavenumbers, "wavenumber", units, self.box.nyquist)

    @property
    def velocities(self) -> list[tuple[int, int]]:
        """Channels of both components of each velocity that has them everywhere."""
        return whole_velocities(self.variables, self.channels)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The variables, then the velocities."""
        windowed = "zero" in self.box.grid.padding
        how = (
            "linear trend and mean taken out, Hann window" if windowed else "of the field as it is"
        )
        words = (
            f"mean square of the waves in the bin around each wavenumber ({how}); all bins add up to the mean "
            "square"
        )
        each = [list(self.variables)[channel] for channel in self.channels]
        return (
            *(
                Quantity(ISOTROPIC, one.name, METRICS["mse"].units(one.units), words)
                for one in each
            ),
            *(
                Quantity(
                    ISOTROPIC_ENERGY,
                    self.variables.names[east],
                    "m2 s-2",
                    "half the sum of isotropic_spectrum of both components of a velocity",
                )
                for east, _ in self.velocities
            ),
        )

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return the spectra of every source."""
        found = {}
        for channel in self.channels.tolist():
            waves = [self.box.coefficients(field[:, channel]) for field in sources]
            found[channel] = paired(waves, self.box.spectrum)
        energies = [0.5 * (found[east] + found[north]) for east, north in self.velocities]
        return np.stack([*found.values(), *energies], axis=2)


def isotropic_spectra(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> IsotropicSpectra | None:
    """Return the spectra of a box or region; None where no variable has them.

    Vorticity on a doubly periodic box is left out: `FlowSpectra` are its spectra.
    """
    box = isotropic_box(grid)
    channels = whole_channels(variables, valid_mask)
    if isinstance(grid, PeriodicGrid) and VORTICITY.name in variables:
        channels = np.setdiff1d(channels, variables.indices([VORTICITY.name]))
    if box is None or not channels.size:
        return None
    return IsotropicSpectra(box, variables, channels)
