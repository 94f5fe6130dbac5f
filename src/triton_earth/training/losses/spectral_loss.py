"""The spectral loss: the power that a forecast has at each scale, against the truth's."""

import functools
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from triton_earth.core.grid import LatLonGrid, Padding
from triton_earth.core.state import State
from triton_earth.physics.spectral import small_scales
from triton_earth.training.losses.fields import (
    ChannelWeights,
    cell_weights,
    defined,
    mean_over_channels,
)

LEAST_POWER = 1e-12
"""Keeps the root of a power smooth at 0, in units of the loss."""

FLOOR = 1e-8
"""Power below this part of the truth's total is not told from nothing."""


def log_spectrum_error(
    forecast: State,
    truth: State,
    mean: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
) -> Float[Tensor, ""]:
    """Return the mean squared difference of log-power per wavenumber band.

        L = ⟨(ln P_f(b) − ln P_t(b))²⟩ over bands, samples, times and channels (these with weights v)
        P(b) = Σ |x̂(k)|² over 2^b ≤ |k| < 2^{b+1},  x̂ = FFT of (x − μ) h

    A loss on cells alone rewards a forecast that leaves the small scales out; here each octave counts the same,
    however little power it has. Phases do not matter, so this is a term to add, not a loss of its own. |k| counts
    cycles over the domain, √((j n/n_y)² + (i n/n_x)²) with n the shorter side. An axis that is not periodic is tapered
    with a Hann window h; cells that are not defined count as the mean.

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        mean: μ, one number for each of the forecast's channels.
        weights: v.
    """
    padding = forecast.grid.padding
    target = truth.select(forecast.variables.names).data
    powers = []
    for field in (forecast.data, target):
        anomaly = field - mean
        if forecast.valid_mask is not None:
            anomaly = torch.where(forecast.valid_mask, anomaly, 0.0)
        powers.append(band_power(anomaly, padding))
    floor = FLOOR * powers[1].sum(dim=-1, keepdim=True) + torch.finfo(target.dtype).tiny
    difference = (powers[0] + floor).log() - (powers[1] + floor).log()
    by_channel = difference.square().mean(dim=-1)
    return mean_over_channels(by_channel, weights)


def adjusted_squared_error(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
) -> Float[Tensor, ""]:
    """Return the squared error by wavenumber, with the part that rewards smooth forecasts taken out.

        L = ⟨Σ_k (√F_k − √T_k)² + 2 max(F_k, T_k) (1 − C_k)⟩,      C_k = Re Σ f̂ t̂* / √(F_k T_k)

    with F_k, T_k the power of forecast and truth at zonal wavenumber k, the mean over rows by area, or of the waves
    k − ½ ≤ |k| < k + ½ of a box. With √(F_k T_k) in place of the maximum this is the mean squared error, which falls
    when a forecast that is out of phase loses power.

    Args:
        forecast: Forecast states.
        truth: True states of at least the same variables.
        scale: What fields are divided by, one number for each of the forecast's channels.
        weights: v, how much each channel counts.

    Source: Subich et al. (2025), Fixing the double penalty in data-driven weather forecasting, arXiv:2501.19374.
    """
    target = truth.select(forecast.variables.names).data
    on_sphere = isinstance(forecast.grid, LatLonGrid)
    waves = [waves_of(forecast, field / scale, "forward") for field in (forecast.data, target)]
    if on_sphere:
        rows = cell_weights(forecast)[:, :1]

        def summed(power: Tensor) -> Tensor:
            counts = torch.from_numpy(_counts(forecast.grid.shape[1]))
            return (rows * counts.to(power) * power).mean(dim=-2)
    else:
        rings = torch.from_numpy(_ring_counts(*forecast.grid.shape))

        def summed(power: Tensor) -> Tensor:
            return power.flatten(-2) @ rings.to(power)

    powers = [summed(one.abs().square()) + LEAST_POWER for one in waves]
    joint = summed((waves[0] * waves[1].conj()).real)
    product = powers[0].sqrt() * powers[1].sqrt()
    amplitude = powers[0] + powers[1] - 2 * product
    phase = 2 * torch.maximum(*powers) * (1 - joint / product)
    by_channel = (amplitude + phase).sum(dim=-1)
    return mean_over_channels(by_channel, weights)


def waves_of(
    state: State, field: Float[Tensor, "*batch y x"], norm: Literal["ortho", "forward"] = "ortho"
) -> Tensor:
    """Return the Fourier transform of a field of a state, 0 where the state is not defined.

    It runs along the rows of a sphere and along both axes of a box.

    Args:
        state: Where the field is.
        field: The field.
        norm: ``ortho`` for the unitary transform, ``forward`` for amplitudes.
    """
    field = defined(field, state)
    if isinstance(state.grid, LatLonGrid):
        return torch.fft.rfft(field, norm=norm)
    return torch.fft.rfft2(field, norm=norm)


def mean_over_waves(
    by_wave: Float[Tensor, "*batch y half"], state: State
) -> Float[Tensor, "*batch"]:
    """Return the mean over the waves that `waves_of` gives, by area over the rows of a sphere."""
    counts = torch.from_numpy(_counts(state.grid.shape[1])).to(by_wave)
    if isinstance(state.grid, LatLonGrid):
        counts = counts * cell_weights(state)[:, :1]
    counts = counts.expand(by_wave.shape[-2:])
    return (by_wave * counts).sum(dim=(-2, -1)) / counts.sum()


# What follows of wavenumbers is in NumPy: torch may be running without values, to count what a step costs, and what is
# kept for later steps must have some.


@functools.lru_cache(maxsize=8)
def _ring_counts(ny: int, nx: int) -> Float32[np.ndarray, "wave ring"]:
    """Return how often each wave of the rfft2 layout counts in each ring of width 1."""
    ring = _wavenumbers(ny, nx).round().astype(np.int64)
    rings = [_counts(nx) * (ring == number) for number in range(int(ring.max()) + 1)]
    return np.stack(rings, axis=-1).reshape(-1, len(rings))


def band_power(
    field: Float[Tensor, "*batch y x"], padding: tuple[Padding, Padding]
) -> Float[Tensor, "*batch band"]:
    """Return the power of each octave of wavenumbers, the mean of the field apart.

    Args:
        field: Anomalies.
        padding: The grid's rule of each axis; one that is not periodic is tapered.
    """
    bands = torch.from_numpy(_bands(*field.shape[-2:]))
    power = _power(field, padding)
    return power.flatten(-2) @ bands.to(power)


def small_scale_power(
    field: Float[Tensor, "*batch y x"], padding: tuple[Padding, Padding]
) -> Float[Tensor, "*batch"]:
    """Return the power of the small scales, as `triton_earth.physics.spectral.small_scales` tells them.

    Args:
        field: Anomalies.
        padding: The grid's rule of each axis; one that is not periodic is tapered.
    """
    ny, nx = field.shape[-2:]
    power = _power(field, padding)
    shells = np.floor(_wavenumbers(ny, nx) + 0.5)
    counted = _counts(nx) * small_scales(shells, min(ny, nx) / 2)
    return (power * torch.from_numpy(counted).to(power)).sum(dim=(-2, -1))


def _power(
    field: Float[Tensor, "*batch y x"], padding: tuple[Padding, Padding]
) -> Float[Tensor, "*batch y half"]:
    ny, nx = field.shape[-2:]
    window = torch.outer(_taper(ny, padding[0]), _taper(nx, padding[1])).to(field)
    return torch.fft.rfft2(field * window, norm="forward").abs().square()


def _taper(cells: int, padding: Padding) -> Tensor:
    if padding == "periodic":
        return torch.ones(cells)
    return torch.hann_window(cells + 2, periodic=False)[1:-1]


def _wavenumbers(ny: int, nx: int) -> Float64[np.ndarray, "y half"]:
    """Return |k| of each wave of the rfft2 layout."""
    shorter = min(ny, nx)
    rows = np.fft.fftfreq(ny, d=1 / shorter)[:, None]
    return np.hypot(rows, np.fft.rfftfreq(nx, d=1 / shorter)[None, :])


def _counts(nx: int) -> Float32[np.ndarray, "1 half"]:
    """Return how often each wave of the rfft2 layout counts: 2, or 1 for its own conjugate."""
    count = np.full((1, nx // 2 + 1), 2.0, dtype=np.float32)
    count[:, 0] = 1
    if nx % 2 == 0:
        count[:, -1] = 1
    return count


@functools.lru_cache(maxsize=8)
def _bands(ny: int, nx: int) -> Float32[np.ndarray, "wave band"]:
    """Return how often each wave of the rfft2 layout counts in each octave."""
    wavenumber, count = _wavenumbers(ny, nx), _counts(nx)
    highest = int(np.log2(wavenumber.max()))
    bands = [
        count * ((wavenumber >= 2**octave) & (wavenumber < 2 ** (octave + 1)))
        for octave in range(highest + 1)
    ]
    return np.stack(bands, axis=-1).reshape(-1, len(bands))
