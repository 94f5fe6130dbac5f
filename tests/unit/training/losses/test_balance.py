from dataclasses import replace

import torch
from torch import nn

from tests.builders import (
    HUMIDITY,
    TEMPERATURE,
    TINY_NETWORK,
    ScaledSum,
    random_state,
    tiny_forecaster,
)
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.statistics.normalization import Normalizer
from triton_earth.data.windows import Windows
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.balance import balanced
from triton_earth.training.losses.objective import Objective
from triton_earth.training.losses.rollout_loss import rollout_loss

BOTH = Variables((TEMPERATURE, HUMIDITY))


def gradient_through_balance(incoming):
    state = random_state(PeriodicGrid(3, 4), BOTH, times=2)
    state.data.requires_grad_(True)
    out = balanced(state)
    assert torch.equal(out.data, state.data)
    out.data.backward(incoming)
    return state.data.grad


def test_all_channels_get_the_same_norm_and_keep_their_direction():
    incoming = torch.randn(2, 2, 2, 3, 4)
    incoming[:, :, 1] *= 1000
    found = gradient_through_balance(incoming)
    norms = found.norm(dim=(-2, -1))
    torch.testing.assert_close(norms[:, :, 0], norms[:, :, 1])
    # g_c C u_c / Σ u with u = 1/‖g‖
    u = 1 / incoming.norm(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(found, incoming * 2 * u / u.sum(dim=2, keepdim=True))


def test_weights_are_the_ratios_of_the_norms():
    """They act within the balance: in the loss they would cancel."""
    store_like = random_state(PeriodicGrid(4, 4), BOTH, times=2, seed=1)
    norms = {}
    for weight in (1.0, 50.0):
        forecaster = two_channel_forecaster()
        config = TrainConfig(balance_gradients=True, variable_weights={"temperature": weight})
        objective = Objective.of(forecaster, config)
        leaf = store_like.at(slice(0, 1))
        leaf.data.requires_grad_(True)
        objective(leaf, store_like.at(slice(1, 2))).backward()
        norms[weight] = leaf.data.grad.norm(dim=(-2, -1))
    torch.testing.assert_close(norms[1.0][:, :, 0], norms[1.0][:, :, 1])
    torch.testing.assert_close(norms[50.0][:, :, 0], 50 * norms[50.0][:, :, 1])


def test_a_channel_without_error_is_not_blown_up():
    incoming = torch.randn(2, 2, 2, 3, 4)
    incoming[:, :, 1] = 0
    found = gradient_through_balance(incoming)
    assert torch.isfinite(found).all()
    assert (found[:, :, 1] == 0).all()


def test_without_any_gradient_nothing_breaks():
    assert (gradient_through_balance(torch.zeros(2, 2, 2, 3, 4)) == 0).all()


def test_it_does_not_compound_over_steps():
    """The gradient of each lead's loss is rescaled once, however many steps it then goes back through."""
    store_like = random_state(PeriodicGrid(4, 4), BOTH, times=4, seed=1)
    forecaster = two_channel_forecaster()
    history, truth = store_like.at(slice(0, 1)), store_like.at(slice(1, 4))
    config = TrainConfig(balance_gradients=True, variable_weights={"temperature": 50.0})
    rollout_loss(forecaster, history, truth, config).backward()
    found = forecaster.network.factor.grad.clone()

    # By hand: the loss' gradient with respect to each forecast state, balanced, then sent back through the plain model.
    forecaster.network.factor.grad = None
    states = list(rollout(forecaster, history, None, 3))
    plain = Objective.of(forecaster, TrainConfig())
    weights = torch.tensor([50.0, 1.0])[:, None, None]
    for lead, state in enumerate(states):
        leaf = state.data.detach().requires_grad_(True)
        loss = plain(replace(state, data=leaf), truth.at(slice(lead, lead + 1)))
        (loss / 3).backward()
        u = weights / leaf.grad.norm(dim=(-2, -1), keepdim=True)
        state.data.backward(leaf.grad * u / u.mean(dim=2, keepdim=True), retain_graph=True)
    torch.testing.assert_close(found, forecaster.network.factor.grad, rtol=1e-4, atol=1e-6)


class Mixing(nn.Module):
    """Each channel grows by a mix of both, so that gradients go back through all steps."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([[0.3, 0.1], [-0.2, 0.4]]))

    def forward(self, x):
        return torch.einsum("ij,btjyx->btiyx", self.factor, x)


def two_channel_forecaster():
    forecaster = NetworkForecaster(
        ModelConfig(network=TINY_NETWORK),
        BOTH,
        PeriodicGrid(4, 4),
        0.1,
        Normalizer(tuple(BOTH.names), (0.1, 0.2), (1.0, 2.0), (0.5, 1.5)),
    )
    forecaster.network = Mixing()
    return forecaster


def test_a_single_channel_is_left_alone(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.2)
    windows = ForecastDataset(waves, Windows(waves.segments("train"), 3), 1, memory_gb=1.0)
    gradients = []
    for balance in (False, True):
        forecaster.network.factor.grad = None
        config = TrainConfig(balance_gradients=balance)
        rollout_loss(forecaster, *windows.batch([0, 3]), config).backward()
        gradients.append(forecaster.network.factor.grad.clone())
    torch.testing.assert_close(*gradients)
