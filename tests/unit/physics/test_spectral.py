"""Closed forms and refusals of the Fourier tools."""

import math

import pytest
import scipy.signal
import torch

from triton_earth.core.errors import UserError
from triton_earth.physics.spectral import (
    dealiasing_mask,
    gradient,
    isotropic_sum,
    isotropic_wavenumbers,
    resample,
    wavenumbers,
)


def coordinates(shape, lengths):
    y, x = (
        torch.arange(n, dtype=torch.float64) * (L / n) for n, L in zip(shape, lengths, strict=True)
    )
    return y[:, None], x[None, :]


def test_wavenumbers_are_those_of_the_box():
    ky, kx = wavenumbers((4, 5), (2 * math.pi, math.pi))
    torch.testing.assert_close(ky[:, 0], torch.tensor([0.0, 1, -2, -1], dtype=torch.float64))
    torch.testing.assert_close(kx[0], torch.tensor([0.0, 2, 4], dtype=torch.float64))


@pytest.mark.parametrize("shape", [(12, 16), (15, 9)])
def test_gradient_of_waves(shape):
    lengths = (3.0, 5.0)
    y, x = coordinates(shape, lengths)
    ky, kx = 2 * 2 * math.pi / lengths[0], 3 * 2 * math.pi / lengths[1]
    by_x, by_y = gradient(torch.sin(kx * x) * torch.cos(ky * y), lengths)
    torch.testing.assert_close(by_x, kx * torch.cos(kx * x) * torch.cos(ky * y))
    torch.testing.assert_close(by_y, -ky * torch.sin(kx * x) * torch.sin(ky * y))


def test_the_nyquist_wave_has_no_derivative():
    zigzag = torch.tensor([1.0, -1.0]).repeat(4).expand(8, 8)
    for derivative in (*gradient(zigzag, (1.0, 1.0)), *gradient(zigzag.mT, (1.0, 1.0))):
        assert derivative.abs().max() < 1e-6


@pytest.mark.parametrize(("size", "largest"), [(64, 21), (96, 31), (128, 42), (9, 2), (10, 3)])
def test_dealiasing_keeps_strictly_less_than_a_third(size, largest):
    mask = dealiasing_mask((size, size))
    kept = torch.fft.fftfreq(size, 1 / size)[mask[:, 0]]
    assert kept.min() == -largest
    assert kept.max() == largest
    assert mask[0].sum() == largest + 1


@pytest.mark.parametrize(("old", "new"), [(16, 8), (8, 16), (15, 8), (9, 20), (16, 7), (7, 7)])
def test_resampling_agrees_with_scipy(old, new):
    field = torch.randn(3, old, old, dtype=torch.float64)
    expected = scipy.signal.resample(scipy.signal.resample(field, new, axis=-1), new + 2, axis=-2)
    torch.testing.assert_close(resample(field, (new + 2, new)), torch.from_numpy(expected))


def test_resampling_a_resolved_wave_is_exact():
    wave = {
        shape: torch.cos(2 * y) * torch.sin(3 * x) + 1.5
        for shape in [(16, 20), (9, 7)]
        for y, x in [coordinates(shape, (2 * math.pi, 2 * math.pi))]
    }
    torch.testing.assert_close(resample(wave[16, 20], (9, 7)), wave[9, 7])
    torch.testing.assert_close(resample(wave[9, 7], (16, 20)), wave[16, 20])


def test_resampling_refuses_an_empty_grid():
    with pytest.raises(
        UserError, match=r"expected a grid of at least 1 x 1 points, found \(0, 4\)"
    ):
        resample(torch.zeros(4, 4), (0, 4))


def test_a_wave_lies_in_its_shell():
    shape, lengths = (12, 14), (2 * math.pi, 2 * math.pi)
    y, x = coordinates(shape, lengths)
    density = torch.fft.rfft2(torch.cos(3 * x + 4 * y), norm="forward").abs().square()
    sums = isotropic_sum(density, shape, lengths)
    expected = torch.zeros_like(sums)
    expected[5] = 0.5
    torch.testing.assert_close(sums, expected)


def test_shells_are_in_units_of_the_fundamental_wavenumber():
    k = isotropic_wavenumbers((8, 8), (2.0, 4.0))
    torch.testing.assert_close(k[1].item(), 2 * math.pi / 4.0)
    assert len(k) == round(math.hypot(8, 4)) + 1
