"""Damped and stochastic forecasters: their equations, what the network is told, and what noise depends on."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.builders import TINY_NETWORK, ScaledSum, weather_store
from triton_earth.core.errors import UserError
from triton_earth.data.statistics.damping import DampingConfig, _shifted
from triton_earth.models.checkpoint import load_forecaster, save_forecaster
from triton_earth.models.damped_linear import fit_damped_linear
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.noise import NoiseConfig, free_noise, seeded_noise
from triton_earth.models.training_statistics import training_statistics
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.row_forecaster import RowForecaster
from triton_earth.workflow.recipes.recipe import load_recipe

ANOMALIES = {"subtract": "climatology"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Enough random weather to fit a damping to."""
    return weather_store(tmp_path_factory.mktemp("long") / "weather.zarr", times=16)


def damped_forecaster(store, **options):
    config = ModelConfig.parse(
        {
            "network": TINY_NETWORK,
            "prediction": "damped",
            "normalization": ANOMALIES,
            **options,
        },
        "test",
    )
    torch.manual_seed(0)
    normalizer = training_statistics(store, config.normalization, config.skip_damping)
    forecaster = NetworkForecaster(config, store.variables, store.grid, store.time_step, normalizer)
    predicted = store.variables.indices(forecaster.predicted.names)
    forecaster.valid_mask = torch.from_numpy(store.valid_mask[predicted])
    forecaster.network.eval()
    return forecaster


def windows(store, history=1, start=3):
    return (
        store.windows([0, 1], [start, start], history),
        store.windows([0, 1], [start + history] * 2, history),
    )


# --- the damped skip


@pytest.mark.parametrize("history", [1, 2])
def test_damped_adds_the_output_to_what_is_left_of_the_anomaly(store, history):
    forecaster = damped_forecaster(store, history=history, damping={"factor": 0.7})
    forecaster.network = ScaledSum(0.25)
    window, forcing = windows(store, history)
    with torch.no_grad():
        state = forecaster(window, forcing)
    normalizer = forecaster.normalizer
    rho = normalizer.damping.coefficients.item()
    (error,) = normalizer.damping.error_std
    anomaly = normalizer.transformed(window.last(1).select(["temperature"])).data
    output = 0.25 * forecaster.network.inputs[0].sum(dim=2, keepdim=True)
    leads = torch.arange(1, history + 1)[:, None, None, None]
    expected = rho**leads * anomaly.double() + error * output
    found = normalizer.transformed(state).data
    sea = forecaster.valid_mask
    torch.testing.assert_close(
        found.double()[..., sea[0]], expected[..., sea[0]], atol=1e-4, rtol=0
    )
    assert forecaster.loss_scale().flatten().tolist() == pytest.approx([error], rel=1e-6)


@pytest.mark.parametrize("kind", ["variable", "cell"])
def test_a_network_of_zeros_returns_to_the_climatology(store, kind):
    forecaster = damped_forecaster(store, damping={"kind": kind, "factor": 0.9})
    forecaster.network = ScaledSum(0.0)
    window, forcing = windows(store)
    sizes = []
    for _ in range(60):
        with torch.no_grad():
            window = forecaster(window, forcing)
        sizes.append(forecaster.normalizer.transformed(window).data.nan_to_num().abs().max().item())
    assert sizes[-1] < 0.01 * sizes[0]
    assert all(after <= before + 1e-4 for before, after in pairwise(sizes))


@pytest.mark.parametrize("damping", [{"kind": "cell"}, {"kind": "patterns", "modes": 5}])
def test_a_checkpoint_is_complete(store, tmp_path, damping):
    forecaster = damped_forecaster(
        store, damping=damping, climatology_input=True, noise={"channels": 1}
    )
    save_forecaster(forecaster, tmp_path / "model", {})
    again = load_forecaster(tmp_path / "model")
    window, forcing = windows(store)
    with torch.no_grad():
        one, other = (model(window, forcing).masked().data for model in (forecaster, again))
    assert one.numpy().tobytes() == other.numpy().tobytes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"prediction": "damped"},
            "prediction=damped needs anomalies; found normalization.subtract=mean. "
            "Set model.normalization.subtract=climatology.",
        ),
        (
            {"climatology_input": True},
            "climatology_input=true needs anomalies; found normalization.subtract=mean. "
            "Set model.normalization.subtract=climatology.",
        ),
        (
            {"damping": {"factor": 0.5}},
            "damping is for prediction=damped; found tendency. Leave it out, or change that.",
        ),
        (
            {"noise": {"scales": [4, 1]}},
            "noise.scales: expected ascending numbers of cells from 1 on, found [4, 1].",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(values, message):
    with pytest.raises(UserError) as caught:
        ModelConfig.parse({"network": TINY_NETWORK, **values}, "test")
    assert str(caught.value).endswith(message)


def test_too_few_data_are_refused(weather):
    config = DampingConfig()
    with pytest.raises(UserError, match=r"needs at least 30 pairs .* found 27"):
        training_statistics(
            weather,
            ModelConfig(network=TINY_NETWORK, normalization=ANOMALIES).normalization,
            config,
        )


# --- what the network is told


def test_the_network_is_told_the_climatology_at_the_target_times(store):
    forecaster = damped_forecaster(store, climatology_input=True)
    forecaster.network = ScaledSum(0.25)
    window, forcing = windows(store)
    with torch.no_grad():
        forecaster(window, forcing)
    (inputs,) = forecaster.network.inputs
    assert inputs.shape[2] == 3
    cycle = forecaster.normalizer.seasons.at(["temperature"], forcing.valid_times, inputs)
    shift, scale = np.polyfit(cycle.flatten(), inputs[:, :, 2].flatten(), 1)[::-1]
    np.testing.assert_allclose(scale * cycle + shift, inputs[:, :, 2:], atol=1e-4)


def test_mean_and_spread_of_a_climatology_are_those_over_the_year():
    from triton_earth.data.statistics.climatology import Climatology
    from triton_earth.data.statistics.seasons import SeasonalCycle

    generator = np.random.default_rng(0)
    climatology = Climatology(generator.normal(size=(7 * 5, 1, 3, 4)), "test", daily_harmonics=2)
    seasons = SeasonalCycle(("a",), climatology)
    times = np.datetime64("2001-01-01", "ns") + np.arange(365 * 8) * np.timedelta64(3, "h")
    values = climatology.at(times)
    mean, std = seasons.mean_and_std(["a"])
    assert mean.item() == pytest.approx(values.mean(), abs=1e-3)
    assert std.item() == pytest.approx(values.std(), rel=1e-3)


# --- noise


CONFIG = NoiseConfig(channels=2, scales=(1, 4, 16))
PERIODIC = ("zero", "periodic")


def test_noise_of_each_scale_has_mean_zero_and_spread_one():
    torch.manual_seed(1)
    noise = free_noise(CONFIG, torch.zeros(60, 1, 1, 32, 64), PERIODIC)
    assert noise.shape == (60, 1, 6, 32, 64)
    for scale, spread in ((0, 0.01), (1, 0.03), (2, 0.2)):
        part = noise[:, :, 2 * scale : 2 * scale + 2]
        assert part.mean().item() == pytest.approx(0, abs=3 * spread / 2)
        assert part.std().item() == pytest.approx(1, abs=spread)


def test_coarse_noise_is_smooth_and_goes_round():
    noise = seeded_noise(CONFIG, torch.zeros(1, 1, 1, 32, 64), PERIODIC, [[3]])[0, 0, 5]
    steps = (noise - noise.roll(1, dims=-1)).abs()
    assert steps.max() < 1.5 / 16 * 6
    assert steps[:, 0].max() < 1.5 / 16 * 6
    assert noise.std() > 0.3


def test_noise_depends_on_its_seeds_alone():
    like = torch.zeros(3, 2, 1, 10, 12)
    together = seeded_noise(CONFIG, like, PERIODIC, [[0, 1], [0, 2], [0, 1]])
    assert torch.equal(together[0], together[2])
    assert not torch.equal(together[0], together[1])
    alone = seeded_noise(CONFIG, like[:1], PERIODIC, [[0, 2]])
    assert torch.equal(alone[0], together[1])


def test_a_stochastic_forecast_depends_on_its_times_or_on_given_seeds(store):
    forecaster = damped_forecaster(store, noise={})
    window, forcing = windows(store)

    def forecast(seeds=None):
        forecaster.noise_seeds = seeds
        with torch.no_grad():
            state = forecaster(window, forcing)
        forecaster.noise_seeds = None
        return state.data.nan_to_num()

    assert torch.equal(forecast(), forecast())
    assert torch.equal(forecast([[1], [2]]), forecast([[1], [2]]))
    assert not torch.equal(forecast([[1], [2]]), forecast([[1], [3]]))
    later = replace(window, valid_times=window.valid_times + np.timedelta64(6, "h"))
    with torch.no_grad():
        moved = forecaster(later, forcing).data.nan_to_num()
    assert not torch.equal(moved, forecast())
    forecaster.network.train()
    assert not torch.equal(forecast(), forecast())


def test_rows_have_their_own_noise_at_each_application(store):
    forecaster = damped_forecaster(store, noise={})
    window, forcing = windows(store)
    seeds = [[0, 4], [0, 5]]
    with torch.no_grad():
        rows = RowForecaster(forecaster, one_by_one=True, noise_seeds=seeds)
        first, second = (rows(window, forcing).data.nan_to_num() for _ in range(2))
        resumed = RowForecaster(forecaster, one_by_one=True, noise_seeds=seeds, applications=1)
        again = resumed(window, forcing).data.nan_to_num()
    assert not torch.equal(first, second)
    assert torch.equal(second, again)
    assert forecaster.noise_seeds is None


# --- the linear part alone


def test_the_linear_part_is_a_forecaster(store):
    linear = fit_damped_linear(store, DampingConfig(factor=0.7))
    forecaster = damped_forecaster(store, damping={"factor": 0.7})
    forecaster.network = ScaledSum(0.0)
    window, forcing = windows(store)
    with torch.no_grad():
        expected = forecaster(window, forcing).masked()
    found = linear(window.select(["temperature"])).masked()
    torch.testing.assert_close(found.data, expected.data, equal_nan=True)
    assert (found.valid_times == expected.valid_times).all()
    states = list(rollout(linear, window, None, 5))
    assert len(states) == 5
    assert states[-1].variables.names == ["temperature"]


def test_the_linear_part_needs_enough_data(weather):
    with pytest.raises(UserError, match=r"needs at least 30 pairs .* found 27\. Prepare more"):
        fit_damped_linear(weather)


# --- a damping that is trained


def test_a_trained_damping_begins_as_it_was_fitted_and_stays_below_one(store, tmp_path):
    fitted = damped_forecaster(store, damping={"kind": "cell", "factor": 0.8})
    trained = damped_forecaster(store, damping={"kind": "cell", "factor": 0.8, "trainable": True})
    count = fitted.normalizer.damping.coefficients.numel()
    assert trained.parameter_count == fitted.parameter_count + count
    window, forcing = windows(store)
    sea = fitted.valid_mask[0]
    one, other = (model(window, forcing).data[..., sea] for model in (fitted, trained))
    # Coefficients below a thousandth of the largest begin there.
    torch.testing.assert_close(one, other, atol=0.02, rtol=0)
    other.sum().backward()
    assert trained.network.damping_shift.grad.abs().max() > 0
    trained.network.damping_shift.data.fill_(50.0)
    trained.network.eval()
    save_forecaster(trained, tmp_path / "model", {})
    again = load_forecaster(tmp_path / "model")
    for model in (trained, again):
        model.network.forward = lambda inputs: torch.zeros_like(inputs[:, :, :1])
        with torch.no_grad():
            after = model.normalizer.transformed(model(window, forcing)).data[..., sea]
        before = model.normalizer.transformed(window.select(["temperature"])).data[..., sea]
        torch.testing.assert_close(after, 0.99 * before, atol=1e-4, rtol=1e-4)


def test_only_the_moduli_of_waves_are_trained():
    generator = torch.Generator().manual_seed(0)
    rho = 0.5 * torch.randn(1, 4, 3, generator=generator, dtype=torch.complex128)
    shift = torch.randn(12, generator=generator)
    found = _shifted(rho, shift)
    assert (found.abs() < 0.99).all()
    torch.testing.assert_close(found.angle(), rho.angle())
    grown = found.abs() > rho.abs()
    inside = (rho.abs() > 0.01) & (rho.abs() < 0.98)
    assert (grown == (shift.reshape(rho.shape) > 0))[inside].all()


def test_a_trained_damping_is_not_cut_into_parts():
    asked = ["model.damping.trainable=true", "train.parallel=fsdp"]
    with pytest.raises(UserError, match=r"damping.trainable=true: parallel=fsdp cuts all weights"):
        load_recipe("weather_small", asked)
