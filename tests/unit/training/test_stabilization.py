"""Stabilisers in training: every state of a rollout is corrected as in a forecast, and how much is said."""

import csv

import numpy as np
import pytest
import torch

from tests.builders import TINY_RECIPE, daily_store, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.models.climatology import fit_climatology
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import TrainConfig
from triton_earth.training.loop import fit
from triton_earth.training.losses.rollout_loss import forecast_leads, mean_over_leads, true_forcings
from triton_earth.training.stabilization import Stabilization
from triton_earth.training.validation.validation import validate
from triton_earth.workflow.recipes.recipe import load_recipe

SEASON = StabilizersConfig.parse({"mean_of_season": {"variables": ["temperature"]}}, "test")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two years, one for training, of random days with a mean that follows the season."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(366) * np.timedelta64(1, "D")
    folder = tmp_path_factory.mktemp("year")
    return daily_store(
        folder / "a.zarr", times, sunshine=False, splits=("train", "valid"), season=10.0
    )


@pytest.fixture
def forecaster(store):
    return tiny_forecaster(store)


def windows(store, split="valid", times=4):
    return ForecastDataset(store, Windows(store.segments(split), times), 1, 1.0)


def area_mean(store, fields):
    weights = torch.from_numpy(store.grid.cell_area_weights)
    return (fields.double() * weights).sum((-2, -1)) / weights.sum()


@pytest.mark.parametrize("gradient_steps", [None, 1])
def test_every_state_has_the_mean_of_its_season_and_gradients_flow(
    store, forecaster, gradient_steps
):
    stabilization = Stabilization.of(SEASON, store, forecaster)
    history, truth = windows(store).batch([0, 100])
    config = TrainConfig(horizon=3, gradient_steps=gradient_steps)
    leads = list(forecast_leads(forecaster, history, truth, config, stabilization))
    assert [lead for lead, _ in leads] == ([0, 1, 2] if gradient_steps is None else [2])
    climatology = fit_climatology(store, ["temperature"])
    for _, state in leads:
        cycle = torch.from_numpy(climatology.at(state.valid_times[:, 0]))
        torch.testing.assert_close(
            area_mean(store, state.data[:, 0]), area_mean(store, cycle), atol=1e-3, rtol=0
        )
    mean_over_leads(forecaster, leads, truth, config).backward()
    gradients = [p.grad for p in forecaster.network.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_validation_says_by_how_much_states_are_changed(store, forecaster):
    validation = windows(store, times=2)
    config = TrainConfig(validation_windows=3, batch_size=2)
    scores = validate(forecaster, validation, config, Stabilization.of(SEASON, store, forecaster))
    plain = validate(forecaster, validation, config)
    assert "mean_of_season_change" not in plain
    assert scores["persistence_mse"] == plain["persistence_mse"]
    assert scores["validation_mse"] != plain["validation_mse"]
    history, truth = validation.batch([0, 182, 364])
    with torch.no_grad():
        state = next(rollout(forecaster, history, true_forcings(forecaster, truth), 1))
    cycle = torch.from_numpy(fit_climatology(store, ["temperature"]).at(state.valid_times[:, 0]))
    missing = area_mean(store, state.data[:, 0] - cycle)
    std = forecaster.normalizer.std[forecaster.normalizer.variables.index("temperature")]
    expected = float(missing.square().mean().sqrt()) / std
    assert scores["mean_of_season_change"] == pytest.approx(expected, rel=1e-4)


def test_the_log_and_the_weights_that_are_kept_tell_the_change(store, forecaster, tmp_path):
    config = TrainConfig(
        steps=2, batch_size=4, warmup_steps=1, validate_every=1, validation_windows=4,
        stabilized=True,
    )  # fmt: skip
    kept = []
    data = [windows(store, split, 2) for split in ("train", "valid")]
    fit(
        forecaster, *data, config, 0, tmp_path, lambda _, __, scores: kept.append(scores),
        stabilizers=SEASON,
    )  # fmt: skip
    with (tmp_path / "log.csv").open() as stream:
        logged = [row["mean_of_season_change"] for row in csv.DictReader(stream)]
    assert len(logged) == 2
    assert all(float(value) > 0 for value in logged)
    assert kept[0]["mean_of_season_change"] == float(logged[0])


def test_stabilised_training_without_stabilisers_is_refused():
    with pytest.raises(UserError) as caught:
        load_recipe("turbulence_small", [*TINY_RECIPE, "train.stabilized=true"])
    assert str(caught.value).endswith(
        "train.stabilized=true: there are no forecast.stabilizers. Switch one on, as "
        "forecast.stabilizers.mean_of_season={variables: [NAME]}, or leave it out."
    )
    recipe = load_recipe(
        "turbulence_small",
        [
            *TINY_RECIPE,
            "train.stabilized=true",
            "forecast.stabilizers.mean_conservation={variables: [vorticity]}",
        ],
    )
    assert recipe.train.stabilized
