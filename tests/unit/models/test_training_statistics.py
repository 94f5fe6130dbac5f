"""Normalisers of anomalies: closed forms, the way there and back, and on disk."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import TINY_NETWORK, ScaledSum
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import day_fraction, year_fraction
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.statistics.normalization import NormalizationConfig
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.checkpoint import load_forecaster, save_forecaster
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.training_statistics import training_statistics

GRID = LatLonGrid((-30.0, -10.0, 10.0, 30.0), tuple(np.arange(0.0, 360, 60)))
TIMES = np.arange(*np.array(["2003-01-01", "2004-04-01"], "M8[ns]"), np.timedelta64(12, "h"))
VARIABLES = Variables(
    (
        Variable("temperature", "K"),
        Variable("humidity", "kg kg-1"),
        Variable("sunshine", "W m-2", role=Role.FORCING),
    )
)
MASK = np.ones((3, *GRID.shape), bool)
MASK[0, 0, :2] = False
ANOMALIES = NormalizationConfig(subtract="climatology", log_scale={"humidity": 1e-5})


def cycle(times):
    """Seasons and a daily cycle, in other cells at other times."""
    year, day = (2 * np.pi * f(times)[:, None, None] for f in (year_fraction, day_fraction))
    east = np.deg2rad(np.array(GRID.longitude))
    return (
        280
        + 10 * np.cos(year + east)
        + 4 * np.cos(day + east)
        + 0 * np.array(GRID.latitude)[:, None]
    )


def fields():
    noise = np.random.default_rng(0).standard_normal((len(TIMES), 3, *GRID.shape))
    temperature = cycle(TIMES) + 2 * noise[:, 0]
    humidity = 1e-5 * np.expm1(5 + (cycle(TIMES) - 280) / 10 + 0.1 * noise[:, 1])
    sunshine = 300 + (cycle(TIMES) - 280) + noise[:, 2]
    return np.where(MASK, np.stack([temperature, humidity, sunshine], axis=1), np.nan)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("seasons") / "a.zarr"
    create_store(
        path,
        variables=VARIABLES,
        grid=GRID,
        times=TIMES,
        splits=np.array([["train"] * len(TIMES)], dtype=object),
        provenance={},
        valid_mask=MASK,
        times_per_file=400,
    )
    finish_store(path, [write_trajectory(path, 0, fields().astype(np.float32))])
    return TrainingStore.open(path)


@pytest.fixture(scope="module")
def normalizer(store):
    return training_statistics(store, ANOMALIES)


def forecaster(store, normalizer, prediction="tendency"):
    config = ModelConfig(network=TINY_NETWORK, prediction=prediction, normalization=ANOMALIES)
    mask = torch.from_numpy(MASK)
    return NetworkForecaster(
        config, store.variables, store.grid, store.time_step, normalizer, mask[:2], forcing_mask=mask[2:]
    )  # fmt: skip


def test_what_the_seasons_explain_is_not_in_the_statistics(normalizer):
    assert normalizer.std[0] == pytest.approx(2, rel=0.03)
    assert normalizer.std[1] == pytest.approx(0.1, rel=0.03)
    assert normalizer.increment_std[0] == pytest.approx(2 * np.sqrt(2), rel=0.03)
    assert normalizer.mean[0] == pytest.approx(0, abs=1e-4)
    assert normalizer.std[2] > 5  # a forcing keeps its seasons
    assert normalizer.mean[2] == pytest.approx(300, abs=3)
    assert normalizer.seasons.variables == ("temperature", "humidity")
    assert normalizer.seasons.climatology.definition.endswith("of the day (1 harmonics)")


def test_the_recipe_says_how_many_harmonics_the_season_has(store):
    config = NormalizationConfig(subtract="climatology", harmonics=5)
    assert training_statistics(store, config).seasons.climatology.yearly_harmonics == 5
    assert training_statistics(store, ANOMALIES).seasons.climatology.yearly_harmonics == 3


def test_harmonics_of_no_climatology_are_refused():
    with pytest.raises(UserError, match=r"harmonics is for subtract: climatology; found .*mean"):
        NormalizationConfig.parse({"harmonics": 5}, "model.normalization")


def test_there_and_back(store, normalizer):
    state = store.windows([0, 0], [5, 300], 3)
    there = normalizer.transformed(state)
    back = normalizer.restored(there)
    assert torch.equal(back.data.isnan(), state.data.isnan())
    torch.testing.assert_close(back.data, state.data, rtol=2e-6, atol=0, equal_nan=True)
    assert torch.equal(there.data[:, :, 2], state.data[:, :, 2])
    expected = state.data[1, 0, 0].numpy() - cycle(TIMES[300:301])[0]
    np.testing.assert_allclose(there.data[1, 0, 0], expected, atol=0.5)


def test_in_any_batch_and_order_a_field_has_the_same_bits(store, normalizer):
    several = normalizer.transformed(store.windows([0, 0, 0], [5, 300, 9], 2))
    one = normalizer.transformed(store.windows([0], [300], 2))
    assert one.data.numpy().tobytes() == several.data[1:2].numpy().tobytes()
    swapped = normalizer.transformed(
        store.windows([0], [300], 2).select(["humidity", "temperature"])
    )
    assert swapped.data[:, :, 1].numpy().tobytes() == one.data[:, :, 0].numpy().tobytes()


@pytest.mark.parametrize("prediction", ["tendency", "state"])
def test_a_network_of_nothing_forecasts_the_anomaly_or_the_climatology(
    store, normalizer, prediction
):
    model = forecaster(store, normalizer, prediction)
    model.network = ScaledSum(0.0, outputs=2)
    window, forcing = store.windows([0], [100], 1), store.windows([0], [101], 1)
    with torch.no_grad():
        found = model(window, forcing).data[0, 0, 0].numpy()[MASK[0]]
    mean = normalizer.seasons.climatology.at(TIMES[100:102])[:, 0][:, MASK[0]]
    anomaly = window.data[0, 0, 0].numpy()[MASK[0]] - mean[0]
    kept = anomaly if prediction == "tendency" else normalizer.mean[0]
    np.testing.assert_allclose(found, mean[1] + kept, rtol=1e-6)


def test_seasons_survive_on_disk(store, normalizer, tmp_path):
    original = forecaster(store, normalizer)
    original.network.eval()
    save_forecaster(original, tmp_path / "model", {})
    loaded = load_forecaster(tmp_path / "model")
    assert loaded.config.normalization == ANOMALIES
    window, forcing = store.windows([0], [100], 1), store.windows([0], [101], 1)
    with torch.no_grad():
        one, other = (model(window, forcing).masked().data for model in (original, loaded))
    assert one.numpy().tobytes() == other.numpy().tobytes()


def test_seasons_of_another_grid_are_refused(store, normalizer):
    smaller = Climatology(normalizer.seasons.climatology.coefficients[..., :-1], "", 1)
    other = replace(normalizer, seasons=SeasonalCycle(("temperature", "humidity"), smaller))
    with pytest.raises(UserError, match=r"climatology has 4 x 5 cells, but the model's grid is"):
        forecaster(store, other)


def test_without_seasons_the_normaliser_is_the_plain_one(store):
    plain = training_statistics(store, NormalizationConfig())
    assert plain.seasons is None
    assert plain.std[0] > 7
    state = store.windows([0], [5], 1)
    assert plain.transformed(state) is state
