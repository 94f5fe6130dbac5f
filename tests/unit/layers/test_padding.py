import pytest
import torch

from triton_earth.layers.padding import pad_to_multiple, wrap


def test_periodic_axes_continue_on_the_other_side():
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    y = wrap(x, ("zero", "periodic"), before=1, after=2)
    assert y.shape == (1, 1, 3, 7)
    assert y[0, 0, 0].tolist() == [3, 0, 1, 2, 3, 0, 1]


def test_zero_padding_leaves_the_map_to_the_convolution():
    x = torch.randn(1, 2, 3, 4)
    assert wrap(x, ("zero", "zero"), 1, 1) is x


@pytest.mark.parametrize(("rule", "expected"), [("zero", [0, 1, 2, 0]), ("periodic", [0, 1, 2, 0])])
def test_lengthening_follows_the_rule(rule, expected):
    x = torch.arange(3.0).reshape(1, 1, 1, 3).expand(1, 1, 2, 3)
    y = pad_to_multiple(x + 5 * (rule == "periodic"), (rule, rule), 4)
    assert y.shape == (1, 1, 4, 4)
    assert y[0, 0, 0].tolist() == [v + 5 * (rule == "periodic") for v in expected]
    assert y[0, 0, 3].tolist() == (y[0, 0, 1].tolist() if rule == "periodic" else [0, 0, 0, 0])


def test_wrapping_keeps_the_channel_innermost():
    x = torch.randn(2, 8, 6, 6).contiguous(memory_format=torch.channels_last)
    y = wrap(x, ("periodic", "periodic"), 1, 1)
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "padding", [("periodic", "periodic"), ("zero", "periodic"), ("periodic", "zero")]
)
@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 2), (0, 1), (3, 2), (0, 5)])
@pytest.mark.parametrize("size", [(3, 5), (6, 7), (1, 1)])
def test_wrapping_at_once_equals_indexing_also_its_gradient(padding, before, after, size):
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    y = x
    for axis, rule in zip((2, 3), padding, strict=True):
        if rule == "periodic":
            index = torch.arange(-before, y.shape[axis] + after) % y.shape[axis]
            y = y.index_select(axis, index)
    wrapped = wrap(x, padding, before, after)
    assert torch.equal(wrapped, y)
    gradient = torch.randn_like(y)
    found, expected = (torch.autograd.grad(z, x, gradient)[0] for z in (wrapped, y))
    torch.testing.assert_close(found, expected)
