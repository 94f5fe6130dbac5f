"""Climatology from another store than the truth."""

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.baselines import describe_climatology
from triton_earth.evaluation.evaluate import evaluate_forecast

GRID = LatLonGrid((10.0, 30.0), (0.0, 10.0, 20.0))
SST = Variable("sst", "K")
DAY = np.timedelta64(1, "D")
STARTS = np.array([20, 30])


def times(first, count, step=DAY):
    return np.datetime64(first, "ns") + np.arange(count) * step


def fields(when):
    generator = np.random.default_rng(len(when))
    return 280 + generator.standard_normal((len(when), 1, 2, 3)).astype(np.float32)


@pytest.fixture
def make(tmp_path):
    def store(name, when, split="train", grid=GRID, variable=SST):
        path = tmp_path / f"{name}.zarr"
        create_store(
            path,
            variables=Variables((variable,)),
            grid=grid,
            times=when,
            splits=[split],
            provenance={},
        )
        values = fields(when)[:, :, : grid.shape[0]]
        finish_store(path, [write_trajectory(path, 0, values)])
        return TrainingStore.open(path)

    return store


@pytest.fixture
def truth(make):
    return make("truth", times("2010-01-01", 60), split="test")


@pytest.fixture
def forecast(truth, forecasts_of):
    when = times("2010-01-01", 60)
    own = fields(when)
    return forecasts_of(
        np.stack([own[start + 1 : start + 4] + 1 for start in STARTS]),
        variables=Variables((SST,)),
        grid=GRID,
        time_step=DAY,
        init_times=when[STARTS],
        trajectories=np.zeros(2, int),
    )


def test_baselines_and_anomalies_are_those_of_the_other_store(forecast, truth, make):
    alone = evaluate_forecast(forecast, truth, resamples=5)
    assert alone["forecast"].values.tolist() == ["triton", "persistence"]
    assert "Beside persistence there is no baseline" in alone.attrs["remarks"]
    other = make("normal", times("2001-01-01", 365))
    scores = evaluate_forecast(forecast, truth, resamples=5, climatology=other)
    assert scores["forecast"].values.tolist()[2:] == ["damped persistence", "climatology"]
    assert scores.attrs["remarks"] == (
        "The climatology is that of the training split of normal.zarr, 365 times from 2001-01-01 to "
        "2001-12-31; scored are 2010-01-21 to 2010-02-03."
    )
    np.testing.assert_array_equal(
        scores["rmse"].sel(forecast="triton"), alone["rmse"].sel(forecast="triton")
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "test"}, r"needs a training split; the store has \['test'\]"),
        (
            {"grid": LatLonGrid((10.0, 40.0), (0.0, 10.0, 20.0))},
            "Prepare it on the forecast's grid",
        ),
        (
            {"variable": Variable("ssh", "m")},
            r"lacks the forecast's variable 'sst'; it has \['ssh'\]",
        ),
        (
            {"variable": Variable("sst", "degC")},
            "'sst' is in 'degC' there but in 'K' in the forecast",
        ),
        (
            {"when": np.arange(60.0)},
            "expected the kind of times of the forecast, dates or numbers",
        ),
        (
            {"when": times("2001-01-01", 60, 2 * DAY)},
            "steps of 2 d.*, of which the forecast's 1 d.* is no",
        ),
        ({"when": times("2009-06-01", 365)}, "the climatology would know the truth. Name a store"),
    ],
)
def test_stores_that_do_not_fit(forecast, truth, make, options, message):
    store = make("other", **{"when": times("2001-01-01", 60), **options})
    with pytest.raises(UserError, match=message):
        describe_climatology(store, forecast, align(forecast, truth))
