"""What a two-dimensional incompressible flow is described by: vorticity, streamfunction, velocity, energy, spectra.

All fields are on a doubly periodic box, [*batch, y, x]; `lengths` is (length_y, length_x) in m throughout.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from triton_earth.physics.spectral import (
    gradient,
    isotropic_sum,
    wavenumbers,
)


def vorticity(
    velocity_x: Float[Tensor, "*batch y x"],
    velocity_y: Float[Tensor, "*batch y x"],
    lengths: tuple[float, float],
) -> Float[Tensor, "*batch y x"]:
    """Return the vorticity of a velocity field.

        ω = ∂v/∂x − ∂u/∂y

    Args:
        velocity_x: u [*batch, y, x] in m/s.
        velocity_y: v [*batch, y, x] in m/s.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        ω [*batch, y, x] in s⁻¹.
    """
    return gradient(velocity_y, lengths)[0] - gradient(velocity_x, lengths)[1]


def streamfunction(
    vorticity: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> Float[Tensor, "*batch y x"]:
    """Return the streamfunction of zero mean.

        ∇²ψ = −ω,      ψ̂ = ω̂ / k²

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹; its mean, which no periodic flow has, is left out.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        ψ [*batch, y, x] in m²/s.
    """
    shape = _shape(vorticity)
    coefficients = torch.fft.rfft2(vorticity, norm="forward")
    inverse = _inverse_laplacian(shape, lengths, vorticity)
    return torch.fft.irfft2(coefficients * inverse, s=shape, norm="forward")


def velocity(
    vorticity: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> tuple[Float[Tensor, "*batch y x"], Float[Tensor, "*batch y x"]]:
    """Return the velocity of zero mean.

        u = ∂ψ/∂y,      v = −∂ψ/∂x,      ∇²ψ = −ω

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        (u, v) [*batch, y, x] in m/s.
    """
    by_x, by_y = gradient(streamfunction(vorticity, lengths), lengths)
    return by_y, -by_x


def kinetic_energy(
    vorticity: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> Float[Tensor, "*batch"]:
    """Return the mean kinetic energy per mass.

        E = ½⟨u² + v²⟩ = Σ ½|ω̂|² / k²

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        E [*batch] in m²/s².
    """
    return energy_spectrum(vorticity, lengths).sum(dim=-1)


def enstrophy(vorticity: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch"]:
    """Return the mean enstrophy.

        Z = ½⟨ω²⟩

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.

    Returns:
        Z [*batch] in s⁻².
    """
    return 0.5 * vorticity.square().mean(dim=(-2, -1))


def palinstrophy(
    vorticity: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> Float[Tensor, "*batch"]:
    """Return the mean palinstrophy, the squared vorticity gradient.

        P = ½⟨|∇ω|²⟩ = Σ ½ k² |ω̂|²

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        P [*batch] in m⁻² s⁻².
    """
    shape = _shape(vorticity)
    ky, kx = wavenumbers(shape, lengths, vorticity.dtype, vorticity.device)
    density = _half_square(vorticity) * (ky.square() + kx.square())
    return isotropic_sum(density, shape, lengths).sum(dim=-1)


def enstrophy_spectrum(
    vorticity: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> Float[Tensor, "*batch wavenumber"]:
    """Return the isotropic enstrophy spectrum.

        Z(b) = Σ ½|ω̂(k)|² over  b − ½ ≤ |k|/k₁ < b + ½,      Σ_b Z(b) = ½⟨ω²⟩ exactly

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        Z [*batch, wavenumber] in s⁻² per shell; the axis is `isotropic_wavenumbers`.
    """
    return isotropic_sum(_half_square(vorticity), _shape(vorticity), lengths)


def energy_spectrum(
    vorticity: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> Float[Tensor, "*batch wavenumber"]:
    """Return the isotropic kinetic energy spectrum.

        E(b) = Σ ½|ω̂(k)|² / k² over  b − ½ ≤ |k|/k₁ < b + ½,      E(0) = 0

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        E [*batch, wavenumber] in m²/s² per shell; the axis is `isotropic_wavenumbers`.
    """
    shape = _shape(vorticity)
    density = _half_square(vorticity) * _inverse_laplacian(shape, lengths, vorticity)
    return isotropic_sum(density, shape, lengths)


def _shape(field: Tensor) -> tuple[int, int]:
    return field.shape[-2], field.shape[-1]


def _half_square(field: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch y half"]:
    coefficients: Complex[Tensor, "*batch y half"] = torch.fft.rfft2(field, norm="forward")
    return 0.5 * (coefficients.real.square() + coefficients.imag.square())


def _inverse_laplacian(
    shape: tuple[int, int], lengths: tuple[float, float], like: Tensor
) -> Float[Tensor, "y half"]:
    """Return 1/k², and 0 for the mean."""
    ky, kx = wavenumbers(shape, lengths, like.dtype, like.device)
    squared = ky.square() + kx.square()
    squared[0, 0] = torch.inf
    return squared.reciprocal()
