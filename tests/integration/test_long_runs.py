"""Ten years: a tiny trained forecaster stays within the climate of its data, failures that are planted are named."""

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
from triton_earth.evaluation.climate.reference import fit_training_climate
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.evaluation.climate.stability import judge
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


DECADE, PLANTED = 3650, 1000


@pytest.fixture(scope="module")
def climate(store):
    """The climate of the store, and bands that its own runs of ten years stay within."""
    found = fit_training_climate(store, ["temperature"])
    return ClimateSetting.measured(store, found, DECADE, [0])


@pytest.fixture(scope="module")
def decade(climate):
    """Ten years of another truth, and the climatology of these days."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(DECADE) * np.timedelta64(1, "D")
    cycle = climate.reference.climatology.at(times)[:, 0]
    return times, weather(times, 99), cycle


def failures(climate, times, fields):
    """Return the ways in which a run leaves the climate."""
    run = climate.reference.run(1)
    for time, field in zip(times, fields.astype(np.float32), strict=True):
        run.add(time[None], field[None, None])
    found = judge(run, climate.reference, climate.bands, ["temperature"])
    return {name for name, failed in found.failures.items() if failed[0]}, found.horizon[0]


def test_another_truth_stays_within_the_climate_for_ten_years(climate, decade):
    times, fields, _ = decade
    assert failures(climate, times, fields) == (set(), np.inf)


def blow_up(fields, cycle, days):
    return cycle + (fields - cycle) * 1.002 ** days[:, None, None]


def drift(fields, cycle, days):
    return fields + 0.002 * days[:, None, None]


def season_lost(fields, cycle, days):
    return fields - (days > 0)[:, None, None] * (cycle - cycle.mean(axis=0))


def frozen(fields, cycle, days):
    held = fields[PLANTED] - cycle[PLANTED]
    return np.where((days > 0)[:, None, None], cycle + held, fields)


def blurred(fields, cycle, days):
    anomaly = fields - cycle
    smooth = sum(np.roll(anomaly, shift, axis=-1) for shift in range(-2, 3)) / 5
    return np.where((days > 0)[:, None, None], cycle + smooth, fields)


def varied(fields, cycle, days):
    return cycle + (fields - cycle) * np.where(days > 0, 1.6, 1.0)[:, None, None]


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (blow_up, "blow_up"),
        (drift, "drift"),
        (season_lost, "season_lost"),
        (frozen, "frozen"),
        (blurred, "frozen"),
        (varied, "variance"),
    ],
)
def test_a_failure_planted_in_ten_years_is_named(climate, decade, plant, name):
    times, fields, cycle = decade
    days = np.maximum(0, np.arange(DECADE) - PLANTED)
    found, horizon = failures(climate, times, plant(fields, cycle, days))
    assert name in found
    assert horizon >= PLANTED or name == "season_lost"
