"""The sine transform against SciPy's."""

import pytest
import scipy.fft
import torch

from triton_earth.physics.sine_transform import SineTransform


@pytest.mark.parametrize("shape", [(4, 4), (16, 9), (33, 64)])
def test_it_is_the_discrete_sine_transform_of_the_first_kind(shape):
    waves = SineTransform(shape, torch.float64)
    field = torch.randn(2, shape[0] - 1, shape[1] - 1, dtype=torch.float64)
    expected = scipy.fft.dstn(field.numpy(), type=1, axes=(-2, -1)) / (shape[0] * shape[1])
    amplitudes = waves.amplitudes(field)
    assert torch.allclose(amplitudes, torch.from_numpy(expected), atol=1e-13)
    assert torch.allclose(waves.field(amplitudes), field, atol=1e-13)


def test_a_single_wave_has_a_single_amplitude():
    y, x = torch.arange(1, 12, dtype=torch.float64), torch.arange(1, 20, dtype=torch.float64)
    wave = 3 * torch.sin(torch.pi * 2 * y / 12)[:, None] * torch.sin(torch.pi * 5 * x / 20)
    amplitudes = SineTransform((12, 20), torch.float64).amplitudes(wave)
    expected = torch.zeros(11, 19, dtype=torch.float64)
    expected[1, 4] = 3
    assert torch.allclose(amplitudes, expected, atol=1e-14)
