"""The equations of the forecaster, against a network that is known exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import TINY_NETWORK, ScaledSum, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.statistics.normalization import Normalizer, compute_normalizer
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster

FACTOR = 0.25


def known_forecaster(store, **options):
    forecaster = tiny_forecaster(store, **options)
    forecaster.network = ScaledSum(FACTOR)
    return forecaster


def test_tendency_adds_the_scaled_output_to_the_newest_state(waves):
    forecaster = known_forecaster(waves)
    window = waves.windows([0], [4], 1)
    (mean,), (std,) = forecaster.normalizer.mean, forecaster.normalizer.std
    (increment,) = forecaster.normalizer.increment_std
    x = window.data
    with torch.no_grad():
        state = forecaster(window)
    torch.testing.assert_close(state.data, x + increment * FACTOR * (x - mean) / std)
    np.testing.assert_allclose(state.valid_times, window.valid_times + 0.1)


def test_state_takes_the_output_as_the_normalised_new_state(waves):
    forecaster = known_forecaster(waves, prediction="state")
    window = waves.windows([0], [4], 1)
    (mean,), (std,) = forecaster.normalizer.mean, forecaster.normalizer.std
    with torch.no_grad():
        state = forecaster(window)
    torch.testing.assert_close(
        state.data, mean + std * FACTOR * (window.data - mean) / std, atol=1e-6, rtol=1e-5
    )


def test_a_diagnostic_variable_is_given_as_state_beside_a_tendency(waves):
    rain = Variable("rain", "mm", role=Role.DIAGNOSTIC)
    statistics = Normalizer(("rain", "vorticity"), (2.0, 0.5), (3.0, 4.0), (0.1, 0.2))
    variables = Variables((rain, *waves.variables))
    config = ModelConfig.parse({"network": TINY_NETWORK}, "test")
    forecaster = NetworkForecaster(config, variables, waves.grid, waves.time_step, statistics)
    forecaster.network = OneForEveryChannel(2)
    window = waves.windows([0], [4], 1)
    state = forecaster(window)
    assert state.variables.names == ["rain", "vorticity"]
    torch.testing.assert_close(state.data[:, :, 0], torch.full_like(window.data[:, :, 0], 5.0))
    torch.testing.assert_close(state.data[:, :, 1:], window.data + 0.2)
    assert forecaster.loss_scale().flatten().tolist() == pytest.approx([3.0, 0.2])


class OneForEveryChannel(torch.nn.Module):
    """A network whose output is one everywhere."""

    def __init__(self, channels):
        super().__init__()
        self.channels = torch.nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        return self.channels.expand(*x.shape[:2], -1, *x.shape[3:])


def test_a_block_adds_every_increment_to_the_newest_state(waves):
    forecaster = known_forecaster(waves, history=2)
    window = waves.windows([0], [4], 2)
    (mean,), (std,) = forecaster.normalizer.mean, forecaster.normalizer.std
    (increment,) = forecaster.normalizer.increment_std
    with torch.no_grad():
        state = forecaster(window)
    assert forecaster.block == 2
    expected = window.data[:, 1:] + increment * FACTOR * (window.data - mean) / std
    torch.testing.assert_close(state.data, expected)
    np.testing.assert_allclose(state.valid_times, [[0.6, 0.7]])


def test_forcings_follow_the_prognostic_variables_and_land_enters_as_the_mean(weather):
    forecaster = known_forecaster(weather)
    window = weather.windows([1], [2], 1)
    forcing = weather.windows([1], [3], 1)
    statistics = forecaster.normalizer
    with torch.no_grad():
        forecaster(window, forcing)
    (inputs,) = forecaster.network.inputs
    sea = torch.from_numpy(weather.valid_mask[0])
    temperature = (window.data[0, 0, 0] - statistics.mean[0]) / statistics.std[0]
    assert torch.equal(inputs[0, 0, 0][~sea], torch.zeros(int((~sea).sum())))
    torch.testing.assert_close(inputs[0, 0, 0][sea], temperature[sea])
    # The forcing is the one at the target time, normalised by its own statistics.
    sunshine = (forcing.data[0, 0, 1] - statistics.mean[1]) / statistics.std[1]
    torch.testing.assert_close(inputs[0, 0, 1], sunshine)


def test_the_network_may_be_told_where_variables_are_defined(weather):
    forecaster = tiny_forecaster(weather, mask_input=True)
    forecaster.network = ScaledSum(FACTOR)
    with torch.no_grad():
        forecaster(weather.windows([1], [2], 1), weather.windows([1], [3], 1))
    (inputs,) = forecaster.network.inputs
    assert inputs.shape[2] == 3
    assert torch.equal(inputs[0, 0, 2], torch.from_numpy(weather.valid_mask[0]).float())
    forecaster = tiny_forecaster(weather, mask_input=True)
    with torch.no_grad():
        state = forecaster(weather.windows([1], [2], 1), weather.windows([1], [3], 1)).masked()
    assert state.data.isfinite()[0, 0, 0].sum() == weather.valid_mask[0].sum()


def test_variables_are_found_by_name_in_any_order(weather):
    forecaster = tiny_forecaster(weather)
    window, forcing = weather.windows([1], [2], 1), weather.windows([1], [3], 1)
    swap = ["sunshine", "temperature"]
    with torch.no_grad():
        one = forecaster(window, forcing).masked()
        other = forecaster(window.select(swap), forcing.select(swap)).masked()
    assert one.data.numpy().tobytes() == other.data.numpy().tobytes()


def test_a_model_with_forcings_refuses_to_go_without(weather):
    forecaster = tiny_forecaster(weather)
    with pytest.raises(
        UserError, match=r"needs forcings \['sunshine'\] at its target times; found"
    ):
        forecaster(weather.windows([1], [2], 1))


@pytest.mark.parametrize(("trajectories", "length"), [([1], 3), ([1, 1], 2)])
def test_forcings_of_other_times_or_rows_are_refused(weather, trajectories, length):
    forecaster = tiny_forecaster(weather, history=2)
    forcing = weather.windows(trajectories, [4] * len(trajectories), length)
    with pytest.raises(UserError) as caught:
        forecaster(weather.windows([1], [2], 2), forcing)
    assert (
        "of 1 forecasts at the 2 times that an application gives, as many as its history; found "
        f"{len(trajectories)} at {length} times. Give all target times in one state to `rollout`"
    ) in str(caught.value)


def test_a_window_without_a_prognostic_variable_is_refused(weather):
    forecaster = tiny_forecaster(weather)
    with pytest.raises(UserError, match=r"variables \['temperature'\] are needed but not there"):
        forecaster(weather.windows([1], [2], 1).select(["sunshine"]))


@pytest.mark.parametrize(
    ("prediction", "statistic"), [("tendency", "increment_std"), ("state", "std")]
)
def test_the_loss_scale_is_that_of_what_is_predicted(waves, prediction, statistic):
    forecaster = tiny_forecaster(waves, prediction=prediction)
    (expected,) = getattr(forecaster.normalizer, statistic)
    assert forecaster.loss_scale().flatten().tolist() == pytest.approx([expected], rel=1e-6)


def test_bfloat16_agrees_with_float32_to_its_precision(waves):
    forecaster = tiny_forecaster(waves)
    window = waves.windows([0, 1], [4, 0], 1)
    with torch.no_grad():
        exact = forecaster(window).data
        forecaster.precision = "bfloat16"
        rounded = forecaster(window).data
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    # 8 bits of mantissa, over a few layers, on the size of one increment
    (increment,) = forecaster.normalizer.increment_std
    assert (exact - rounded).abs().max() < 0.05 * increment


def test_it_knows_its_size_and_place(waves):
    forecaster = tiny_forecaster(waves)
    assert forecaster.parameter_count == sum(p.numel() for p in forecaster.network.parameters())
    assert forecaster.device == torch.device("cpu")
    assert forecaster.name == "triton"
    assert describe_duration(forecaster.time_step) == "0.1"


def test_the_configuration_survives_json():
    config = ModelConfig(network={"name": "triton", "spatial_hidden_dim": 8}, history=2)
    values = config.model_dump(mode="json")
    assert values["network"]["spatial_hidden_dim"] == 8
    assert ModelConfig.parse(values, "model") == config


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"name": "tritno"}, "network: unknown network 'tritno'; did you mean 'triton'?"),
        ({"name": "triton", "depth": 3}, "unknown key 'network.depth'"),
        (5, "network: expected a mapping with the key 'name', found 5"),
        ({}, "network: expected a mapping with the key 'name', found {}"),
    ],
)
def test_a_wrong_network_is_refused(network, expected):
    with pytest.raises(UserError) as caught:
        ModelConfig.parse({"network": network}, "recipe.yaml")
    assert str(caught.value).startswith(f"recipe.yaml: {expected}")


@pytest.mark.parametrize("prediction", ["tendency", "state"])
def test_a_log_scale_goes_through_the_forecaster_and_back(weather, prediction):
    """Statistics, network and tendency are of the logarithm; what comes out is in the variable's units."""
    scale = 30.0
    normalization = {"log_scale": {"temperature": scale}}
    config = ModelConfig.parse(
        {"network": TINY_NETWORK, "prediction": prediction, "normalization": normalization}, "test"
    )
    statistics = compute_normalizer(
        [weather.read(0, slice(None))], weather.variables, weather.valid_mask, config.normalization
    )
    mask = torch.from_numpy(weather.valid_mask[:1])
    forecaster = NetworkForecaster(
        config, weather.variables, weather.grid, weather.time_step, statistics, mask
    )
    forecaster.network = ScaledSum(FACTOR)
    window = weather.windows([0], [4], 1)
    state = forecaster(window, window).masked()
    mean, std, step = (
        values[0] for values in (statistics.mean, statistics.std, statistics.increment_std)
    )
    logarithm = torch.log1p(window.data[:, :, 0] / scale)
    sunshine = (window.data[:, :, 1] - statistics.mean[1]) / statistics.std[1]
    output = FACTOR * ((logarithm - mean) / std + sunshine)
    y = logarithm + step * output if prediction == "tendency" else mean + std * output
    expected = torch.where(mask, scale * (torch.exp(y) - 1), torch.nan)
    torch.testing.assert_close(state.data[:, :, 0], expected, rtol=1e-4, atol=1e-3, equal_nan=True)
    state.data[:, :, mask].sum().backward()
    assert torch.isfinite(forecaster.network.factor.grad)


@pytest.mark.parametrize("prediction", ["tendency", "state"])
@pytest.mark.parametrize("rubbish", [0.0, 1e30, -1e30, float("inf")])
def test_what_is_under_the_mask_never_matters(weather, prediction, rubbish):
    """To the bit, in all valid cells: not through statistics, padding, attention or convolutions."""
    forecaster = tiny_forecaster(weather, prediction=prediction)
    window = weather.windows([0], [4], 1)
    mask = torch.from_numpy(weather.valid_mask)
    other = replace(window, data=torch.where(mask, window.data, rubbish))
    with torch.no_grad():
        expected, found = forecaster(window, window), forecaster(other, other)
    assert torch.equal(found.data[:, :, mask[:1]], expected.data[:, :, mask[:1]])
    assert found.masked().data.isnan().sum() == (~mask[:1]).sum()
