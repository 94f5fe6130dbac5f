"""The stores on disk give the same scores as the stand-ins in memory."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr
import zarr
from tests.cases import case_of

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.evaluation import streaming
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.spectra.family import spectra
from triton_earth.evaluation.streaming import stream
from triton_earth.rollout.storage.forecast_store import (
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
)

SHARED = {"variables": Variables((VORTICITY,)), "grid": PeriodicGrid(16, 16)}


@pytest.fixture
def stores(tmp_path, flow):
    path = tmp_path / "truth"
    create_store(
        path, times=np.arange(8) * 0.5, splits=["test"] * 6, provenance={"source": "a"}, **SHARED
    )
    finish_store(path, [write_trajectory(path, number, flow[number]) for number in range(6)])
    path = tmp_path / "forecast"
    create_forecast_store(
        path,
        time_step=0.5,
        steps=9,
        init_times=np.array([0.0, 0.5, 0.5]),
        trajectories=np.array([2, 3, 5]),
        provenance={"model": "triton"},
        **SHARED,
    )
    array = zarr.open_group(path, mode="r+")["vorticity"]
    array[:, :7] = 0.9 * flow[[2, 3, 5], 1:, 0]
    array[:, 7:] = 0.8
    finish_forecast_store(path)
    return ForecastStore.open(tmp_path / "forecast"), TrainingStore.open(tmp_path / "truth")


def test_same_scores_as_in_memory(stores, flow, forecasts_of, truth_of):
    found = evaluate_forecast(*stores, resamples=40)
    beyond = np.full((3, 2, *flow.shape[2:]), 0.8)
    memory = forecasts_of(
        np.concatenate([0.9 * flow[[2, 3, 5], 1:], beyond], axis=1),
        init_times=np.array([0.0, 0.5, 0.5]),
        trajectories=np.array([2, 3, 5]),
    )
    expected = evaluate_forecast(memory, truth_of(flow), resamples=40)
    assert (found.attrs["evaluated_leads"], found.attrs["forecast_leads"]) == (7, 9)
    xr.testing.assert_equal(found, expected)


class _Endless:
    """Forecasts and truth that are made when they are read."""

    def __init__(self, leads):
        self.variables, self.grid = SHARED["variables"], PeriodicGrid(32, 32)
        self.times = np.arange(leads + 1) * 1.0
        self.time_step, self.time_units, self.lead_times = 1.0, "1", self.times[1:]
        self.init_times, self.chunk_inits = np.zeros(4), 2
        self.valid_mask, self.content_hash, self.provenance = None, "", {}
        self.trajectories, self.recorded = np.arange(4), np.ones(leads + 1, dtype=bool)

    def find_time(self, time):
        return int(time)

    def read(self, which, when):
        count = which.stop - which.start if isinstance(which, slice) else when.stop - when.start
        return np.ones((count, 1, 32, 32), np.float32)


def _peak(leads):
    case = case_of([_Endless(leads)], _Endless(leads))
    tracemalloc.start()
    aggregators = [Errors(case), *spectra(case)]
    stream(case, aggregators)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    results = [getattr(one, name) for one in aggregators for name in one.INIT_AXES]
    return peak - sum(array.nbytes for array in results if array is not None)


def test_memory_for_fields_does_not_grow_with_leads(monkeypatch):
    monkeypatch.setattr(streaming, "VALUES_IN_MEMORY", 2**14)
    _peak(1)
    assert _peak(50) < _peak(10) + 2**17  # 40 more leads of truth alone are 5 · 2**17 bytes
