"""Weights cast once give the bits of those that autocast casts at each application, and follow what becomes of them."""

import pytest
import torch

from tests.unit.models.networks.test_networks import SMALL
from triton_earth.models.cast_once import CastOnce
from triton_earth.models.registry import create

CASES = {**SMALL, "triton": {"name": "triton", "widths": [8, 16], "temporal_hidden_dim": 32}}


def built(case="triton"):
    torch.manual_seed(0)
    return create(CASES[case]).build(1, 3, 2, ("zero", "periodic")).eval()


def outputs(network, once, x):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        return once(network, x), network(x)


@pytest.mark.parametrize("case", CASES)
def test_the_output_has_the_bits_of_autocast_s(case):
    network, x = built(case), torch.randn(2, 1, 3, 16, 32)
    once = CastOnce()
    for _ in range(2):
        ours, theirs = outputs(network, once, x)
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("fused", [False, True])
def test_weights_that_an_optimizer_changes_are_cast_again(fused):
    network, x = built(), torch.randn(1, 1, 3, 16, 32)
    once = CastOnce()
    before, _ = outputs(network, once, x)
    network(x).square().mean().backward()
    torch.optim.AdamW(network.parameters(), lr=0.1, fused=fused).step()
    after, expected = outputs(network, once, x)
    assert torch.equal(after, expected)
    assert not torch.equal(after, before)


def test_weights_that_are_loaded_are_cast_again():
    network, x = built(), torch.randn(1, 1, 3, 16, 32)
    once = CastOnce()
    outputs(network, once, x)
    network.load_state_dict({name: 2 * value for name, value in network.state_dict().items()})
    assert torch.equal(*outputs(network, once, x))


def test_weights_are_cast_once_alone():
    network, x = built(), torch.randn(1, 1, 3, 16, 32)
    once = CastOnce()
    outputs(network, once, x)
    first = once._up_to_date(network)
    outputs(network, once, x)
    assert once._up_to_date(network) is first
    assert {weight.dtype for weight in first.values()} == {torch.bfloat16}


def test_a_gradient_reaches_the_weights_themselves():
    network, x = built(), torch.randn(1, 1, 3, 16, 32)
    with torch.autocast("cpu", torch.bfloat16):
        CastOnce()(network, x).square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())
