"""Losses over several steps: which leads count, what gradients flow through, and what is kept for them."""

import gc

import numpy as np
import pytest
import torch
from torch import nn

from tests.builders import ScaledSum, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.objective import Objective
from triton_earth.training.losses.rollout_loss import (
    forecast_leads,
    losses_by_lead_and_variable,
    require_lead_weights,
    rollout_loss,
)
from triton_earth.training.optimization.curriculum import Stage, horizon_at


def batch(store, horizon, history=1, windows=(0, 5)):
    chosen = Windows(store.segments("train"), history * (1 + horizon))
    return ForecastDataset(store, chosen, history, memory_gb=1.0).batch(windows)


def gradients(forecaster, config, history, truth, seed=0):
    forecaster.network.zero_grad(set_to_none=True)
    torch.manual_seed(seed)
    loss = rollout_loss(forecaster, history, truth, config)
    loss.backward()
    return loss, {name: p.grad.clone() for name, p in forecaster.network.named_parameters()}


# --- weights of leads


def test_lead_weights_are_relative(waves):
    forecaster = tiny_forecaster(waves)
    history, truth = batch(waves, 3)
    objective = Objective.of(forecaster, TrainConfig())
    losses = [
        objective(state, truth.at(slice(lead, lead + 1)))
        for lead, state in enumerate(rollout(forecaster, history, None, 3))
    ]
    config = TrainConfig(lead_weights=(1.0, 0.0, 4.0, 9.0))
    expected = (losses[0] + 4 * losses[2]) / 5
    torch.testing.assert_close(rollout_loss(forecaster, history, truth, config), expected)


def test_lead_weights_must_reach_the_horizon():
    config = TrainConfig(horizon=3, lead_weights=(1.0, 1.0, 1.0, 1.0))
    require_lead_weights(config, history=1)
    with pytest.raises(UserError) as caught:
        require_lead_weights(config, history=2)
    assert str(caught.value) == (
        "train.lead_weights: a horizon of 3 has 6 leads; found 4 weights. Give one for each lead."
    )
    config = TrainConfig(
        curriculum=({"from_step": 0, "horizon": 1}, {"from_step": 9, "horizon": 2}),
        lead_weights=(0.0, 1.0),
    )
    with pytest.raises(UserError, match="all weights of leads 1 to 1 are zero; raise one"):
        require_lead_weights(config, history=1)


# --- pushforward


def test_pushforward_looks_at_the_last_applications_only(waves):
    forecaster = tiny_forecaster(waves, history=2)
    history, truth = batch(waves, 3, history=2)
    config = TrainConfig(gradient_steps=1)
    leads = list(forecast_leads(forecaster, history, truth, config))
    assert [lead for lead, _ in leads] == [4, 5]
    states = list(rollout(forecaster, history, None, 6))
    for lead, state in leads:
        assert torch.equal(state.data, states[lead].data)
        np.testing.assert_allclose(state.valid_times, truth.valid_times[:, lead : lead + 1])


def test_pushforward_has_the_gradient_of_its_last_step(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.1)
    history, truth = batch(waves, 3)
    _, found = gradients(forecaster, TrainConfig(gradient_steps=1), history, truth)
    with torch.no_grad():
        start = list(rollout(forecaster, history, None, 2))[-1]
    _, expected = gradients(forecaster, TrainConfig(), start, truth.at(slice(2, 3)))
    torch.testing.assert_close(found, expected)


def test_pushforward_takes_the_forcings_of_its_own_times(weather):
    forecaster = tiny_forecaster(weather)
    forecaster.network = ScaledSum(0.01)
    history, truth = batch(weather, 3)
    rollout_loss(forecaster, history, truth, TrainConfig(gradient_steps=1))
    plain = [inputs.clone() for inputs in forecaster.network.inputs]
    forecaster.network.inputs.clear()
    rollout_loss(forecaster, history, truth)
    for one, other in zip(plain, forecaster.network.inputs, strict=True):
        torch.testing.assert_close(one, other)


def test_more_gradient_steps_than_applications_are_all(waves):
    forecaster = tiny_forecaster(waves)
    history, truth = batch(waves, 2)
    assert torch.equal(
        rollout_loss(forecaster, history, truth, TrainConfig(gradient_steps=7)),
        rollout_loss(forecaster, history, truth),
    )


# --- activation checkpointing


@pytest.mark.parametrize(("kind", "history"), [("waves", 1), ("waves", 2), ("weather", 1)])
def test_recomputing_changes_no_bit(kind, history, request):
    store = request.getfixturevalue(kind)
    found = []
    for recompute in (False, True):
        forecaster = tiny_forecaster(store, history=history)
        forecaster.network.train()  # with dropped paths
        config = TrainConfig(recompute_steps=recompute)
        loss, grads = gradients(forecaster, config, *batch(store, 3, history))
        found.append((loss, grads, forecaster.network.state_dict()))
    (loss, grads, buffers), (loss_2, grads_2, buffers_2) = found
    assert torch.equal(loss, loss_2)
    for name in grads:
        assert torch.equal(grads[name], grads_2[name]), name
    for name in buffers:
        assert torch.equal(buffers[name], buffers_2[name]), name


def test_batch_normalization_counts_each_batch_once(waves):
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(1)
            self.factor = nn.Parameter(torch.tensor(0.1))

        def forward(self, x):
            return self.factor * self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    found = []
    for recompute in (False, True):
        forecaster = tiny_forecaster(waves)
        forecaster.network = Normed().train()
        config = TrainConfig(recompute_steps=recompute)
        _, grads = gradients(forecaster, config, *batch(waves, 3))
        norm = forecaster.network.norm
        found.append((grads["factor"], norm.running_mean, norm.running_var))
        assert int(norm.num_batches_tracked) == 3
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def saved_bytes(forecaster, config, history, truth):
    """Bytes that autograd keeps for the backward pass, weights apart."""
    own = {p.untyped_storage().data_ptr() for p in forecaster.network.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = rollout_loss(forecaster, history, truth, config)
    total = sum(size for size, _ in kept.values())
    del loss
    gc.collect()
    return total


def test_recomputing_keeps_memory_nearly_flat_in_the_horizon(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network.train()
    sizes = {
        recompute: [
            saved_bytes(forecaster, TrainConfig(recompute_steps=recompute), *batch(waves, horizon))
            for horizon in (2, 6)
        ]
        for recompute in (False, True)
    }
    plain, recomputed = sizes[False], sizes[True]
    assert plain[1] > 2.7 * plain[0]
    # What each step keeps is its window, against all activations of the network.
    assert recomputed[1] - recomputed[0] < 0.05 * (plain[1] - plain[0])


# --- losses by lead and variable


def test_the_parts_make_the_whole(waves):
    forecaster = tiny_forecaster(waves)
    history, truth = batch(waves, 3)
    config = TrainConfig(loss={"mse": 1.0, "mae": 0.5})
    leads = list(forecast_leads(forecaster, history, truth, config))
    table = losses_by_lead_and_variable(forecaster, leads, truth, config)
    assert table.shape == (3, 1)
    torch.testing.assert_close(table.mean(), rollout_loss(forecaster, history, truth, config))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "relative_l2", "spectral"])
@pytest.mark.parametrize("kind", ["waves", "weather"])
def test_every_loss_trains_every_store(loss, kind, request):
    store = request.getfixturevalue(kind)
    forecaster = tiny_forecaster(store)
    value, grads = gradients(forecaster, TrainConfig(loss=loss), *batch(store, 2))
    assert value > 0
    assert all(torch.isfinite(grad).all() for grad in grads.values())
    assert any(grad.any() for grad in grads.values())


# --- the configuration


def test_a_loss_may_be_a_name_or_a_sum():
    assert TrainConfig(loss="mae").loss == {"mae": 1.0}
    assert TrainConfig.parse({"loss": {"mse": 1, "spectral": 0.1}}, "recipe").loss == {
        "mse": 1.0,
        "spectral": 0.1,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": "mze"}, "recipe: loss: unknown loss 'mze'; did you mean 'mse'?"),
        (
            {"loss": {"l3": 1}},
            "recipe: loss: unknown loss 'l3'; known are amse, crps, crps_waves, energy, huber, mae, mse, relative_l2, "
            "spectral.",
        ),
        (
            {"loss": {}},
            "recipe: loss: expected the name of a loss or name: weight pairs, found {}.",
        ),
        (
            {"curriculum": [{"from_step": 10, "horizon": 1}]},
            "recipe: curriculum: the stages begin at steps [10]; expected 0 first, then ascending. "
            "Give them as [{from_step: 0, horizon: 1}, {from_step: 1000, horizon: 2}].",
        ),
        (
            {"select_by": "rollout_rmse"},
            "recipe: select_by: unknown score 'rollout_rmse'; known are climate, validation_crps, validation_mse. "
            "Scores of forecasts need train.validation_leads.",
        ),
        (
            {"select_by": "rollout_rmse_lead_3", "validation_leads": [2, 30]},
            "recipe: select_by: unknown score 'rollout_rmse_lead_3'; did you mean 'rollout_rmse_lead_30'? "
            "Scores of forecasts need train.validation_leads.",
        ),
    ],
)
def test_a_wrong_setting_is_refused(values, message):
    with pytest.raises(UserError) as caught:
        TrainConfig.parse(values, "recipe")
    assert str(caught.value) == message


def test_a_weight_of_a_variable_that_is_not_predicted_is_refused(weather):
    config = TrainConfig(variable_weights={"sunshin": 2.0})
    with pytest.raises(
        UserError, match="variable_weights: 'sunshin' is not predicted; known are temperature"
    ):
        Objective.of(tiny_forecaster(weather), config)


def test_stages_follow_each_other():
    stages = (
        Stage(from_step=0, horizon=1),
        Stage(from_step=4, horizon=2),
        Stage(from_step=6, horizon=8),
    )
    assert [horizon_at(stages, step) for step in (0, 3, 4, 5, 6, 100)] == [1, 1, 2, 2, 8, 8]
    config = TrainConfig(curriculum=stages)
    assert config.stages == stages
    assert config.longest_horizon == 8
    assert TrainConfig(horizon=3).longest_horizon == 3
