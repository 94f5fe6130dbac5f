"""What `plan` says: counts by hand, scaling by definition, and the memory of a real run."""

from dataclasses import replace

import pytest
import torch
from benchmarks.training_memory import SHORT, peak, planned_peak, store_of
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.builders import TINY_RECIPE, WEATHER_DATA, ScaledSum, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig
from triton_earth.training.held_memory import CountedStep, HeldMemory
from triton_earth.training.logs.cost import StepCost, measured_step, step_cost
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


def test_operations_are_those_that_torch_counts():
    tokens, fields = torch.ones(2, 4, 9, 8), torch.ones(1, 3, 8, 8, requires_grad=True)
    layer = nn.Conv2d(3, 5, 3, padding=1, groups=1)
    product = torch.ones(6, 7, requires_grad=True)

    def run():
        attended = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        loss = layer(fields).square().sum() + (product @ product.T).sum() + attended.sum()
        loss.backward()

    with FlopCounterMode(display=False) as theirs:
        run()
    with CountedStep() as ours:
        run()
    assert ours.flops == theirs.get_total_flops() > 0


def test_costs_are_extended_bilinearly(waves, monkeypatch):
    def known(_, __, batch, horizon, **options):
        return StepCost(
            10.0 + 2 * batch + 3 * horizon + 5 * batch * horizon, 7.0 * batch, 1.0 * horizon
        )

    monkeypatch.setattr("triton_earth.training.logs.cost.measured_step", known)
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
    assert planned.parameters == 5545
    # 16×16 cells of 4 bytes: 4, 2, 2 trajectories of 8 snapshots.
    assert planned.store_disk == 16 * 16 * 4 * 8 * 8
    assert planned.weights_memory == 2 * 4 * 5545
    assert planned.optimizer_memory == 2 * 4 * 5545
    # The train and valid splits, and four batches of 4 windows of 2 states.
    assert planned.data_memory == 16 * 16 * 4 * (6 * 8 + 4 * 4 * 2)
    assert planned.seconds > 0
    assert planned.peak_memory > planned.step_memory
    named = dict(rows(planned))
    assert named["parameters"] == "5,545"
    assert named["disk: training store"] == "65.5 kB"
    with_store = plan("turbulence_small", TINY_RECIPE, tiny_store)
    assert with_store.store_disk == planned.store_disk


def test_a_long_training_on_a_cpu_has_its_time_on_a_gpu_beside(tiny_store):
    planned = plan("turbulence_small", TINY_RECIPE)
    assert "hours on a GPU" not in dict(rows(planned))
    long = replace(planned, seconds=2e5, total_flops=3.6e3 * 0.22 * 1e14)
    assert (
        dict(rows(long))["hours on a GPU"] == "1, if its matrix products reach 1e+14 FLOPs a second"
    )


def test_what_train_refuses_is_refused(tiny_store):
    for overrides, message in (
        (
            ["train.horizon=50"],
            "a window of 51 times (history × (1 + horizon)) does not fit into 8",
        ),
        (["train.batch_size=400"], "a batch of 400 needs at least as many training windows; there"),
        (["train.accumulate=3"], "train.batch_size=4 cannot be shared by 1 processes with"),
        (["train.validation_leads=[30]"], "a window of 31 times"),
        (["train.lead_weights=[1, 1]", "train.horizon=3"], "a horizon of 3 has 3 leads; found 2"),
        (["train.variable_weights={speed: 2}"], "'speed' is not predicted"),
    ):
        for store in (None, tiny_store):
            with pytest.raises(UserError) as caught:
                plan("turbulence_small", [*TINY_RECIPE, *overrides], store)
            assert message in str(caught.value)
    with pytest.raises(
        UserError, match=r"cannot be shared by 3 processes with train\.accumulate=1"
    ):
        plan("turbulence_small", TINY_RECIPE, processes=3)


def test_data_with_a_calendar_and_forcings_can_be_planned(weather):
    planned = plan("turbulence_small", [*TINY_RECIPE, WEATHER_DATA], weather.path)
    assert planned.step_memory > 0


def test_processes_share_a_batch(tiny_store, monkeypatch):
    seen = []

    def known(_, __, batch, horizon, **options):
        seen.append((batch, horizon))
        return StepCost(10.0 * batch, 7.0 * batch, 1.0)

    monkeypatch.setattr("triton_earth.workflow.plan.step_cost", known)
    one, two = (plan("turbulence_small", TINY_RECIPE, processes=count) for count in (1, 2))
    assert seen == [(4, 1), (2, 1)]
    assert one.flops == two.flops
    assert two.step_memory == one.step_memory / 2
    assert dict(rows(two))["processes"] == "2, each:"


def test_noise_makes_nothing_negative(waves, monkeypatch):
    seconds = iter([3.0, 2.9, 2.8, 2.7])
    monkeypatch.setattr(
        "triton_earth.training.logs.cost.measured_step",
        lambda *_: StepCost(1.0, 1.0, next(seconds)),
    )
    assert step_cost(tiny_forecaster(waves), TrainConfig(), 8, 50).seconds == 3.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["turbulence_small", "weather_small", "ocean_forced_small"])
def test_planned_memory_is_within_a_quarter_of_the_measured(tmp_path, name):
    """The whole process of a run of two steps, as benchmarks/training_memory.py measures it."""
    short = [*SHORT, "train.threads=1", "train.report=false"]
    store = store_of(name, tmp_path / "store.zarr")
    measured = peak(name, short, store, tmp_path / "run")
    assert planned_peak(name, short, store) == pytest.approx(measured, rel=0.25)


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


def test_files_that_nobody_knows_need_their_store():
    overrides = [
        "data={kind: gridded, path: none.nc, variables: [t], "
        "splits: {train: ['2000', '2001'], valid: ['2003', '2003'], test: ['2005', '2005']}}"
    ]
    with pytest.raises(UserError) as caught:
        plan("turbulence_small", overrides)
    assert str(caught.value) == (
        "none.nc: the recipe does not tell the grid and step of these files, and they are not here. Prepare the store "
        "and add --store STORE, or give data.grid and data.step."
    )
