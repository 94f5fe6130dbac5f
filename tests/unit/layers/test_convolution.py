import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.layers.convolution import Convolution, TransposedConvolution

PERIODIC = ("periodic", "periodic")


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_periodic_convolution_equals_the_sum_of_its_equation(size, stride):
    layer = Convolution(2, 3, size, stride, padding_rule=PERIODIC)
    x = torch.randn(1, 2, 8, 6)
    reach = (size - 1) // 2
    expected = layer.bias[None, :, None, None].expand(1, 3, 8, 6).clone()
    for row in range(size):
        for column in range(size):
            shifted = x.roll((reach - row, reach - column), dims=(2, 3))
            expected = expected + torch.einsum(
                "oc,bchw->bohw", layer.weight[:, :, row, column], shifted
            )
    torch.testing.assert_close(layer(x), expected[:, :, ::stride, ::stride])


def test_periodic_transposed_convolution_is_the_adjoint_of_the_periodic_one():
    up = TransposedConvolution(3, 2, PERIODIC)
    down = Convolution(2, 3, stride=2, padding_rule=PERIODIC)
    with torch.no_grad():
        down.weight.copy_(up.weight)
        up.bias.zero_()
        down.bias.zero_()
    x, y = torch.randn(1, 3, 4, 5), torch.randn(1, 2, 8, 10)
    torch.testing.assert_close((up(x) * y).sum(), (x * down(y)).sum())


def test_zero_rule_is_the_ordinary_convolution():
    layer, x = Convolution(2, 3, stride=2), torch.randn(1, 2, 8, 6)
    plain = torch.nn.functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=1)
    torch.testing.assert_close(layer(x), plain)


def test_mixed_rules_wrap_the_width_alone():
    layer = Convolution(1, 1, padding_rule=("zero", "periodic"))
    x = torch.randn(1, 1, 4, 6)
    torch.testing.assert_close(layer(x.roll(2, 3)), layer(x).roll(2, 3))
    assert not torch.allclose(layer(x.roll(1, 2)), layer(x).roll(1, 2))


@given(rows=st.integers(-5, 5), columns=st.integers(-5, 5))
@settings(deadline=None, max_examples=15)
def test_transposed_convolution_commutes_with_periodic_shifts(rows, columns):
    layer, x = TransposedConvolution(2, 2, PERIODIC), torch.randn(1, 2, 4, 6)
    shifted = layer(x.roll((rows, columns), (2, 3)))
    torch.testing.assert_close(shifted, layer(x).roll((2 * rows, 2 * columns), (2, 3)))
