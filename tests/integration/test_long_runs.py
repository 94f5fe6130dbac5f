"""A tiny trained forecaster that runs for ten years within the climate of its data."""

import numpy as np
import pytest
import torch

from tests.builders import TINY_NETWORK
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.sources.values.derived import derived_fields, derived_variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.data.windows import Windows
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.training_statistics import training_statistics
from triton_earth.training.config import TrainConfig
from triton_earth.training.loop import fit
from triton_earth.training.validation.climate_selection import ClimateSelection

GRID = LatLonGrid(tuple(np.arange(-67.5, 90.0, 45.0)), tuple(np.arange(0.0, 360.0, 45.0)))
SPLITS = ("train", "train", "train", "valid")
TEMPERATURE = Variable("temperature", "K", role=Role.PROGNOSTIC)


def weather(times, seed):
    """A season, and waves that travel, fade and are made anew at random: x' = 0.8 x moved by a cell + noise."""
    generator = np.random.default_rng(seed)
    season = 5 * np.cos(2 * np.pi * np.arange(len(times)) / 365.25)
    fields = np.zeros((len(times), *GRID.shape))
    for day in range(1, len(times)):
        noise = generator.standard_normal(GRID.shape)
        smooth = noise + np.roll(noise, 1, axis=1) + np.roll(noise, -1, axis=1)
        fields[day] = 0.8 * np.roll(fields[day - 1], 1, axis=1) + smooth
    return 280 + season[:, None, None] + fields


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "weather.zarr"
    times = np.datetime64("2001-01-01", "ns") + np.arange(740) * np.timedelta64(1, "D")
    variables = Variables((TEMPERATURE, *derived_variables(["insolation"])))
    create_store(
        path, variables=variables, grid=GRID, times=times, splits=list(SPLITS), provenance={}
    )
    sun = derived_fields(["insolation"], times, GRID)
    hashes = [
        write_trajectory(
            path,
            number,
            np.concatenate([weather(times, number)[:, None], sun], axis=1).astype(np.float32),
        )
        for number in range(len(SPLITS))
    ]
    finish_store(path, hashes)
    return TrainingStore.open(path)


def trained(store, folder, steps, **model):
    """A forecaster after a few steps of training by CRPS."""
    torch.manual_seed(0)
    config = ModelConfig.parse(
        {
            "network": {**TINY_NETWORK, "drop_path": 0.0},
            "normalization": {"subtract": "climatology"},
            "noise": {"scales": [1, 4]},
            **model,
        },
        "test",
    )
    normalizer = training_statistics(store, config.normalization, config.skip_damping)
    forecaster = NetworkForecaster(config, store.variables, GRID, store.time_step, normalizer)
    train = TrainConfig(
        steps=steps, batch_size=8, warmup_steps=10, learning_rate=5e-3, members=2, loss="crps",
        validate_every=steps, ema_decay=0.9,
    )  # fmt: skip
    folder.mkdir()
    data = [
        ForecastDataset(store, Windows(store.segments(s), 2), 1, 1.0) for s in ("train", "valid")
    ]
    fit(forecaster, *data, train, 0, folder, lambda *_: None)
    return forecaster


@pytest.mark.slow
def test_ten_years_stay_within_the_climate(store, tmp_path):
    forecaster = trained(store, tmp_path / "run", 150, prediction="damped")
    selection = ClimateSelection.of(forecaster, store, 3650, 1)
    assert selection.score(forecaster) < 0.3
