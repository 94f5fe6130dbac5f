"""The mean of a forecaster's own runs: measured, taken out of the climatology, and gone from the next runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import TINY_NETWORK, daily_store
from triton_earth.core.errors import UserError
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.training_statistics import training_statistics
from triton_earth.rollout.batches import Batch
from triton_earth.rollout.rollout import rollout
from triton_earth.training.mean_correction import (
    MeanCorrection,
    MeanCorrectionConfig,
    correcting_runs,
)
from triton_earth.workflow.recipes.recipe import load_recipe

RUNS = MeanCorrectionConfig(steps=40, starts=2, skip=20, harmonics=0)


class Push(torch.nn.Module):
    """The same output at each application, larger from row to row."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = torch.nn.Parameter(torch.tensor(size))

    def forward(self, x):
        rows = torch.linspace(0, 1, x.shape[-2])[:, None]
        return (self.size * rows).expand(*x.shape[:2], 1, *x.shape[-2:])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Four years of random numbers, each ten days."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(146) * np.timedelta64(10, "D")
    folder = tmp_path_factory.mktemp("years")
    return daily_store(folder / "a.zarr", times, sunshine=False, splits=("train",))


def pushed(store, size):
    config = ModelConfig.parse(
        {
            "network": TINY_NETWORK,
            "prediction": "damped",
            "normalization": {"subtract": "climatology"},
        },
        "test",
    )
    normalizer = training_statistics(store, config.normalization, config.skip_damping)
    forecaster = NetworkForecaster(config, store.variables, store.grid, store.time_step, normalizer)
    forecaster.network = Push(size).requires_grad_(False).eval()
    return forecaster


def fixed_point(forecaster):
    """Return the anomaly a = rho a + sigma k that runs come to, [y]."""
    damping = forecaster.normalizer.damping
    rho, (error,) = damping.coefficients.item(), damping.error_std
    rows = np.linspace(0, 1, forecaster.grid.shape[0])
    return error * float(forecaster.network.size) * rows / (1 - rho)


def mean_anomaly(forecaster, store, seasons, steps=40, skip=20):
    """Return the mean departure of a run from some climatology, [y]."""
    return anomalies(forecaster, store, seasons, steps)[skip:].mean(axis=0)


def anomalies(forecaster, store, seasons, steps):
    """Return the departures of a run from some climatology, the mean of each row, [step, y]."""
    window = store.windows([0], [50], 1)
    forcing = store.windows([0], [51], steps)
    found = []
    for state in rollout(forecaster, window, forcing, steps):
        fields = state.select(["temperature"])
        cycle = seasons.at(["temperature"], fields.valid_times, fields.data)
        found.append((fields.data - cycle).numpy()[0, 0, 0].mean(axis=-1))
    return np.stack(found)


def test_the_mean_of_the_runs_becomes_that_of_the_training_data(store):
    forecaster = pushed(store, 0.3)
    original, wanted = forecaster.normalizer.seasons, fixed_point(forecaster)
    np.testing.assert_allclose(mean_anomaly(forecaster, store, original), wanted, atol=1e-4)
    found = MeanCorrection.measured(forecaster, store, RUNS)
    weights = store.grid.cell_area_weights.mean(axis=1)
    size = np.sqrt(np.average(wanted**2, weights=weights)) / forecaster.normalizer.std[0]
    assert found.size["temperature"] == pytest.approx(size, rel=1e-3)
    corrected = found.applied(forecaster)
    assert np.abs(mean_anomaly(corrected, store, original)).max() < 1e-3 * wanted.max()
    assert corrected.normalizer.seasons.climatology.definition.endswith(
        "less the mean that runs of the model have too much of"
    )


class Sunshine(torch.nn.Module):
    """An output that follows the insolation, and so has a season of its own."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = torch.nn.Parameter(torch.tensor(size))

    def forward(self, x):
        return self.size * x[:, :, 2:3]


def test_a_season_too_much_becomes_that_of_the_training_data(store):
    forecaster = pushed(store, 0.0)
    assert forecaster.forcing.names[1] == "insolation"  # behind the temperature and the height
    forecaster.network = Sunshine(0.3).requires_grad_(False).eval()
    original = forecaster.normalizer.seasons
    runs = RUNS.model_copy(update={"steps": 93, "starts": 1, "harmonics": 1})
    found = MeanCorrection.measured(forecaster, store, runs)
    moved = original.climatology.coefficients - found.seasons.climatology.coefficients
    assert np.abs(moved[1:3]).max() > 10 * np.abs(moved[3:]).max()
    squares = moved[0, 0] ** 2 + 0.5 * (moved[1:3, 0] ** 2).sum(axis=0)
    size = np.sqrt(np.average(squares, weights=store.grid.cell_area_weights))
    assert found.size["temperature"] * forecaster.normalizer.std[0] == pytest.approx(size, rel=1e-6)
    before = np.abs(anomalies(forecaster, store, original, steps=60)[24:]).max()
    after = np.abs(anomalies(found.applied(forecaster), store, original, steps=60)[24:]).max()
    assert after < 0.35 * before


def test_what_was_corrected_is_not_corrected_again(store):
    forecaster = pushed(store, 0.3)
    corrected = MeanCorrection.measured(forecaster, store, RUNS).applied(forecaster)
    again = MeanCorrection.measured(corrected, store, RUNS)
    assert again.size["temperature"] < 1e-5
    np.testing.assert_allclose(
        again.seasons.climatology.coefficients,
        corrected.normalizer.seasons.climatology.coefficients,
        atol=1e-5,
    )
    assert again.seasons.climatology.definition.count("less the mean") == 1


def test_a_wrong_climatology_becomes_that_of_the_training_data(store):
    forecaster = pushed(store, 0.0)
    own = forecaster.normalizer.seasons.climatology.coefficients
    true = own.copy()
    own[0] += 0.2
    found = MeanCorrection.measured(forecaster, store, RUNS)
    np.testing.assert_allclose(found.seasons.climatology.coefficients, true, atol=1e-4)
    assert found.size["temperature"] * forecaster.normalizer.std[0] == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize(("steps", "waves"), [(1500, 3), (60, 1)])
def test_steps_of_six_hours_have_a_mean_of_the_whole_day(tmp_path, monkeypatch, steps, waves):
    """A season where there is a year of steps, the mean alone where there is not; the daily cycle stays."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(1600) * np.timedelta64(6, "h")
    store = daily_store(tmp_path / "a.zarr", times, sunshine=False, splits=("train",))
    forecaster = pushed(store, 0.3)
    original = forecaster.normalizer.seasons.climatology
    assert original.daily_harmonics == 2
    runs = RUNS.model_copy(update={"steps": steps, "starts": 1, "harmonics": 1})
    if steps > 100:  # the states of the runs are known: there is no need to compute all of them
        state = next(iter(correcting_runs(forecaster, store, runs).start(slice(0, 1)).states()))
        monkeypatch.setattr(Batch, "states", lambda _: later(state, steps, forecaster))
    found = MeanCorrection.measured(forecaster, store, runs).seasons.climatology
    moved = original.coefficients - found.coefficients
    changed = np.abs(moved).max(axis=(1, 2, 3)) > 1e-9
    expected = np.zeros(len(moved), bool)
    expected[: 5 * waves : 5] = True
    np.testing.assert_array_equal(changed, expected)


def later(state, steps, forecaster):
    """Yield the climatology of so many steps, some tenths of a degree too warm."""
    for step in range(steps):
        times = state.valid_times + step * forecaster.time_step
        anomaly = state.select(["temperature"])
        anomaly = replace(anomaly, data=torch.ones_like(anomaly.data), valid_times=times)
        warm = 0.3 * anomaly.data + 0.2 * np.cos(2 * np.pi * step / 1461)
        yield forecaster.normalizer.restored(replace(anomaly, data=warm))


def test_runs_that_leave_the_climate_are_not_corrected(store):
    assert MeanCorrection.measured(pushed(store, 50.0), store, RUNS) is None
    assert MeanCorrection.measured(pushed(store, float("nan")), store, RUNS) is None


def test_each_step_is_told(store):
    told = []
    MeanCorrection.measured(
        pushed(store, 0.1), store, RUNS, after_step=lambda: told.append(len(told))
    )
    assert len(told) == RUNS.steps


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        (
            "weather_small",
            ["train.mean_correction={steps: 50, skip: 50}"],
            "skip=50 leaves none of steps=50. Lower skip, or raise steps.",
        ),
        (
            "turbulence_small",
            ["train.mean_correction={}"],
            "train.mean_correction corrects the climatology that fields are departures from; found "
            "model.normalization.subtract=mean. Set model.normalization.subtract=climatology, or leave it out.",
        ),
    ],
)
def test_refusals(recipe, overrides, message):
    with pytest.raises(UserError) as caught:
        load_recipe(recipe, overrides)
    assert message in str(caught.value)
