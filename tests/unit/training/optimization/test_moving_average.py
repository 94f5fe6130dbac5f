import pytest
import torch
from torch import nn

from triton_earth.training.optimization.moving_average import MovingAverage


def network(value=0.0):
    linear = nn.Linear(1, 1, bias=False)
    nn.init.constant_(linear.weight, value)
    linear.register_buffer("count", torch.tensor(0))
    return linear


def test_it_is_the_weighted_sum_of_its_definition():
    net = network(1.0)
    average = MovingAverage(net, decay=0.15)
    expected = 1.0
    for n, weight in enumerate([4.0, -2.0, 0.5, 3.0]):
        nn.init.constant_(net.weight, weight)
        average.update(net)
        decay = min(0.15, (1 + n) / (10 + n))  # 0.1, then 0.15
        expected = decay * expected + (1 - decay) * weight
        assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-6)
    assert average.updates == 4


def test_of_constant_weights_it_is_the_constant():
    net = network(0.7)
    average = MovingAverage(net, decay=0.999)
    for _ in range(20):
        average.update(net)
    assert average.weights["weight"].item() == pytest.approx(0.7, rel=1e-6)


def test_buffers_that_are_no_floats_are_copied():
    net = network()
    average = MovingAverage(net, decay=0.9)
    net.count.fill_(7)
    average.update(net)
    assert average.weights["count"].item() == 7


def test_it_is_lent_to_the_network_and_taken_back_even_after_an_error():
    net = network(1.0)
    average = MovingAverage(net, decay=0.9)
    nn.init.constant_(net.weight, 5.0)
    with average.applied_to(net):
        assert net.weight.item() == 1.0
    assert net.weight.item() == 5.0
    with pytest.raises(ZeroDivisionError), average.applied_to(net):
        _ = 1 / 0
    assert net.weight.item() == 5.0


def test_it_does_not_follow_the_network_by_itself():
    net = network(1.0)
    average = MovingAverage(net, decay=0.9)
    with torch.no_grad():
        net.weight.fill_(9.0)
    assert average.weights["weight"].item() == 1.0
