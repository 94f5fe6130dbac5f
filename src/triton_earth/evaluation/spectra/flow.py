"""Energy and enstrophy of vorticity fields by wavenumber, and which of them are the small scales."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Complex128, Float, Float64
from torch import Tensor

from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.spectra.names import BOX, BOX_ENERGY
from triton_earth.evaluation.spectra.transform import (
    Scale,
    Spectra,
    SpectralQuantity,
    paired,
)
from triton_earth.physics.spectral import (
    isotropic_sum,
    isotropic_wavenumbers,
    small_scales,
    wavenumbers,
)

SMALL_SCALES = (
    "sum of the enstrophy spectrum over the upper half of the resolved wavenumbers, k_N / 2 < k <= k_N, where "
    "k_N = pi min(ny / Ly, nx / Lx) is the Nyquist wavenumber of the stored grid (n / 2 on an n x n box of side 2 pi)"
)
"""Definition of the small-scale enstrophy."""

ENERGY, ENSTROPHY = 0, 1
"""Positions of the quantities of `FlowSpectra`."""

_BINS = "in the bin k - k1/2 <= |k| < k + k1/2 (k1: smallest wavenumber of the box); all bins add up to the"


@dataclass(frozen=True)
class FlowSpectra:
    """Spectra of the vorticity on a doubly periodic box.

        E(k) = Σ ½ Re(ω̂ ω̂′*) / |k|²,    Z(k) = Σ ½ Re(ω̂ ω̂′*)    over the bin around k

    where ω′ is ω itself or the truth: over all bins they add up to ½⟨u·u′⟩ and ½⟨ω ω′⟩.

    Attributes:
        grid: The box; its lengths in m.
        channel: Which channel is the vorticity.
        dimensionless: Whether it has no units.
    """

    grid: PeriodicGrid
    channel: int = 0
    dimensionless: bool = False

    @property
    def lengths(self) -> tuple[float, float]:
        """Lengths of the box (y, x)."""
        return self.grid.length_y, self.grid.length_x

    @property
    def scale(self) -> Scale:
        """Wavenumbers up to the corners of the spectral plane; k_N = π min(n_y / L_y, n_x / L_x) are resolved."""
        sides = zip(self.grid.shape, self.lengths, strict=True)
        return Scale(
            isotropic_wavenumbers(self.grid.shape, self.lengths).numpy(),
            "wavenumber",
            "1" if self.dimensionless else "rad m-1",
            math.pi * min(count / length for count, length in sides),
        )

    @property
    def quantities(self) -> tuple[SpectralQuantity, SpectralQuantity]:
        """Kinetic energy and enstrophy."""
        units = ("1", "1") if self.dimensionless else ("m2 s-2", "s-2")
        return (
            SpectralQuantity(BOX_ENERGY, "", units[0], f"kinetic energy {_BINS} kinetic energy"),
            SpectralQuantity(BOX, "", units[1], f"enstrophy {_BINS} enstrophy"),
        )

    @property
    def small_scales(self) -> Bool[np.ndarray, " wavenumber"]:
        """The bins in the upper half of the resolved wavenumbers.

            k_N / 2 < k ≤ k_N,    k_N the Nyquist wavenumber of the stored grid

        That may be coarser than the solver's: what it cannot hold is not judged. The bins beyond k_N, in the corners of
        the spectral plane, are left out.
        """
        scale = self.scale
        assert scale.largest is not None
        return small_scales(scale.numbers, scale.largest)

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return energy and enstrophy of every source; those of a field that is not finite are not finite."""
        fields = (source[:, self.channel].astype(np.float64) for source in sources)
        waves = [torch.fft.rfft2(torch.from_numpy(field), norm="forward") for field in fields]
        return np.moveaxis(paired(waves, self._spectrum), 3, 2)

    def _spectrum(
        self, one: Complex128[Tensor, "batch y half"], other: Complex128[Tensor, "batch y half"]
    ) -> Float64[np.ndarray, "batch 2 wavenumber"]:
        ky, kx = wavenumbers(self.grid.shape, self.lengths)
        squared = ky.square() + kx.square()
        squared[0, 0] = torch.inf
        density = 0.5 * (one * other.conj()).real
        both = torch.stack([density / squared, density], dim=1)
        return isotropic_sum(both, self.grid.shape, self.lengths).numpy()


def flow_spectra(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> FlowSpectra | None:
    """Return the spectra of the vorticity on a doubly periodic box where every cell is valid; None without one."""
    if not isinstance(grid, PeriodicGrid) or VORTICITY.name not in variables:
        return None
    (channel,) = variables.indices([VORTICITY.name])
    if valid_mask is not None and not valid_mask[channel].all():
        return None
    (vorticity,) = variables.select([VORTICITY.name])
    return FlowSpectra(grid, channel, vorticity.units != VORTICITY.units)
