"""The errors that a training logs on its validation forecasts are those that `evaluate` gives."""

import numpy as np

import triton_earth
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training.config import TrainConfig
from triton_earth.training.validation.validation import validate_rollouts


def test_errors_of_validation_are_those_of_evaluate(tiny_run, tiny_store):
    model, store = triton_earth.load_forecaster(tiny_run), triton_earth.open_store(tiny_store)
    steps = (
        len(store.times) - model.history
    )  # one window in each trajectory, as `evaluate` takes it
    windows = Windows(store.segments("valid"), model.history + steps)
    rollouts = ForecastDataset(store, windows, model.history, memory_gb=1.0)
    assert len(rollouts) == len(store.trajectories_in("valid"))
    config = TrainConfig(validation_leads=(1, steps), validation_forecasts=len(rollouts))
    _, rows = validate_rollouts(model, rollouts, config)
    scores = triton_earth.evaluate(tiny_run, tiny_store, steps=steps, split="valid", resamples=2)
    std = model.normalizer.std[0]
    for name, forecast in (("rmse", 0), ("persistence_rmse", "persistence")):
        ours = scores["rmse"].sel(variable="vorticity")
        ours = ours.sel(forecast=forecast) if forecast else ours.isel(forecast=forecast)
        expected = ours.values[[0, steps - 1]] / std
        np.testing.assert_allclose([row[name] for row in rows], expected, rtol=1e-5)
