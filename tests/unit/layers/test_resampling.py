import pytest
import torch

from triton_earth.layers.resampling import UPSAMPLINGS, Doubling, Halving, interpolated

PERIODIC = ("periodic", "periodic")
ZERO = ("zero", "zero")


def pattern(y):
    """Part of the variance that has a period of two cells along an axis or both."""
    spectrum = torch.fft.fft2(y - y.mean((2, 3), keepdim=True)).abs() ** 2
    height, width = y.shape[2] // 2, y.shape[3] // 2
    nyquist = spectrum[:, :, height, 0] + spectrum[:, :, 0, width] + spectrum[:, :, height, width]
    return (nyquist.sum() / spectrum.sum()).item()


@pytest.mark.parametrize("padding", [ZERO, PERIODIC, ("zero", "periodic")])
@pytest.mark.parametrize("method", UPSAMPLINGS)
def test_doubles_the_map(method, padding):
    assert Doubling(3, 5, method, padding)(torch.randn(2, 3, 4, 6)).shape == (2, 5, 8, 12)


def test_halving_sees_the_four_cells_alone():
    halving, x = Halving(2, 3), torch.randn(1, 2, 4, 6)
    changed = x.clone()
    changed[:, :, 2:, 4:] += 1
    difference = (halving(changed) - halving(x)).abs().sum(1)[0]
    assert halving(x).shape == (1, 3, 2, 3)
    assert difference[1, 2] > 0
    assert not difference[0].any()
    assert not difference[1, :2].any()


@pytest.mark.parametrize("method", ["nearest", "bilinear", "shuffle"])
def test_a_constant_map_stays_constant_on_a_periodic_grid(method):
    torch.manual_seed(0)
    y = Doubling(4, 4, method, PERIODIC)(torch.ones(1, 4, 5, 5))
    torch.testing.assert_close(y, y[:, :, :1, :1].expand_as(y), rtol=1e-4, atol=1e-5)


def test_four_matrices_of_their_own_put_a_checkerboard_on_a_constant_map():
    torch.manual_seed(0)
    y = Doubling(4, 4, "transposed")(torch.ones(1, 4, 5, 5))
    assert pattern(y) > 0.99


def test_shuffled_channels_start_as_a_convolution_with_each_value_repeated():
    torch.manual_seed(0)
    doubling, x = Doubling(3, 2, "shuffle", PERIODIC), torch.randn(1, 3, 4, 6)
    y = doubling(x)
    coarse = y[:, :, ::2, ::2]
    torch.testing.assert_close(
        y, coarse.repeat_interleave(2, 2).repeat_interleave(2, 3), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("method", UPSAMPLINGS)
def test_shifts_by_a_coarse_cell_commute_on_a_periodic_grid(method):
    doubling, x = Doubling(2, 3, method, PERIODIC), torch.randn(1, 2, 4, 6)
    shifted = doubling(x.roll((1, -2), (2, 3)))
    torch.testing.assert_close(shifted, doubling(x).roll((2, -4), (2, 3)), rtol=1e-4, atol=1e-5)


def test_bilinear_values_are_those_at_the_centres_of_the_fine_cells():
    doubling = Doubling(1, 1, "bilinear", PERIODIC)
    torch.nn.init.ones_(doubling.convolution.weight)
    torch.nn.init.zeros_(doubling.convolution.bias)
    y = doubling(torch.tensor([0.0, 4.0, 8.0, 4.0]).expand(1, 1, 4, 4))
    torch.testing.assert_close(y[0, 0, 0], torch.tensor([1.0, 1.0, 3.0, 5.0, 7.0, 7.0, 5.0, 3.0]))


def images(y):
    """Part of the variance beyond three quarters of the largest wavenumber along an axis."""
    spectrum = torch.fft.fft2(y - y.mean((2, 3), keepdim=True)).abs() ** 2
    beyond = torch.fft.fftfreq(y.shape[2]).abs() > 3 / 8
    return (spectrum[:, :, beyond[:, None] | beyond].sum() / spectrum.sum()).item()


def test_bilinear_makes_the_least_pattern_of_period_two_and_transposed_the_most():
    """Of a smooth map: what varies from cell to cell was made by the doubling."""
    wavenumber = torch.fft.fftfreq(32, 1 / 32)
    low_pass = torch.exp(-(wavenumber[:, None] ** 2 + wavenumber**2) / 4**2)
    found = {}
    for method in UPSAMPLINGS:
        torch.manual_seed(0)
        smooth = torch.fft.ifft2(torch.fft.fft2(torch.randn(8, 8, 32, 32)) * low_pass).real
        found[method] = images(Doubling(8, 8, method, PERIODIC)(smooth))
    assert found["bilinear"] < 0.1 * min(found["nearest"], found["shuffle"])
    assert found["transposed"] > 5 * max(found["nearest"], found["shuffle"])


@pytest.mark.parametrize("padding", [ZERO, PERIODIC, ("zero", "periodic")])
def test_the_interpolation_and_its_gradient_keep_the_channel_innermost(padding):
    x = torch.randn(2, 5, 4, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = interpolated(x, padding)
    weight = torch.randn(y.shape).to(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad((y * weight).sum(), x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("padding", [ZERO, PERIODIC, ("zero", "periodic")])
def test_the_gradient_of_the_interpolation_is_its_adjoint(padding):
    x = torch.randn(1, 2, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda maps: interpolated(maps, padding), x)
