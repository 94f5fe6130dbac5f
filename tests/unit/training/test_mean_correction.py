"""The mean of a forecaster's own runs: measured, taken out of the climatology, and gone from the next runs."""

import numpy as np
import pytest
import torch

from tests.builders import TINY_NETWORK, daily_store
from triton_earth.core.errors import UserError
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.training_statistics import training_statistics
from triton_earth.rollout.rollout import rollout
from triton_earth.training.mean_correction import MeanCorrection, MeanCorrectionConfig
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
    window = store.windows([0], [50], 1)
    forcing = store.windows([0], [51], steps)
    found = []
    for step, state in enumerate(rollout(forecaster, window, forcing, steps)):
        fields = state.select(["temperature"])
        cycle = seasons.at(["temperature"], fields.valid_times, fields.data)
        if step >= skip:
            found.append((fields.data - cycle).numpy()[0, 0, 0].mean(axis=-1))
    return np.mean(found, axis=0)


def test_the_mean_of_the_runs_becomes_that_of_the_training_data(store):
    forecaster = pushed(store, 0.3)
    original, wanted = forecaster.normalizer.seasons, fixed_point(forecaster)
    np.testing.assert_allclose(mean_anomaly(forecaster, store, original), wanted, atol=1e-4)
    found = MeanCorrection.measured(forecaster, store, RUNS)
    std = forecaster.normalizer.std[0]
    assert found.size["temperature"] == pytest.approx(np.sqrt((wanted**2).mean()) / std, rel=1e-3)
    corrected = found.applied(forecaster)
    assert np.abs(mean_anomaly(corrected, store, original)).max() < 1e-3 * wanted.max()
    assert corrected.normalizer.seasons.climatology.definition.endswith(
        "less the mean that runs of the model have too much of"
    )


def test_a_season_too_much_is_corrected_by_its_harmonic(store):
    forecaster = pushed(store, 0.0)
    own = forecaster.normalizer.seasons.climatology.coefficients
    true = own.copy()
    own[1] += 0.2  # the annual cosine of the model's climatology is a fifth of a kelvin too large
    runs = RUNS.model_copy(update={"steps": 93, "starts": 1, "harmonics": 1})
    found = MeanCorrection.measured(forecaster, store, runs)
    # Runs that go back to their own climatology do not depart from it: nothing is to be corrected.
    np.testing.assert_allclose(found.seasons.climatology.coefficients, own, atol=1e-3)
    assert np.abs(own - true).max() == pytest.approx(0.2)


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
            "skip=50 leaves none of steps=50; shorten the one, or raise the other.",
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
