import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.layers import narrow_attention as narrow
from triton_earth.layers.attention import AxialAttention, SelfAttention
from triton_earth.layers.attention_block import AttentionBlock
from triton_earth.layers.narrow_attention import is_narrow, narrow_attention


def explicit(query, key, value):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    return scores.softmax(dim=-1) @ value


def heads(cells=300, width=8, scale=1.0):
    return [scale * torch.randn(2, 8, cells, width) for _ in range(3)]


def test_fused_attention_equals_the_explicit_formula():
    layer, x = SelfAttention(32), torch.randn(2, 50, 32)
    with torch.no_grad():
        layer.qkv.weight.mul_(20)
    parts = layer.qkv(x).reshape(2, 50, 3, 8, 4).permute(2, 0, 3, 1, 4)
    expected = layer.projection(explicit(*parts).transpose(1, 2).reshape(2, 50, 32))
    torch.testing.assert_close(layer(x), expected)


def test_refuses_a_width_that_the_heads_do_not_divide():
    with pytest.raises(UserError, match=r"multiple of the 8 heads, found 30; take 32\."):
        SelfAttention(30)


@pytest.mark.parametrize("cells", [300, 1500])
def test_narrow_attention_in_bfloat16_stays_within_one_percent(cells):
    parts = heads(cells)
    exact = explicit(*parts)
    with torch.no_grad():
        found = narrow_attention(*[part.bfloat16() for part in parts])
    assert (found.float() - exact).norm() / exact.norm() < 0.01


def test_narrow_attention_declines_scores_that_could_overflow():
    assert narrow_attention(*[part.bfloat16() for part in heads(scale=30.0)]) is None
    query, key, value = heads()
    query[0, 0, 0, 0] = float("nan")
    assert narrow_attention(query.bfloat16(), key.bfloat16(), value.bfloat16()) is None


def test_narrow_attention_is_for_narrow_heads_in_bfloat16(monkeypatch):
    monkeypatch.setattr(narrow, "MATRIX_UNITS", False)
    query = torch.zeros(1, 8, 4, 8, dtype=torch.bfloat16)
    assert is_narrow(query)
    assert not is_narrow(query.float())
    assert not is_narrow(query.new_zeros(1, 8, 4, 64))


def test_with_matrix_units_narrow_attention_is_for_gradients(monkeypatch):
    monkeypatch.setattr(narrow, "MATRIX_UNITS", True)
    query = torch.zeros(1, 8, 512, 64, dtype=torch.bfloat16)
    assert is_narrow(query)
    assert not is_narrow(query.new_zeros(1, 8, 513, 64))
    assert is_narrow(query.new_zeros(1, 8, 513, 32))
    with torch.no_grad():
        assert not is_narrow(query)


@pytest.mark.parametrize("cells", [40, 1500])
def test_gradients_of_narrow_attention_are_those_of_the_explicit_formula(cells):
    parts = [part.requires_grad_() for part in heads(cells)]
    weight = torch.randn(2, 8, cells, 8)
    exact = torch.autograd.grad((explicit(*parts) * weight).sum(), parts)
    found = torch.autograd.grad(
        (narrow_attention(*[part.bfloat16() for part in parts]) * weight).sum(), parts
    )
    for one, other in zip(found, exact, strict=True):
        assert (one - other).norm() / other.norm() < 0.015


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_inference_in_bfloat16_agrees_with_float32_also_for_large_scores(scale):
    layer, x = SelfAttention(64).eval(), torch.randn(1, 200, 64)
    with torch.no_grad():
        layer.qkv.weight.mul_(scale)
        exact = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = layer(x)
    assert torch.isfinite(found).all()
    if scale == 1.0:
        assert (found.float() - exact).norm() / exact.norm() < 0.02


def test_a_new_block_is_nearly_its_position_encoding():
    block, x = AttentionBlock(16), torch.randn(1, 16, 6, 5)
    torch.testing.assert_close(block(x), x + block.position(x), rtol=1e-4, atol=1e-4)


def test_block_equals_its_equation():
    block, x = AttentionBlock(16), torch.randn(2, 16, 6, 5)
    with torch.no_grad():
        block.attention_scale.normal_()
        block.mlp_scale.normal_()
    y = (x + block.position(x)).flatten(2).transpose(1, 2)
    y = y + block.attention_scale * block.attention(block.attention_norm(y))
    y = y + block.mlp_scale * block.mlp(block.mlp_norm(y))
    torch.testing.assert_close(block(x), y.transpose(1, 2).reshape(2, 16, 6, 5))


def test_axial_attention_is_attention_in_each_row_and_each_column():
    layer, x = AxialAttention(32), torch.randn(2, 3, 5, 32)
    with torch.no_grad():
        layer.qkv.weight.mul_(20)
    query, key, value = layer.qkv(x).reshape(2, 3, 5, 3, 8, 4).permute(3, 0, 4, 1, 2, 5)
    rows = explicit(query[:, :4], key[:, :4], value[:, :4])
    columns = explicit(*(part[:, 4:].transpose(2, 3) for part in (query, key, value)))
    mixed = torch.cat([rows, columns.transpose(2, 3)], dim=1)
    expected = layer.projection(mixed.permute(0, 2, 3, 1, 4).reshape(2, 3, 5, 32))
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_a_cell_sees_its_row_and_column_in_one_layer_and_all_in_two():
    torch.manual_seed(0)
    first, second = AxialAttention(16), AxialAttention(16)
    x = torch.randn(1, 4, 6, 16, requires_grad=True)
    (seen,) = torch.autograd.grad(first(x)[0, 1, 2].sum(), x)
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[1], expected[:, 2] = True, True
    assert torch.equal(seen[0].abs().sum(2) > 0, expected)
    (seen,) = torch.autograd.grad(second(first(x))[0, 1, 2].sum(), x)
    assert (seen[0].abs().sum(2) > 0).all()


def test_axial_attention_refuses_an_odd_number_of_heads():
    with pytest.raises(UserError, match=r"an even number of heads, .*, found 3; take 4\."):
        AxialAttention(12, heads=3)


def test_a_block_of_axial_attention_has_the_weights_of_a_global_one():
    axial, everywhere = AttentionBlock(16, attention="axial"), AttentionBlock(16)
    axial.load_state_dict(everywhere.state_dict())
    x = torch.randn(2, 16, 1, 5)
    torch.testing.assert_close(axial(x), everywhere(x), rtol=1e-4, atol=1e-4)
    assert axial(torch.randn(2, 16, 6, 5)).shape == (2, 16, 6, 5)
