"""What `plan` says: counts by hand, scaling by definition, and the memory of a real run."""

import pytest
import torch
from torch import nn

from tests.builders import TINY_RECIPE, ScaledSum, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig
from triton_earth.training.cost import StepCost, measured_step, step_cost
from triton_earth.training.held_memory import HeldMemory
from triton_earth.workflow.plan import plan, rows


def test_memory_is_counted_from_birth_to_release():
    with HeldMemory() as memory:
        one = torch.zeros(1000)
        view = one[10:].add_(1)  # no memory of its own
        two = torch.zeros(500)
        assert memory.held == 6000
        del two
        assert memory.held == 4000
        three = one + 1
        assert (memory.held, memory.peak) == (8000, 8000)
        del one, view, three
    assert (memory.held, memory.peak) == (0, 8000)


def test_memory_that_only_autograd_holds_is_counted():
    layer = nn.Sequential(nn.Linear(100, 100), nn.Tanh(), nn.Linear(100, 100), nn.Tanh())
    with HeldMemory() as memory:
        loss = layer(torch.ones(50, 100)).sum()
        held = memory.held
        loss.backward()
    # Two results of tanh and the hidden layer's input of 20 kB each, at least.
    assert held >= 3 * 20_000
    assert memory.held >= 2 * (100 * 100 + 100) * 4  # the gradients stay


def test_operations_of_a_known_network(waves):
    class Readout(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.convolution(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    forecaster = tiny_forecaster(waves)
    forecaster.network = Readout()
    # 1×1 kernel on 8×8 cells: one multiplication and addition each forward, and for the weight's gradient; the second
    # application also needs the gradient of its input.
    assert measured_step(forecaster, TrainConfig(), 3, 1).flops == 3 * 64 * 2 * 2
    assert measured_step(forecaster, TrainConfig(), 3, 2).flops == 3 * 64 * 2 * (2 + 3)


def test_costs_are_extended_bilinearly(waves, monkeypatch):
    def known(_, __, batch, horizon):
        return StepCost(
            10.0 + 2 * batch + 3 * horizon + 5 * batch * horizon, 7.0 * batch, 1.0 * horizon
        )

    monkeypatch.setattr("triton_earth.training.cost.measured_step", known)
    forecaster = tiny_forecaster(waves)
    for batch, horizon in ((1, 1), (8, 1), (20, 3), (8, 60)):
        expected = known(None, None, batch, horizon)
        assert step_cost(forecaster, TrainConfig(), batch, horizon) == expected


@pytest.mark.slow
def test_the_extension_meets_the_measured_memory(waves):
    forecaster = tiny_forecaster(waves)
    predicted = step_cost(forecaster, TrainConfig(), 8, 5)
    measured = measured_step(forecaster, TrainConfig(), 8, 5)
    assert predicted.memory == pytest.approx(measured.memory, rel=0.05)
    assert predicted.flops == pytest.approx(measured.flops, rel=1e-6)


def test_measuring_leaves_the_weights_alone(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.5)
    measured_step(forecaster, TrainConfig(), 2, 2)
    assert forecaster.network.factor.item() == 0.5
    assert forecaster.network.factor.grad is None


def test_a_plan_adds_up(tiny_store):
    planned = plan("turbulence_small", TINY_RECIPE)
    assert planned.parameters == 4417
    # 16×16 cells of 4 bytes: 4, 2, 2 trajectories of 8 snapshots.
    assert planned.store_disk == 16 * 16 * 4 * 8 * 8
    assert planned.weights_memory == 2 * 4 * 4417
    assert planned.optimizer_memory == 2 * 4 * 4417
    # The train and valid splits, and four batches of 4 windows of 2 states.
    assert planned.data_memory == 16 * 16 * 4 * (6 * 8 + 4 * 4 * 2)
    assert planned.seconds > 0
    assert planned.peak_memory > planned.step_memory
    named = dict(rows(planned))
    assert named["parameters"] == "4,417"
    assert named["disk: training store"] == "65.5 kB"
    with_store = plan("turbulence_small", TINY_RECIPE, tiny_store)
    assert with_store.store_disk == planned.store_disk


@pytest.mark.slow
def test_options_that_save_memory_do(tiny_store):
    longer = [*TINY_RECIPE, "train.horizon=5"]
    plain = plan("turbulence_small", longer)
    recomputed = plan("turbulence_small", [*longer, "train.recompute_steps=true"])
    parts = plan("turbulence_small", [*longer, "train.accumulate=4"])
    assert recomputed.step_memory < 0.5 * plain.step_memory
    assert recomputed.flops > 1.2 * plain.flops
    assert parts.step_memory < 0.4 * plain.step_memory
    assert parts.flops == pytest.approx(plain.flops)


def test_files_need_their_store():
    overrides = [
        "data={kind: gridded, path: none.nc, variables: [t], "
        "splits: {train: ['2000', '2001'], valid: ['2003', '2003'], test: ['2005', '2005']}}"
    ]
    with pytest.raises(UserError) as caught:
        plan("turbulence_small", overrides)
    assert str(caught.value) == (
        "the recipe alone does not tell the grid of its files; prepare its store and add --store STORE."
    )
