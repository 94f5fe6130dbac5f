"""FNO against the library that its layout is from, with the same weights."""

import warnings

import pytest
import torch

from triton_earth.layers.spectral_convolution import SpectralConvolution
from triton_earth.models.networks.fno import FnoConfig


def _oracle(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from neuralop.models import FNO
    return FNO(**options)


def _copy_weights(theirs, ours):
    """Copy all weights; the count of both shows that none is left out."""

    def dense(pointwise, other):
        pointwise.weight.copy_(other.weight[..., None])
        if other.bias is not None:
            pointwise.bias.copy_(other.bias)

    with torch.no_grad():
        for mine, other in ((ours.lifting, theirs.lifting), (ours.projection, theirs.projection)):
            dense(mine[0], other.fcs[0])
            dense(mine[2], other.fcs[1])
        blocks = theirs.fno_blocks
        for number, block in enumerate(ours.blocks):
            spectral = blocks.convs[number]
            weight = spectral.weight.to_tensor().permute(2, 3, 0, 1)
            block.spectral.real.copy_(weight.real)
            block.spectral.imaginary.copy_(weight.imag)
            block.bias.copy_(spectral.bias)
            dense(block.skip, blocks.fno_skips[number].conv)
            dense(block.perceptron[0], blocks.channel_mlp[number].fcs[0])
            dense(block.perceptron[2], blocks.channel_mlp[number].fcs[1])
            block.gate.copy_(blocks.channel_mlp_skips[number].weight[0])


@pytest.mark.parametrize("shape", [(16, 16), (12, 18)])
def test_the_same_as_neuraloperator_with_the_same_weights(shape):
    theirs = _oracle(n_modes=(8, 8), in_channels=3, out_channels=2, hidden_channels=16, n_layers=3)
    config = FnoConfig(modes=8, width=16, layers=3)
    ours = config.build(1, 3, 2, ("periodic", "periodic"))
    _copy_weights(theirs, ours)
    x = torch.randn(2, 3, *shape)
    torch.testing.assert_close(ours(x[:, None])[:, 0], theirs(x), rtol=1e-5, atol=1e-5)


def test_spectral_convolution_equals_its_equation():
    layer, x = SpectralConvolution(2, 3, rows=2, columns=3, std=1.0), torch.randn(1, 2, 7, 8)
    weight = torch.complex(layer.real, layer.imaginary).detach()
    spectrum = torch.fft.fft2(x, norm="forward")
    expected = torch.zeros(1, 3, 7, 8, dtype=torch.complex64)
    for row in range(-2, 2):
        for column in range(3):
            product = spectrum[:, :, row, column] @ weight[row + 2, column]
            if column == 0:  # of what is its own mirror image along the width, half of both sides
                mirrored = spectrum[:, :, -row, 0] @ weight[2 - row, 0] if row > -2 else None
                product = (product + (0 if mirrored is None else mirrored.conj())) / 2
                expected[:, :, row, 0] += product
                if row == -2:
                    expected[:, :, 2, 0] += product.conj()
                continue
            expected[:, :, row, column] += product
            expected[:, :, -row, -column] += product.conj()
    exact = torch.fft.ifft2(expected, norm="forward")
    torch.testing.assert_close(layer(x), exact.real)
    assert exact.imag.abs().max() < 1e-5


def test_wavenumbers_that_a_small_map_lacks_are_left_out():
    layer = SpectralConvolution(1, 1, rows=8, columns=9, std=1.0)
    with torch.no_grad():
        layer.real.fill_(1)
        layer.imaginary.zero_()
    x = torch.randn(1, 1, 5, 6)
    torch.testing.assert_close(layer(x), x)
