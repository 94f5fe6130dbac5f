"""Leads beyond the truth: a forecast that departs from a constant climate at a known rate."""

import numpy as np
import pytest

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.region import Region
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.evaluation.evaluate import evaluate_forecast

GRID = LatLonGrid((-45.0, -15.0, 15.0, 45.0), (0.0, 120.0, 240.0))
SST = Variables((Variable("sst", "K"),))
PATTERN = np.arange(12.0).reshape(4, 3)
MASK = PATTERN[None] < 11
WEIGHTS = GRID.cell_area_weights * MASK[0]
STEPS = 9


@pytest.fixture
def truth(tmp_path):
    """Nothing changes in twelve training times and four of the test, of which forecasts start at the first two."""
    path = tmp_path / "truth.zarr"
    split = np.array([["train"] * 12 + [""] + ["test"] * 4], dtype=object)
    create_store(
        path,
        variables=SST,
        grid=GRID,
        times=np.arange(17.0),
        splits=split,
        provenance={},
        valid_mask=MASK,
    )
    fields = np.where(MASK, 280 + PATTERN, np.nan)[None].repeat(17, axis=0)
    finish_store(path, [write_trajectory(path, 0, fields.astype(np.float32))])
    return TrainingStore.open(path)


@pytest.fixture
def forecast(forecasts_of):
    """It warms by 0.5 K a step."""
    warmer = 0.5 * np.arange(1, STEPS + 1)[:, None, None, None]
    fields = np.where(MASK, 280 + PATTERN + warmer, np.nan)
    return forecasts_of(
        np.stack([fields, fields]),
        variables=SST,
        grid=GRID,
        time_step=1.0,
        init_times=np.array([13.0, 14.0]),
        trajectories=np.zeros(2, int),
    )


def test_departure_drift_and_extremes(forecast, truth):
    scores = evaluate_forecast(forecast, truth, resamples=5).sel(variable="sst")
    assert scores["lead"].values.tolist() == [1, 2, 3]
    assert scores["beyond_lead_time"].values.tolist() == [4, 5, 6, 7, 8, 9]
    assert scores["model"].values.tolist() == ["triton"]
    warmer = 0.5 * np.arange(4, 10)
    np.testing.assert_allclose(scores["beyond_seasonal_departure"][0], warmer, rtol=1e-4)
    np.testing.assert_allclose(scores["beyond_drift_rate"], [0.5], rtol=1e-4)
    mean = np.average(PATTERN, weights=WEIGHTS)
    spread = np.average((PATTERN - mean) ** 2, weights=WEIGHTS)
    np.testing.assert_allclose(scores["beyond_area_mean"][0], 280 + mean + warmer, rtol=1e-6)
    np.testing.assert_allclose(scores["beyond_variance"][0], spread, rtol=1e-4)
    np.testing.assert_allclose(scores["training_extreme"], [280, 280, 290, 290])
    np.testing.assert_allclose(scores["beyond_extreme"][0, -1], [284.5, 284.5, 294.5, 294.5])
    assert "Steps 4 to 9 have no truth: area mean" in scores.attrs["remarks"]


def test_intervals_of_many_trajectories(flow, forecasts_of, truth_of):
    """Six forecasts whose area means beyond the truth are 1 to 6: the mean and its interval by hand."""
    level = np.arange(1.0, 7)[:, None, None, None, None]
    longer = np.concatenate([flow[:, 1:], flow[:, 1:3] * 0 + level], axis=1)
    scores = evaluate_forecast(forecasts_of(longer), truth_of(flow), resamples=2000)
    for name in ("beyond_area_mean", "beyond_extreme"):
        np.testing.assert_allclose(scores[name], 3.5)
        bounds = scores[f"{name}_interval"]
        assert bounds.dims == (*scores[name].dims, "bound")
        # The t interval of 1 … 6 is 3.5 ± 1.96; bootstrapped means of six values are a little discrete.
        low, high = bounds.isel(bound=0), bounds.isel(bound=1)
        np.testing.assert_allclose(low, 1.54, atol=0.35)
        np.testing.assert_allclose(high, 5.46, atol=0.35)
    np.testing.assert_allclose(scores["beyond_variance_interval"], 0, atol=1e-9)


def test_few_trajectories_have_no_intervals(forecast, truth):
    scores = evaluate_forecast(forecast, truth, resamples=5)
    for name in ("area_mean", "variance", "seasonal_departure", "drift_rate", "extreme"):
        assert scores[f"beyond_{name}"].notnull().all()
        assert scores[f"beyond_{name}_interval"].isnull().all()


def test_in_a_region(forecast, truth):
    north = Region.parse("0:60,0:360")
    scores = evaluate_forecast(forecast, truth, resamples=5, region=north).sel(variable="sst")
    mean = np.average(PATTERN[2:], weights=WEIGHTS[2:])
    np.testing.assert_allclose(
        scores["beyond_area_mean"][0], 280 + mean + 0.5 * np.arange(4, 10), rtol=1e-6
    )
    assert scores["training_extreme"].values.tolist() == [286, 286, 290, 290]


def test_without_a_training_split(flow, forecasts_of, truth_of):
    longer = np.concatenate([flow[:, 1:], flow[:, 1:3]], axis=1)
    scores = evaluate_forecast(forecasts_of(longer), truth_of(flow), resamples=5)
    found = {str(name).removesuffix("_interval") for name in scores if "beyond" in str(name)}
    assert found == {"beyond_area_mean", "beyond_variance", "beyond_extreme"}
    assert scores["beyond_lead_time"].values.tolist() == [4, 4.5]


def test_nothing_where_the_truth_goes_on(flow, forecasts_of, truth_of):
    scores = evaluate_forecast(forecasts_of(flow[:, 1:]), truth_of(flow), resamples=5)
    assert "beyond_lead_time" not in scores.coords
