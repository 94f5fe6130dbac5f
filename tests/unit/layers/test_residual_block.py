import pytest
import torch
from torch.nn import functional

from triton_earth.layers.residual_block import NORMS, CellNorm, ResidualBlock, map_norm

PERIODIC = ("periodic", "periodic")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("width", [4, 6])
def test_keeps_the_map_size_and_all_weights_take_part(norm, width):
    block = ResidualBlock(4, width, norm)
    y = block(torch.randn(2, 4, 7, 9))
    assert y.shape == (2, width, 7, 9)
    y.square().sum().backward()
    assert all(parameter.grad is not None for parameter in block.parameters())


def test_equals_its_equation():
    block, x = ResidualBlock(3, 4, "none"), torch.randn(1, 3, 5, 5)
    first = functional.conv2d(x, block.first.weight, block.first.bias, padding=1)
    inner = first * torch.sigmoid(first)
    second = functional.conv2d(inner, block.second.weight, block.second.bias, padding=1)
    y = second + torch.einsum("oc,bchw->bohw", block.shortcut.weight[:, :, 0, 0], x)
    y = y + block.shortcut.bias[:, None, None]
    torch.testing.assert_close(block(x), y * torch.sigmoid(y), rtol=1e-4, atol=1e-5)


def test_group_norm_hides_the_amplitude_of_the_branch_and_cell_norm_sees_one_cell():
    x = torch.randn(1, 8, 4, 4)
    group, cell = map_norm("group", 8), map_norm("channel", 8)
    torch.testing.assert_close(group(100 * x), group(x), rtol=1e-3, atol=1e-4)
    changed = x.clone()
    changed[:, :, 0, 0] += torch.randn(8)
    difference = (cell(changed) - cell(x)).abs().sum(1)[0]
    assert difference[0, 0] > 0.1
    assert not difference.flatten()[1:].any()


def test_cell_norm_equals_its_equation():
    x = torch.randn(2, 5, 3, 4)
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
    torch.testing.assert_close(CellNorm(5)(x), (x - mean) / (variance + 1e-5).sqrt())


@pytest.mark.parametrize(("width", "groups"), [(32, 8), (12, 4), (7, 1)])
def test_any_width_has_groups(width, groups):
    assert map_norm("group", width).num_groups == groups


def test_shifts_commute_on_a_periodic_grid():
    block, x = ResidualBlock(2, 8, padding_rule=PERIODIC), torch.randn(1, 2, 6, 10)
    shifted = block(x.roll((1, -3), (2, 3)))
    torch.testing.assert_close(shifted, block(x).roll((1, -3), (2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("width", [16, 128, 192])
def test_group_norm_of_bfloat16_and_its_gradients_are_those_of_float32(order, width):
    torch.manual_seed(0)
    norm, plain = map_norm("group", width), torch.nn.GroupNorm(8, width)
    with torch.no_grad():
        for one, other in zip(norm.parameters(), plain.parameters(), strict=True):
            one.copy_(torch.randn(width))
            other.copy_(one)
    x = torch.randn(3, width, 12, 20).to(memory_format=order).bfloat16()
    weight = torch.randn(x.shape).bfloat16()
    ours, exact = x.clone().requires_grad_(), x.float().requires_grad_()
    y, expected = norm(ours), plain(exact)
    assert y.dtype == torch.bfloat16
    (y * weight).sum().backward()
    (expected * weight.float()).sum().backward()
    torch.testing.assert_close(y.float(), expected, rtol=0.01, atol=0.01)
    torch.testing.assert_close(ours.grad.float(), exact.grad, rtol=0.02, atol=0.02)
    for one, other in zip(norm.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-3)
