"""Energy and enstrophy of vorticity fields by wavenumber, in total and at the small scales."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.physics.flow import energy_spectrum, enstrophy_spectrum, spectrum_wavenumbers
from triton_earth.physics.spectral import isotropic_sum

SMALL_SCALES = (
    "sum of the enstrophy spectrum over the upper half of the resolved wavenumbers, k_N / 2 < k <= k_N, where "
    "k_N = pi min(ny / Ly, nx / Lx) is the Nyquist wavenumber of the stored grid (n / 2 on an n x n box of side 2 pi)"
)
"""Definition of the small-scale enstrophy."""


@dataclass(frozen=True)
class FlowSpectra:
    """Spectra of vorticity fields on a doubly periodic box.

    Attributes:
        energy: Kinetic energy E(k) of each wavenumber bin, in m² s⁻² for vorticity in s⁻¹ and lengths in m.
        enstrophy: Enstrophy Z(k) of each wavenumber bin, in s⁻².
    """

    energy: Float64[np.ndarray, "*batch wavenumber"]
    enstrophy: Float64[np.ndarray, "*batch wavenumber"]

    def select(self, rows: Int[np.ndarray, " chosen"]) -> "FlowSpectra":
        """Return the spectra of some of the fields."""
        return FlowSpectra(self.energy[rows], self.enstrophy[rows])


def spectral_channel(variables: Variables, grid: Grid, valid_mask: np.ndarray | None) -> int | None:
    """Return the channel whose spectra can be computed, or None.

    It is vorticity on a doubly periodic box where every cell is valid.
    """
    if not isinstance(grid, PeriodicGrid) or VORTICITY.name not in variables:
        return None
    (channel,) = variables.indices([VORTICITY.name])
    if valid_mask is not None and not valid_mask[channel].all():
        return None
    return channel


def flow_spectra(vorticity: Float[np.ndarray, "*batch y x"], grid: PeriodicGrid) -> FlowSpectra:
    """Return energy and enstrophy spectra of vorticity fields.

        E(k) = Σ ½ |ω̂|² / |k|²,    Z(k) = Σ ½ |ω̂|²    over the bin around k

    as `triton_earth.physics.flow` defines them: over all bins they add up to ½⟨|u|²⟩ and ½⟨ω²⟩.

    Args:
        vorticity: Fields in s⁻¹; the spectra of a field that is not finite are not finite.
        grid: The box; its lengths in m.

    Returns:
        Spectra with one bin for each of `wavenumbers(grid)`.
    """
    lengths = (grid.length_y, grid.length_x)
    fields = torch.from_numpy(np.asarray(vorticity, dtype=np.float64))
    return FlowSpectra(
        energy_spectrum(fields, lengths).numpy(), enstrophy_spectrum(fields, lengths).numpy()
    )


def cross_spectrum(
    forecast: Float[np.ndarray, "*batch y x"],
    truth: Float[np.ndarray, "*batch y x"],
    grid: PeriodicGrid,
) -> Float64[np.ndarray, "*batch wavenumber"]:
    """Return the cross-spectrum of two fields, what their enstrophy spectra have in common.

        X(k) = Σ ½ Re(f̂ t̂*)    over the bin around k

    Of a field with itself it is the enstrophy spectrum; Z(f − t) = Z(f) + Z(t) − 2 X.

    Args:
        forecast: Fields f in s⁻¹.
        truth: Fields t in s⁻¹.
        grid: The box.

    Returns:
        One bin for each of `wavenumbers(grid)`, in s⁻².
    """
    coefficients = [
        torch.fft.rfft2(torch.from_numpy(np.asarray(field, dtype=np.float64)), norm="forward")
        for field in (forecast, truth)
    ]
    density = 0.5 * (coefficients[0] * coefficients[1].conj()).real
    return isotropic_sum(density, grid.shape, (grid.length_y, grid.length_x)).numpy()


def wavenumbers(grid: PeriodicGrid) -> Float64[np.ndarray, " wavenumber"]:
    """Return the central wavenumber of each bin, in rad m⁻¹."""
    return spectrum_wavenumbers(grid.shape, (grid.length_y, grid.length_x)).numpy()


def nyquist_wavenumber(grid: PeriodicGrid) -> float:
    """Return k_N = π min(n_y / L_y, n_x / L_x), the largest wavenumber that the grid resolves, in rad m⁻¹."""
    return math.pi * min(grid.ny / grid.length_y, grid.nx / grid.length_x)


def small_scales(grid: PeriodicGrid) -> Bool[np.ndarray, " wavenumber"]:
    """Return the bins in the upper half of the resolved wavenumbers.

        k_N / 2 < k ≤ k_N,    k_N the Nyquist wavenumber of the stored grid

    Args:
        grid: The stored grid, which may be coarser than the solver's: what it cannot hold is not judged.

    Returns:
        True in those bins. The bins beyond k_N, in the corners of the spectral plane, are left out.
    """
    nyquist = nyquist_wavenumber(grid)
    rounding = 1e-9 * nyquist
    k = wavenumbers(grid)
    return (k > 0.5 * nyquist + rounding) & (k <= nyquist + rounding)
