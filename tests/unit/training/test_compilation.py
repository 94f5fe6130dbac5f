"""When a network is compiled, and how it runs as it is written all the same."""

import torch
from torch import nn

from triton_earth.training.compilation import (
    COMPILED_FROM,
    as_written,
    compile_network,
    is_compiled,
)
from triton_earth.training.config import TrainConfig

GPU, CPU = torch.device("cuda"), torch.device("cpu")


def test_auto_compiles_long_runs_of_one_process_on_a_gpu_alone(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    long, short = TrainConfig(steps=COMPILED_FROM), TrainConfig(steps=COMPILED_FROM - 1)
    assert is_compiled(long, GPU)
    assert not is_compiled(short, GPU)
    assert not is_compiled(long, CPU)
    assert not is_compiled(long, GPU, processes=2)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not is_compiled(long, GPU)


def test_what_the_recipe_says_is_done():
    assert is_compiled(TrainConfig(compile=True), CPU, processes=2)
    assert not is_compiled(TrainConfig(compile=False, steps=COMPILED_FROM), GPU)


class Doubled(nn.Module):
    """y = 2 W x: the compiler leaves torch's own modules alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return 2 * self.linear(x)


def test_a_compiled_network_runs_as_it_is_written_where_that_is_wanted(monkeypatch):
    network, compiled = Doubled(), []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(
        network, "compile", lambda **how: nn.Module.compile(network, backend=backend, **how)
    )
    compile_network(network)
    x = torch.ones(3, 2)
    with as_written(network):
        y = network(x)
    assert not compiled
    assert torch.equal(network(x), y)
    assert len(compiled) == 1


def test_a_network_that_is_not_compiled_runs_in_either_case():
    network, x = nn.Linear(2, 2), torch.ones(1, 2)
    with as_written(network):
        y = network(x)
    assert torch.equal(network(x), y)
