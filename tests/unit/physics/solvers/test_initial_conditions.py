"""The random initial vorticity against its closed form and against torch-cfd."""

import math

import pytest
import torch

from triton_earth.physics import flow
from triton_earth.physics.solvers.initial_conditions import mcwilliams_vorticity

LENGTHS = (2 * math.pi, 2 * math.pi)


@pytest.mark.parametrize("size", [32, 45])
def test_mean_square_speed_is_a_half(size):
    omega = mcwilliams_vorticity(3, size, peak_wavenumber=4.0)
    energy = flow.energy_spectrum(omega, LENGTHS).sum()
    assert energy.item() == pytest.approx(0.25, rel=1e-12)
    assert abs(omega.mean().item()) < 1e-12


def test_each_wave_is_the_noise_times_the_amplitude():
    size, peak = 16, 3.0
    omega = torch.fft.fft2(mcwilliams_vorticity(7, size, peak))
    generator = torch.Generator().manual_seed(7)
    noise = torch.fft.fft2(torch.randn(size, size, generator=generator, dtype=torch.float64).mT)
    expected = {
        (ky, kx): math.hypot(ky, kx) / (1 + (math.hypot(ky, kx) / peak) ** 4)
        for ky, kx in [(1, 0), (0, 2), (3, 4), (-5, 2)]
    }
    ratios = [(omega[wave] / noise[wave] / factor) for wave, factor in expected.items()]
    for ratio in ratios:
        assert abs(ratio - ratios[0]) < 1e-12 * abs(ratios[0])


def test_the_seed_alone_decides():
    first, again, other = (mcwilliams_vorticity(seed, 16, 4.0) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_agrees_with_torch_cfd():
    pytest.importorskip("torch_cfd")
    from torch_cfd.grids import Grid
    from torch_cfd.initial_conditions import filtered_vorticity_field

    torch.set_default_dtype(torch.float64)
    try:
        grid = Grid((64, 64), domain=((0, 2 * math.pi), (0, 2 * math.pi)))
        other = filtered_vorticity_field(grid, peak_wavenumber=4, random_state=1127825)
    finally:
        torch.set_default_dtype(torch.float32)
    # Their first axis is x.
    expected = other.data.reshape(64, 64).mT
    found = mcwilliams_vorticity(1127825, 64, peak_wavenumber=4.0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
