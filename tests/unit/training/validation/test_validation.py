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
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import VORTICITY, Role, Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.evaluation.spectra.flow import ENSTROPHY, FlowSpectra
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import TrainConfig, score_names
from triton_earth.training.losses.rollout_loss import true_forcings
from triton_earth.training.validation.kept_variance import KeptVariance, variances
from triton_earth.training.validation.validation import validate_rollouts


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
    assert list(scores) == score_names((2, 5))[3:]
    assert scores["rollout_rmse"] == pytest.approx(np.mean(expected), rel=1e-5)
    found = [scores[f"rollout_rmse_lead_{lead}"] for lead in (2, 5)]
    assert found == pytest.approx(expected, rel=1e-5)
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
    assert math.isinf(scores["rollout_stability"])
    assert math.isfinite(rows[0]["persistence_rmse"])


# --- what is kept of variance and small scales


def box(values):
    data = torch.as_tensor(values, dtype=torch.float32)[None, None, None]
    return State(data, Variables((VORTICITY,)), PeriodicGrid(16, 16), np.zeros((1, 1)))


def wave(number, amplitude):
    return amplitude * np.cos(number * PeriodicGrid(16, 16).x)[None, :].repeat(16, axis=0)


def test_variances_of_known_waves():
    ((whole, small),) = variances(box(7.0 + wave(1, 2.0) + wave(6, 0.2)))
    assert whole == pytest.approx(2.0 + 0.02, rel=1e-6)
    assert small == pytest.approx(0.02, rel=1e-5)


def test_small_scales_are_those_of_evaluation():
    field = np.random.default_rng(3).normal(size=(16, 16))
    transform = FlowSpectra(PeriodicGrid(16, 16))
    spectra = transform.spectra([field[None, None]])[0, 0, ENSTROPHY]
    enstrophy = float(np.squeeze(spectra)[transform.small_scales].sum())
    assert variances(box(field))[0, 1] == pytest.approx(2 * enstrophy, rel=1e-5)


def test_the_variance_over_land_does_not_count(weather):
    state = windows(weather, 3).batch([0])[0].select(["temperature"])
    cells = np.where(weather.valid_mask[0], weather.grid.cell_area_weights, 0)
    field = np.where(weather.valid_mask[0], state.data[0, 0, 0].numpy(), 0).astype(float)
    mean = (cells * field).sum() / cells.sum()
    expected = (cells * (field - mean) ** 2).sum() / cells.sum()
    assert variances(state)[0, 0] == pytest.approx(expected, rel=1e-6)


def test_stability_is_the_size_of_the_log_ratios():
    truth = np.array([[[2.0, 0.1]], [[2.0, 0.1]]])
    kept = KeptVariance(truth * np.array([[[1.0, 1.0]], [[0.5, 4.0]]]), truth, np.array([1.0]))
    assert kept.instability[0] == pytest.approx(0.0, abs=1e-6)
    expected = np.sqrt((np.log(0.5) ** 2 + np.log(4.0) ** 2) / 2)
    assert kept.instability[1] == pytest.approx(expected, rel=1e-4)


def test_a_forecast_that_dies_out_is_less_stable_than_persistence(waves):
    scores = []
    for factor in (0.0, -1.0):
        forecaster = tiny_forecaster(waves, prediction="tendency")
        forecaster.network = ScaledSum(factor)
        found, rows = validate_rollouts(
            forecaster, windows(waves, 7), TrainConfig(validation_leads=(1, 6))
        )
        assert found["rollout_rmse_and_stability"] == pytest.approx(
            found["rollout_rmse"] + found["rollout_stability"]
        )
        scores.append(found["rollout_stability_lead_6"])
    assert scores[0] < 0.1 < scores[1]
    assert rows[1]["log_variance_ratio"] < -0.1
