"""The seasonal cycle of fields: what is kept of it is what would be computed."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from triton_earth.data.statistics import seasons as module
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.statistics.seasons import SeasonalCycle

TIMES = np.datetime64("2001-03-01", "ns") + np.arange(6).reshape(3, 2) * np.timedelta64(20, "D")
LIKE = torch.zeros(3, 2, 2, 4, 5)


@pytest.fixture
def cycle():
    coefficients = np.random.default_rng(0).normal(size=(7, 2, 4, 5))
    return SeasonalCycle(("a", "b"), Climatology(coefficients, "made up", 0))


def test_the_same_request_has_the_same_field_and_another_its_own(cycle):
    first = cycle.at(["a", "b"], TIMES, LIKE)
    assert cycle.at(["a", "b"], TIMES.copy(), LIKE) is first
    others = [
        cycle.at(["b", "a"], TIMES, LIKE),
        cycle.at(["a", "b"], TIMES + np.timedelta64(1, "D"), LIKE),
        cycle.at(["a", "b"], TIMES.reshape(2, 3), LIKE.reshape(2, 3, 2, 4, 5)),
        cycle.at(["a", "b"], TIMES, LIKE.double()),
    ]
    assert all(other is not first for other in others)
    torch.testing.assert_close(others[0], first.flip(2))
    assert others[2].shape == (2, 3, 2, 4, 5)
    assert torch.equal(others[2].flatten(0, 1), first.flatten(0, 1))
    assert others[3].dtype == torch.float64
    # Four later requests have taken its place.
    again = cycle.at(["a", "b"], TIMES, LIKE)
    assert again is not first
    assert torch.equal(again, first)


def test_large_fields_are_not_kept(cycle, monkeypatch):
    monkeypatch.setattr(module, "MOST_NUMBERS", 239)
    assert cycle.at(["a", "b"], TIMES, LIKE) is not cycle.at(["a", "b"], TIMES, LIKE)
    assert cycle.at(["a"], TIMES, LIKE) is cycle.at(["a"], TIMES, LIKE)


def test_a_field_of_inference_is_no_field_of_training(cycle):
    with torch.inference_mode():
        cycle.at(["a", "b"], TIMES, LIKE)
    x = torch.ones(LIKE.shape, requires_grad=True)
    (x * cycle.at(["a", "b"], TIMES, LIKE)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, cycle.at(["a", "b"], TIMES, LIKE))


def test_a_tensor_without_values_is_not_kept(cycle):
    with FakeTensorMode(allow_non_fake_inputs=True):
        cycle.at(["a", "b"], TIMES, torch.zeros(LIKE.shape))
    assert type(cycle.at(["a", "b"], TIMES, LIKE)) is torch.Tensor


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_has_the_same_cycle(cycle, copied):
    expected = cycle.at(["a", "b"], TIMES, LIKE)
    assert torch.equal(copied(cycle).at(["a", "b"], TIMES, LIKE), expected)
