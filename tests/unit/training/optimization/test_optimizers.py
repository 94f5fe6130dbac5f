import pytest
import torch
from torch import nn

from tests.builders import tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.layers.spectral_convolution import SpectralConvolution
from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.optimizers import (
    adamw,
    build_optimizers,
    learning_rate,
    require_whole_matrices,
    set_learning_rate,
)
from triton_earth.training.parallel.sharding import optimizer_state_like


def test_muon_takes_matrices_and_kernels_and_adamw_all_else(waves):
    network = tiny_forecaster(waves).network
    optimizers = build_optimizers(network, TrainConfig(optimizer="muon"))
    assert [type(optimizer).__name__ for optimizer in optimizers] == ["Muon", "AdamW"]
    taken = [
        {id(p) for group in optimizer.param_groups for p in group["params"]}
        for optimizer in optimizers
    ]
    assert {p.ndim for p in network.parameters()} == {1, 2, 4}
    assert taken[0] == {id(p) for p in network.parameters() if p.ndim > 1}
    assert taken[0] | taken[1] == {id(p) for p in network.parameters()}
    assert not taken[0] & taken[1]


def test_only_kernels_of_convolutions_count_among_tensors_of_many_axes():
    network = SpectralConvolution(3, 2, rows=4, columns=4, std=1.0)
    assert all(p.ndim > 2 for p in network.parameters())
    with pytest.raises(UserError, match="no linear layers and no convolutions; take adamw"):
        build_optimizers(network, TrainConfig(optimizer="muon"))


def test_the_learning_rate_follows_the_schedule():
    cosine = TrainConfig(steps=100, learning_rate=0.1, warmup_steps=0)
    assert learning_rate(50, cosine) == pytest.approx(0.05)
    trapezoid = cosine.model_copy(update={"schedule": "trapezoid"})
    assert learning_rate(80, trapezoid) == 0.1
    assert learning_rate(90, trapezoid) == pytest.approx(0.05)  # a fifth of all steps is the fall
    shorter = trapezoid.model_copy(update={"decay_steps": 5})
    assert learning_rate(90, shorter) == 0.1
    assert learning_rate(99, shorter) == pytest.approx(0.02)


def test_all_weights_get_the_rate():
    optimizers = build_optimizers(nn.Linear(2, 2), TrainConfig(optimizer="muon"))
    set_learning_rate(optimizers, 0.25)
    assert {group["lr"] for o in optimizers for group in o.param_groups} == {0.25}


def test_muon_and_sharding_exclude_each_other_only_where_something_is_cut():
    config = TrainConfig(optimizer="muon", parallel="fsdp")
    require_whole_matrices(config, 1)
    require_whole_matrices(TrainConfig(optimizer="muon"), 2)
    with pytest.raises(
        UserError, match=r"muon needs whole matrices, which train\.parallel=fsdp cuts"
    ):
        require_whole_matrices(config, 2)


def stepped(kernel, gradients, saved=None):
    """The kernel after AdamW's steps along the gradients, and the optimiser's state."""
    kernel = nn.Parameter(kernel.clone())
    optimizer = adamw([kernel], TrainConfig(learning_rate=0.1))
    if saved is not None:
        optimizer.load_state_dict(optimizer_state_like(saved, [kernel]))
    for gradient in gradients:
        kernel.grad = torch.empty_like(kernel).copy_(gradient)
        optimizer.step()
    return kernel.detach(), optimizer.state_dict()


def test_moments_that_lie_otherwise_in_memory_go_on_as_they_were():
    torch.manual_seed(0)
    rows = torch.randn(4, 3, 3, 3)
    gradients = torch.randn(4, *rows.shape)
    expected, _ = stepped(rows, gradients)
    halfway, saved = stepped(rows, gradients[:2])
    found, _ = stepped(halfway.to(memory_format=torch.channels_last), gradients[2:], saved)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected)
