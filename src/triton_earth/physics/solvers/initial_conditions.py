"""Random initial vorticity of homogeneous isotropic turbulence."""

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.physics.spectral import wavenumbers

_TWO_PI = 2 * torch.pi


def mcwilliams_vorticity(
    seed: int, size: int, peak_wavenumber: float, tau: float = 1.0
) -> Float[Tensor, "y x"]:
    """Return one random vorticity field with the spectrum of McWilliams on the box (0, 2π)².

        ψ̂ = η̂ A(k),      A(k) = 1 / (k [τ² + (k/k₀)⁴]),  A(0) = 0;      ω̂ = k² ψ̂

    with white noise η ~ N(0, 1), scaled so that ⟨|u|²⟩ = ½. The noise comes from torch's CPU generator in float64
    and is drawn with x as the slow axis. A(k) is McWilliams' energy spectrum and here, as in the generator of the
    published turbulence data, multiplies the *amplitude*: this deviates from the paper on purpose.

    Args:
        seed: Seed of the generator.
        size: Grid points in each direction.
        peak_wavenumber: k₀, an angular wavenumber on the 2π box.
        tau: τ.

    Returns:
        ω [y, x] in s⁻¹, float64, of zero mean.

    Source: McWilliams, 1984, J. Fluid Mech. 146, 21, eq. (3); Cao et al., 2024, arXiv:2405.17211 (torch-cfd).
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(size, size, generator=generator, dtype=torch.float64).mT
    ky, kx = wavenumbers((size, size), (_TWO_PI, _TWO_PI))
    k = torch.hypot(ky, kx)
    k[0, 0] = torch.inf
    amplitude = 1 / (k * (tau**2 + (k / peak_wavenumber) ** 4))
    k[0, 0] = 0
    omega = torch.fft.irfft2(torch.fft.rfft2(noise) * amplitude * k.square(), s=(size, size))
    speed = torch.fft.irfft2(torch.fft.rfft2(noise) * amplitude * k, s=(size, size))
    return omega / (2 * speed.square().mean()).sqrt()
