import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import (
    SUNSHINE,
    TEMPERATURE,
    TINY_NETWORK,
    ScaledSum,
    statistics,
    tiny_forecaster,
)
from triton_earth.core.variables import Role, Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import TrainConfig
from triton_earth.training.rollout_loss import true_forcings
from triton_earth.training.validation import validate_rollouts


def windows(store, length, history=1):
    return ForecastDataset(store, Windows(store.segments("valid"), length), history, memory_gb=1.0)


@pytest.mark.parametrize(("kind", "history"), [("waves", 1), ("waves", 2), ("weather", 1)])
def test_scores_of_forecasts_are_their_definition(kind, history, request):
    store = request.getfixturevalue(kind)
    forecaster = tiny_forecaster(store, history=history)
    rollouts = windows(store, history + 5, history)
    config = TrainConfig(validation_leads=(5, 2), validation_forecasts=100, batch_size=3)
    scores, rows = validate_rollouts(forecaster, rollouts, config)
    start, truth = rollouts.batch(range(len(rollouts)))
    with torch.no_grad():
        states = list(rollout(forecaster, start, true_forcings(forecaster, truth), 5))
    std, areas = forecaster.normalizer.std[0], store.grid.cell_area_weights
    expected = []
    for lead in (2, 5):
        error = (states[lead - 1].data[:, 0, 0] - truth.data[:, lead - 1, 0]).numpy() / std
        inside = ~np.isnan(error)
        weights = np.where(inside, areas, 0)
        expected.append(np.sqrt((weights * np.where(inside, error, 0) ** 2).sum() / weights.sum()))
    assert scores == pytest.approx(
        {
            "rollout_rmse": np.mean(expected),
            "rollout_rmse_lead_2": expected[0],
            "rollout_rmse_lead_5": expected[1],
        },
        rel=1e-5,
    )
    assert [(row["lead"], row["variable"]) for row in rows] == [
        (lead, forecaster.predicted.names[0]) for lead in (2, 5)
    ]
    assert [row["rmse"] for row in rows] == pytest.approx(expected, rel=1e-5)


def test_persistence_stands_beside(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.0)
    _, rows = validate_rollouts(forecaster, windows(waves, 4), TrainConfig(validation_leads=(1, 3)))
    for row in rows:
        assert row["rmse"] == pytest.approx(row["persistence_rmse"], rel=1e-6)


def test_persistence_of_a_diagnostic_variable_is_its_initial_value(weather):
    sunshine = replace(SUNSHINE, role=Role.DIAGNOSTIC)
    config = ModelConfig(network=TINY_NETWORK)
    forecaster = NetworkForecaster(
        config,
        Variables((TEMPERATURE, sunshine)),
        weather.grid,
        weather.time_step,
        statistics(weather),
    )
    forecaster.valid_mask = torch.from_numpy(weather.valid_mask)
    _, rows = validate_rollouts(forecaster, windows(weather, 3), TrainConfig(validation_leads=(2,)))
    (row,) = [row for row in rows if row["variable"] == sunshine.name]
    start, truth = windows(weather, 3).batch(range(len(windows(weather, 3))))
    error = (start.data[:, 0, 1] - truth.data[:, 1, 1]).numpy() / forecaster.normalizer.std[1]
    expected = np.sqrt(np.mean(weather.grid.cell_area_weights * error**2))
    assert row["persistence_rmse"] == pytest.approx(expected, rel=1e-5)


def test_a_forecast_that_blows_up_scores_infinity(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(1e30)
    scores, rows = validate_rollouts(
        forecaster, windows(waves, 4), TrainConfig(validation_leads=(3,))
    )
    assert math.isinf(scores["rollout_rmse"])
    assert math.isinf(rows[0]["rmse"])
    assert math.isfinite(rows[0]["persistence_rmse"])
