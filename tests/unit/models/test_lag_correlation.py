"""Lag correlation against closed forms: red noise that fades at another rate in each cell."""

import numpy as np
import pytest

from tests.builders import wave_store
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models import lag_correlation
from triton_earth.models.climatology import fit_climatology
from triton_earth.models.lag_correlation import LagCorrelation, fit_lag_correlation

GRID = LatLonGrid((10.0, 30.0), (0.0, 10.0, 20.0))
MASK = np.array([[[True, True, False], [True, True, True]]])
RATES = np.array([[0.95, 0.5, 0.0], [0.8, 0.9, 0.2]])
TIMES = 4000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """AR(1) in each cell: a(t + 1) = r a(t) + noise, so that r^n is left after n steps."""
    noise = np.random.default_rng(0).standard_normal((TIMES, 1, 2, 3))
    for time in range(1, TIMES):
        noise[time] = RATES * noise[time - 1] + np.sqrt(1 - RATES**2) * noise[time]
    path = tmp_path_factory.mktemp("red") / "a.zarr"
    create_store(
        path,
        variables=Variables((Variable("sst", "K"),)),
        grid=GRID,
        times=np.arange(float(TIMES)),
        splits=["train"],
        provenance={},
        valid_mask=MASK,
        times_per_file=500,
    )
    fields = np.where(MASK, 280 + noise, np.nan).astype(np.float32)
    finish_store(path, [write_trajectory(path, 0, fields)])
    return TrainingStore.open(path)


@pytest.fixture(scope="module")
def climatology(store):
    return fit_climatology(store, ["sst"])


@pytest.mark.slow
def test_each_cell_fades_at_its_own_rate(store, climatology, monkeypatch):
    monkeypatch.setattr(lag_correlation, "MOST_STARTS", 1000)
    found = fit_lag_correlation(store, ["sst"], climatology, 10)
    assert found.lags[[0, 1, -1]].tolist() == [0, 1, 10]
    assert (found.at(0) == 1).all()
    for lag in (1, 2, 5, 10):
        np.testing.assert_allclose(
            found.at(lag)[0][MASK[0]], (RATES**lag)[MASK[0]], atol=0.12, err_msg=str(lag)
        )


def test_of_few_starts_the_whole_map_counts(store, climatology, monkeypatch):
    monkeypatch.setattr(lag_correlation, "MOST_STARTS", 4)
    monkeypatch.setattr(lag_correlation, "PRIOR_STARTS", 1e6)
    found = fit_lag_correlation(store, ["sst"], climatology, 1).at(1)[0]
    np.testing.assert_allclose(found, found[0, 0], atol=1e-4)


def test_cells_of_a_block_share_their_rate(store, climatology, monkeypatch):
    monkeypatch.setattr(lag_correlation, "MOST_VALUES", 8)
    found = fit_lag_correlation(store, ["sst"], climatology, 1)
    assert found.block == 2
    assert found.values.shape == (2, 1, 1, 2)
    cells = found.at(1)[0]
    assert cells.shape == (2, 3)
    assert (cells[:, :2] == cells[0, 0]).all()
    assert cells[0, 0] == pytest.approx(RATES[:, :2].mean(), abs=0.15)


def test_all_places_of_a_periodic_box_are_alike(tmp_path):
    waves = wave_store(tmp_path / "a.zarr")
    climatology = fit_climatology(waves, ["vorticity"])
    assert fit_lag_correlation(waves, ["vorticity"], climatology, 3).values.shape[-2:] == (1, 1)


def test_between_and_beyond_the_lags():
    values = np.array([1.0, 0.5, 0.1])[:, None, None, None]
    correlation = LagCorrelation(np.array([0, 2, 4]), values, 1, (1, 1))
    found = [correlation.at(lag).item() for lag in (0, 1, 3, 4, 9)]
    np.testing.assert_allclose(found, [1, 0.75, 0.3, 0.1, 0.1])


def test_starts_are_all_there_are_or_spread_evenly(store):
    (segment,) = store.segments("train")
    assert len(lag_correlation._starts([segment], TIMES - 5)) == 5
    chosen = [start for _, start in lag_correlation._starts([segment], 100)]
    assert len(chosen) == len(set(chosen)) == lag_correlation.MOST_STARTS
    counts, _ = np.histogram(chosen, bins=4, range=(0, TIMES - 100))
    assert counts.min() > 28
