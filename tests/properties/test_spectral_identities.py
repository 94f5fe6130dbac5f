"""Identities of the Fourier tools on any grid."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.physics.flow import enstrophy, enstrophy_spectrum
from triton_earth.physics.spectral import gradient, isotropic_sum, isotropic_wavenumbers, resample

sizes = st.integers(1, 21)
shapes = st.tuples(sizes, sizes)
lengths = st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
seeds = st.integers(0, 2**31)
few = settings(max_examples=60, deadline=None)


def noise(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@few
@given(shapes, lengths, seeds)
def test_parseval_over_all_shells(shape, lengths, seed):
    field = noise(seed, 2, *shape)
    density = 0.5 * torch.fft.rfft2(field, norm="forward").abs().square()
    sums = isotropic_sum(density, shape, lengths)
    torch.testing.assert_close(
        sums.sum(-1), 0.5 * field.square().mean((-2, -1)), rtol=1e-12, atol=0
    )


@few
@given(shapes, lengths, seeds)
def test_the_enstrophy_spectrum_sums_to_enstrophy(shape, lengths, seed):
    field = noise(seed, 3, 2, *shape)
    spectrum = enstrophy_spectrum(field, lengths)
    assert spectrum.shape == (3, 2, len(isotropic_wavenumbers(shape, lengths)))
    torch.testing.assert_close(spectrum.sum(-1), enstrophy(field), rtol=1e-12, atol=0)


@few
@given(shapes, st.tuples(st.integers(0, 9), st.integers(0, 9)), seeds)
def test_a_finer_grid_and_back_is_the_identity(shape, more, seed):
    field = noise(seed, *shape)
    finer = (shape[0] + more[0], shape[1] + more[1])
    torch.testing.assert_close(resample(resample(field, finer), shape), field)


@few
@given(shapes, shapes, seeds)
def test_resampling_keeps_the_mean(old, new, seed):
    field = noise(seed, *old)
    torch.testing.assert_close(resample(field, new).mean(), field.mean())


@few
@given(shapes, shapes, lengths, seeds)
def test_derivative_and_truncation_commute(old, new, lengths, seed):
    # Odd sizes: only a Nyquist wave, whose derivative the coarse grid cannot hold, would break it.
    old, new = (tuple(2 * (n // 2) + 1 for n in shape) for shape in (old, new))
    new = (min(old[0], new[0]), min(old[1], new[1]))
    field = noise(seed, *old)
    for axis in (0, 1):
        torch.testing.assert_close(
            resample(gradient(field, lengths)[axis], new),
            gradient(resample(field, new), lengths)[axis],
            rtol=1e-9,
            atol=1e-9 * 2 * math.pi * max(old) / min(lengths),
        )
