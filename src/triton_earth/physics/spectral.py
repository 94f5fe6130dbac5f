"""Fourier analysis on a doubly periodic box: wavenumbers, derivatives, truncation, isotropic shells.

Fields are real tensors [*batch, y, x] on a uniform grid that holds 0 and not the box length. Spectra are in the
layout of `torch.fft.rfft2` with ``norm="forward"``, so that a coefficient is f̂ = FFT/N² and f̂(0) is the mean.
"""

import functools
import math
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from triton_earth.core.errors import UserError

Numbers = TypeVar("Numbers", np.ndarray, Tensor)


def wavenumbers(
    shape: tuple[int, int],
    lengths: tuple[float, float],
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> tuple[Float[Tensor, "y 1"], Float[Tensor, "1 half"]]:
    """Return the angular wavenumbers of the rfft2 layout.

        k_y = 2π j / L_y,  j = 0 … −1;      k_x = 2π i / L_x,  i = 0 … n_x // 2

    Args:
        shape: Grid points (n_y, n_x).
        lengths: Box lengths (L_y, L_x) in m.
        dtype: Real type of the result.
        device: Where it is to be.

    Returns:
        k_y [y, 1] and k_x [1, n_x // 2 + 1] in rad/m; the Nyquist wavenumber of an even n_y is negative.
    """
    (ny, nx), (length_y, length_x) = shape, lengths
    ky = torch.fft.fftfreq(ny, d=length_y / (2 * math.pi * ny), dtype=dtype, device=device)
    kx = torch.fft.rfftfreq(nx, d=length_x / (2 * math.pi * nx), dtype=dtype, device=device)
    return ky[:, None], kx[None, :]


def gradient(
    field: Float[Tensor, "*batch y x"], lengths: tuple[float, float]
) -> tuple[Float[Tensor, "*batch y x"], Float[Tensor, "*batch y x"]]:
    """Return the derivatives of the trigonometric interpolant.

        ∂f/∂x = F⁻¹[i k_x f̂],      ∂f/∂y = F⁻¹[i k_y f̂]

    The Nyquist wave of an even size has no derivative on its own grid: it counts as zero.

    Args:
        field: Real field [*batch, y, x].
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        (∂f/∂x, ∂f/∂y) [*batch, y, x], in the field's units per metre.
    """
    ny, nx = field.shape[-2:]
    ky, kx = wavenumbers((ny, nx), lengths, field.dtype, field.device)
    if ny % 2 == 0:
        ky[ny // 2] = 0
    if nx % 2 == 0:
        kx[:, nx // 2] = 0
    coefficients = torch.fft.rfft2(field, norm="forward")
    pair = torch.stack([1j * kx * coefficients, 1j * ky * coefficients])
    by_x, by_y = torch.fft.irfft2(pair, s=(ny, nx), norm="forward")
    return by_x, by_y


def dealiasing_mask(shape: tuple[int, int]) -> Bool[Tensor, "y half"]:
    """Return where the strict 2/3 rule keeps a wave.

        |j| < n_y / 3  and  i < n_x / 3

    Products of two kept waves alias onto none of the kept ones (Orszag, 1971, J. Atmos. Sci. 28, 1074).

    Args:
        shape: Grid points (n_y, n_x).

    Returns:
        Boolean mask in the rfft2 layout [y, n_x // 2 + 1], the same for j and −j.
    """
    ny, nx = shape
    rows = torch.arange(ny)
    rows = torch.minimum(rows, ny - rows)
    return (3 * rows < ny)[:, None] & (3 * torch.arange(nx // 2 + 1) < nx)[None, :]


def resample(
    field: Float[Tensor, "*batch y x"], shape: tuple[int, int]
) -> Float[Tensor, "*batch new_y new_x"]:
    """Return the field on another grid of the same box by spectral truncation or zero padding.

    Waves that both grids resolve keep their coefficients, the mean among them. The Nyquist wave of the smaller grid,
    if its size is even, is shared equally between ±n/2 on the larger grid and summed from there on the way back, so
    that a finer grid and back is the identity.

    Args:
        field: Real field [*batch, y, x].
        shape: Grid points (n_y, n_x) wanted.

    Returns:
        Real field [*batch, n_y, n_x].

    Raises:
        UserError: if a size in `shape` is not positive.
    """
    if min(shape) < 1:
        raise UserError(f"resampling: expected a grid of at least 1 x 1 points, found {shape}.")
    return _resample_axis(_resample_axis(field, shape[1], -1), shape[0], -2)


def isotropic_wavenumbers(
    shape: tuple[int, int], lengths: tuple[float, float]
) -> Float[Tensor, " wavenumber"]:
    """Return the central wavenumber of each isotropic shell.

        k_b = b k₁,  b = 0, 1, …;      k₁ = 2π / max(L_y, L_x)

    Args:
        shape: Grid points (n_y, n_x).
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        Wavenumbers in rad/m [wavenumber], float64; the last shell holds the corner of the spectral plane.
    """
    shells, _ = _shells(shape, lengths)
    count = int(shells.max()) + 1
    return torch.arange(count, dtype=torch.float64) * (2 * math.pi / max(lengths))


def isotropic_sum(
    density: Float[Tensor, "*batch y half"], shape: tuple[int, int], lengths: tuple[float, float]
) -> Float[Tensor, "*batch wavenumber"]:
    """Sum a density over the whole spectral plane, shell by shell.

        S(b) = Σ density(k) over  b − ½ ≤ |k|/k₁ < b + ½,      k₁ = 2π / max(L_y, L_x)

    All shells are kept, those cut by the corners too, so Σ_b S(b) is the sum over every wave: with density ½|f̂|² it
    is ½⟨f²⟩ (Parseval). Waves that the rfft2 layout leaves out count through their conjugates.

    Args:
        density: Real density in the rfft2 layout [*batch, y, n_x // 2 + 1].
        shape: Grid points (n_y, n_x).
        lengths: Box lengths (L_y, L_x) in m.

    Returns:
        One sum per shell [*batch, wavenumber], added up in float64 and returned in the type of `density`.
    """
    shells, multiplicity = _shells(shape, lengths)
    count = int(shells.max()) + 1
    batch = density.shape[:-2]
    weighted = (density * multiplicity.to(density)).reshape(-1, shells.numel())
    rows = torch.arange(weighted.shape[0], device=density.device)[:, None] * count
    positions = rows + shells.reshape(1, -1).to(density.device)
    sums = torch.bincount(
        positions.reshape(-1), weights=weighted.reshape(-1), minlength=weighted.shape[0] * count
    )
    return sums.reshape(*batch, count).to(density.dtype)


def small_scales(numbers: Numbers, largest: float) -> Numbers:
    """Return which central wavenumbers of shells are small scales: the upper half of those that are resolved.

        k_N / 2 < k ≤ k_N

    Shells beyond k_N, in the corners of the spectral plane, are not resolved in every direction and are left out.

    Args:
        numbers: Central wavenumbers k of shells, in any units.
        largest: k_N, the Nyquist wavenumber of the side with the coarser cells, in the same units.
    """
    return (numbers > (0.5 + 1e-9) * largest) & (numbers <= (1 + 1e-9) * largest)


def _resample_axis(field: Tensor, size: int, dim: int) -> Tensor:
    old = field.shape[dim]
    if size == old:
        return field
    common = min(size, old)
    coefficients = torch.fft.rfft(field, dim=dim, norm="forward").narrow(dim, 0, common // 2 + 1)
    if common % 2 == 0:
        coefficients = coefficients.clone()
        # The layout holds +n/2 only; the inverse transform takes its real part.
        coefficients.select(dim, common // 2).mul_(2.0 if size < old else 0.5)
    return torch.fft.irfft(coefficients, n=size, dim=dim, norm="forward")


@functools.lru_cache(maxsize=32)
def _shells(
    shape: tuple[int, int], lengths: tuple[float, float]
) -> tuple[Int[Tensor, "y half"], Float[Tensor, "1 half"]]:
    """Return the shell of each wave and how often it stands in the whole plane (1 or 2)."""
    ky, kx = wavenumbers(shape, lengths)
    shells = torch.floor(torch.hypot(ky, kx) * (max(lengths) / (2 * math.pi)) + 0.5).long()
    multiplicity = torch.full((1, kx.shape[1]), 2.0, dtype=torch.float64)
    multiplicity[:, 0] = 1
    if shape[1] % 2 == 0:
        multiplicity[:, -1] = 1
    return shells, multiplicity
