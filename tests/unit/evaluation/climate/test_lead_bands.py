"""Bands of single leads: the truth stays within them beside another truth, what fails does not."""

import json

import numpy as np
import pytest
from tests.unit.evaluation.climate.seasons_and_noise import (
    DAY,
    GRID,
    VARIABLES,
    days,
    make_store,
    season,
    weather,
)
from tests.unit.evaluation.conftest import MemoryForecasts

from triton_earth.evaluation.climate.lead_bands import MeasuredBands, _trajectories
from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.evaluation.metrics.stability import Band

STEPS, FIRST = 40, 365 + 21
"""Leads of the runs, too few for climate scores, and the first day of the test split."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("bands") / "store.zarr", years=1)


def scored(store, change=lambda fields, times: fields, count=20):
    """Scores of perfect forecasts that know nothing of the truth but its climate, changed in some way."""
    starts = np.linspace(FIRST, FIRST + 98 - STEPS, count).astype(int)
    fields = []
    for start in starts.tolist():
        times, each = weather(start + 1, STEPS, seed=900 + start)
        fields.append(change(each, times))
    runs = MemoryForecasts(
        np.stack(fields).astype(np.float32),
        variables=VARIABLES,
        grid=GRID,
        init_times=np.concatenate([days(start, 1) for start in starts.tolist()]),
        trajectories=np.zeros(count, np.int64),
        time_step=DAY,
    )
    return evaluate_forecasts([runs], store, resamples=10).scores


@pytest.fixture(scope="module")
def perfect(store):
    return scored(store)


def test_the_truth_stays_within_the_bands_of_another_truth(perfect):
    assert perfect["stable_fraction"][0] >= 0.95
    assert "climate_failure" not in perfect
    assert "95 of 100 runs of the truth of 40 leads" in perfect["stability_horizon"].definition
    # The mean gradient, ten times the noise, does not widen what is allowed of the mean.
    assert float(perfect["initial_stable"].sel(forecast="climatology").mean()) == 0


def test_a_band_of_the_mean_is_as_wide_as_means_of_the_truth_differ(perfect):
    bands = json.loads(perfect.attrs["stability_bands"])
    assert bands["leads"] == STEPS
    generator = [
        (weather(0, 400, seed)[1] - season(days(0, 400)))[:, 0].mean(axis=(1, 2)) for seed in (5, 6)
    ]
    apart = np.std(generator[0] - generator[1])
    # z of 40 leads and four criteria is 3.6; weights of the cells change little.
    assert 3 * apart < bands["mean_drift"]["temperature"] < 5.5 * apart


def drift(fields, times):
    return fields + np.linspace(0, 4, len(fields))[:, None, None, None]


def blow_up(fields, times):
    growth = 1.1 ** np.arange(len(fields))[:, None, None, None]
    return season(times) + growth * (fields - season(times))


def blur(fields, times):
    fading = 0.85 ** np.arange(len(fields))[:, None, None, None]
    return season(times) + fading * (fields - season(times))


@pytest.mark.parametrize(
    ("change", "criterion"),
    [(drift, "mean of"), (blow_up, ("mean of", "variance of")), (blur, "variance of")],
)
def test_planted_failures_leave_the_bands(store, change, criterion):
    scores = scored(store, change, count=6)
    assert scores["stable_fraction"][0] == 0
    assert str(scores["stability_criterion"].values[0]).startswith(criterion)


def test_bands_in_words_and_of_a_single_variable():
    bands = MeasuredBands(
        np.array([0.5, 2.0]),
        (Band(lower=0.5, upper=2.0), Band(lower=0.25, upper=4.0)),
        {"energy": Band(lower=0.8, upper=1.25)},
        30,
        700,
        "years",
    )
    assert bands.of(1).largest_drift(0, np.ones((1, 1))) == 2.0
    words = bands.words(["t", "u"])
    assert "700 training states (years held out)" in words
    assert (
        "u: mean within 2, ratio of anomaly variances 0.25 to 4; energy ratio 0.8 to 1.25" in words
    )
    assert "u:" not in MeasuredBands(
        np.ones(5), (Band(lower=0.5, upper=2.0),) * 5, {}, 30, 700, "years"
    ).words(list("abcde"))


def test_the_numbers_of_a_fold_are_told_apart_by_trajectory():
    times = np.array([0.0, 1.0, 2.0, 0.0, 2.0, 0.0])
    parts = _trajectories(times, np.arange(6.0)[:, None])
    assert [part[:, 0].tolist() for part in parts] == [[0, 1, 2], [3, 4], [5]]
