"""Whether the statistics of a training split are those of the same time after the start, or always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluation.climate.seasons_and_noise import VARIABLES, make_store, weather

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.store.writer import create_store, finish_store, write_trajectory
from triton_earth.data.windows import Segment
from triton_earth.evaluation.climate.measures import SQUARE, Measures
from triton_earth.evaluation.climate.reference import (
    MOST_FOLDS,
    depends_on_step,
    divide,
    fit_training_climate,
)
from triton_earth.evaluation.climate.setting import UNKNOWN_YEARS, ClimateSetting

GRID = PeriodicGrid(8, 8)
STEPS = 60
NO_CALENDAR, DAYS = (Measures.of(GRID, 1, None, step) for step in (1.0, np.timedelta64(1, "D")))


def red_noise(trajectories, seed, steps=STEPS, memory=0.9):
    """Series with a memory of some steps [trajectory, step], in their steady state from the start."""
    white = np.random.default_rng(seed).normal(size=(trajectories, steps, 3))
    for step in range(1, steps):
        white[:, step] = memory * white[:, step - 1] + np.sqrt(1 - memory**2) * white[:, step]
    return white


def asked(series, measures=NO_CALENDAR):
    folds = [(Segment(number, 0, STEPS),) for number in range(len(series))]
    return depends_on_step(folds, measures, list(series))


def test_a_flow_that_is_driven_has_the_same_statistics_at_all_times():
    assert sum(asked(red_noise(16, seed)) for seed in range(200)) <= 6  # 1 % expected


def test_a_flow_that_decays_has_those_of_the_same_time():
    decay = np.exp(-np.arange(STEPS) / STEPS)[:, None]
    assert all(asked((3 + red_noise(8, seed)) * decay) for seed in range(50))


@pytest.mark.parametrize(
    ("count", "measures", "steps"), [(7, NO_CALENDAR, STEPS), (16, DAYS, STEPS)]
)
def test_few_trajectories_and_dates_have_no_time_after_the_start(count, measures, steps):
    decay = np.exp(-np.arange(steps) / steps)[:, None]
    assert not asked((3 + red_noise(count, 0)) * decay, measures)


def test_what_is_always_the_same_or_never_known_does_not_matter():
    series = red_noise(16, 1)
    series[..., 0], series[..., 1] = 5.0, np.nan
    assert not asked(series)


def test_trajectories_of_few_steps_are_taken_by_step():
    assert asked(red_noise(8, 1)[:, :5])


@pytest.mark.parametrize(("fades", "by_step"), [(False, False), (True, True)])
def test_the_climate_of_a_store_is_expected_by_step_only_where_it_changes(tmp_path, fades, by_step):
    count, path = 12, tmp_path / "store.zarr"
    noise = red_noise(count * 64, 3)[..., 0].reshape(count, 8, 8, STEPS).transpose(0, 3, 1, 2)
    if fades:
        noise *= np.exp(-np.arange(STEPS) / STEPS)[:, None, None]
    create_store(
        path,
        variables=Variables((Variable("a", "1"),)),
        grid=GRID,
        times=np.arange(STEPS, dtype=float),
        splits=np.full((count, STEPS), "train"),
        provenance={"source": "red noise"},
    )
    fields = noise[:, :, None].astype(np.float32)
    finish_store(path, [write_trajectory(path, number, one) for number, one in enumerate(fields)])
    climate = fit_training_climate(TrainingStore.open(path), ["a"])
    assert climate is not None
    expected = climate.reference.expectation
    assert expected.by_step is by_step
    late = expected.at(np.array([1000.0]))[0, 0, SQUARE]
    assert late == pytest.approx(np.exp(-2.0) if fades else 1.0, rel=0.15)


@pytest.mark.parametrize(("days", "short"), [(500, True), (730, False)])
def test_a_record_of_less_than_two_years_is_said_not_to_know_other_years(tmp_path, days, short):
    store = make_store(tmp_path / "store.zarr", 1, *weather(0, days + 120, seed=1))
    climate = fit_training_climate(store, VARIABLES.names)
    assert climate is not None
    remark = ClimateSetting.measured(store, climate, 60, [days + 20]).remark
    assert remark.endswith(UNKNOWN_YEARS) == short


@given(
    days=st.integers(730, 20_000),
    start=st.integers(0, 100),
    gap=st.integers(0, 50),
    stride=st.sampled_from([1, 5]),
)
def test_every_whole_year_is_in_one_fold(days, start, gap, stride):
    measures = Measures.of(GRID, 1, None, np.timedelta64(stride, "D"))
    half = days // 2
    segments = [Segment(0, start, start + half), Segment(0, start + half + gap, start + days + gap)]
    folds, word = divide(segments, np.arange(0), measures, stride)
    year = int(measures.year)
    lengths = [sum(len(one) for one in fold) / stride / year for fold in folds]
    assert len(folds) <= MOST_FOLDS
    assert max(lengths) - min(lengths) < 1.01
    assert word == "years" if max(lengths) < 1.01 else word.startswith("stretches of ")
    covered = np.concatenate([np.arange(one.start, one.stop) for fold in folds for one in fold])
    everything = np.concatenate([np.arange(one.start, one.stop) for one in segments])
    whole = (days // stride + 1) // year * year * stride
    np.testing.assert_array_equal(covered, everything[:whole])


@pytest.mark.parametrize(
    ("years", "word"),
    [(3, "years"), (6, "stretches of 1 or 2 years"), (8, "stretches of 2 years")],
)
def test_folds_say_how_many_years_they_have(years, word):
    assert divide([Segment(0, 0, 366 * years)], np.arange(0), DAYS, 1)[1] == word
