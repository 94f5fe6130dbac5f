"""Planted failures are caught and named; what is healthy is left alone."""

import dataclasses
import logging

import numpy as np
import pytest
import torch

from tests.builders import tiny_forecaster, wave_store
from tests.crashes import dies_at_call
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import VORTICITY, Role, Variable, Variables
from triton_earth.core.wording import told_apart
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.physics.flow import enstrophy, kinetic_energy
from triton_earth.rollout.guard.announcements import Announcements
from triton_earth.rollout.guard.guard import Guard, GuardConfig, guard_record
from triton_earth.rollout.guard.state_statistics import BULK, ENERGY, StateStatistics
from triton_earth.rollout.guard.training_range import Margins, training_climate
from triton_earth.rollout.storage import writer
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.rollout.storage.writer import write_forecast

SIZE = 32
REQUEST = {
    "trajectories": [4, 5, 4],
    "starts": [0, 0, 2],
    "steps": 6,
    "batch_size": 2,
    "provenance": {"model": "triton", "model_hash": "a"},
}


def turbulence(seed: int, times: int = 30) -> np.ndarray:
    """Random vorticity with all scales that changes slowly and loses a little variance, [time, 1, y, x]."""
    generator = np.random.default_rng(seed)
    k = np.hypot(
        *np.meshgrid(np.fft.fftfreq(SIZE, 1 / SIZE), np.arange(SIZE // 2 + 1), indexing="ij")
    )
    shape = (k > 0) / (1 + k**2)
    phases = np.fft.rfft2(generator.standard_normal((2, SIZE, SIZE))) * shape
    angle = 0.05 * np.arange(times)[:, None, None] * np.sqrt(1 + k)
    fields = np.fft.irfft2(phases[0] * np.cos(angle) + phases[1] * np.sin(angle), s=(SIZE, SIZE))
    return (fields * np.exp(-0.003 * np.arange(times))[:, None, None])[:, None].astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("guard") / "store.zarr"
    grid, variables = PeriodicGrid(SIZE, SIZE), Variables((VORTICITY,))
    times, splits = 0.1 * np.arange(30), ["train"] * 12 + ["test"] * 4
    create_store(path, variables=variables, grid=grid, times=times, splits=splits, provenance={})
    finish_store(path, [write_trajectory(path, n, turbulence(n)) for n in range(len(splits))])
    return TrainingStore.open(path)


@pytest.fixture(scope="module")
def climate(store):
    return training_climate(store, store.variables)


def run_guard(climate, store, change=None, policy="record", steps=29, **more):
    """Let a guard see the test trajectories, changed from their second step on."""
    window = store.windows([12, 13, 14, 15], [0] * 4, steps + 1)
    guard = Guard(climate, policy, window.at(slice(0, 1)), **more)

    def states():
        for step in range(1, steps + 1):
            data = window.data[:, step : step + 1].clone()
            state = dataclasses.replace(window.at(slice(step, step + 1)), data=data)
            if change is not None:
                change(step, data, window.data)
            yield state

    return guard, list(guard.watch(states()))


def first(guard):
    return min(guard.trips, key=lambda trip: trip.step)


def test_truth_passes(climate, store):
    guard, seen = run_guard(climate, store)
    assert guard.trips == []
    assert len(seen) == 29
    assert guard_record(GuardConfig(), climate, guard.trips) == {
        "policy": "warn",
        "margins": {"value": 0.5, "mean": 0.2, "variance": 2.0, "change": 5.0, "band": 5.0},
        "climate_states": 64,
        "climate_source": "training states",
        "count": 0,
        "trips": [],
        "began_outside": [],
    }


def seasons(path, days, jump_at=None):
    """A cycle of 10 K with the waves of `turbulence`, daily; the split for tests has the last eleven days."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    fields = (
        0.5 * turbulence(3, days)
        + 10 * np.cos(2 * np.pi * np.arange(days) / 365)[:, None, None, None]
    )
    if jump_at is not None:
        fields[jump_at] += 100
    splits = np.array([["train"] * (days - 11) + ["test"] * 11])
    grid = LatLonGrid(tuple(np.linspace(-80, 80, SIZE)), tuple(np.arange(0, 360, 360 / SIZE)))
    variables = Variables((Variable("t", "K"),))
    create_store(path, variables=variables, grid=grid, times=times, splits=splits, provenance={})
    finish_store(path, [write_trajectory(path, 0, fields.astype(np.float32))])
    return TrainingStore.open(path)


def test_a_start_that_is_outside_is_said_by_date_and_does_not_count(tmp_path, caplog):
    store = seasons(tmp_path / "a.zarr", 400, jump_at=390)
    window = store.windows([0], [390], 3)
    guard = Guard(training_climate(store, store.variables), "warn", window.at(slice(0, 1)))
    near, far = window.at(slice(0, 1)), window.at(slice(0, 1))
    far = dataclasses.replace(far, data=far.data + 200)
    with caplog.at_level(logging.WARNING, "triton_earth"):
        list(guard.watch([near]))
    assert guard.trips == [] or {trip.statistic for trip in guard.trips} <= {"change per step"}
    assert {trip.statistic for trip in guard.began_outside} == {"largest value", "mean"}
    assert caplog.records[0].message.startswith(
        "guard: forecast of 2002-01-26 begins outside the training climate: 't' has the largest value 1"
    )
    assert "It does not count as leaving it." in caplog.text
    list(guard.watch([far]))
    assert {"largest value", "mean"} <= {trip.statistic for trip in guard.trips}
    record = guard_record(GuardConfig(), guard._climate, [*guard.began_outside, *guard.trips])
    assert record["count"] == len(guard.trips)
    assert [trip["step"] for trip in record["began_outside"]] == [0, 0]


def test_with_a_calendar_the_time_since_the_start_is_said(tmp_path, caplog):
    store = seasons(tmp_path / "a.zarr", 400)
    window = store.windows([0], [390], 4)
    guard = Guard(training_climate(store, store.variables), "warn", window.at(slice(0, 1)))
    states = [window.at(slice(step, step + 1)) for step in (1, 2, 3)]
    states[2] = dataclasses.replace(states[2], data=states[2].data + 200)
    with caplog.at_level(logging.WARNING, "triton_earth"):
        list(guard.watch(states))
    assert {(trip.step, trip.lead) for trip in guard.trips} == {(3, "3 d")}
    assert "guard: forecast of 2002-01-26, step 3 (3 d), 't': " in caplog.text


def test_less_than_a_year_of_training_is_said_and_widens_what_depends_on_the_season(
    tmp_path, caplog
):
    short = training_climate(*with_variables(seasons(tmp_path / "a.zarr", 61)))
    assert (
        "the training split has 50 days, no whole year; the guard lets values and means go 7.3"
        in (caplog.text)
    )
    assert short.source == "training states of 50 days, no whole year"
    caplog.clear()
    whole = training_climate(*with_variables(seasons(tmp_path / "b.zarr", 400)))
    assert not caplog.text
    assert whole.source == "training states"
    mean = whole.statistics.names.index("mean")
    assert whole.lower[0, mean] < -9
    # 50 days see a fall of 3.5 K, from 10 K; half a year later it is 20 K.
    smallest = short.statistics.names.index("smallest value")
    assert short.lower[0, smallest] < -4


def with_variables(store):
    return store, store.variables


def test_a_change_per_step_is_too_small_only_where_a_state_is_all_but_frozen(climate, store):
    change = climate.statistics.names.index("change per step")
    pairs = np.diff(store.read(0, slice(None)), axis=0)
    typical = np.sqrt((pairs**2).mean(axis=(1, 2, 3))).mean()
    assert 0 < climate.lower[0, change] < 0.02 * typical


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((285.04, 285.02, 293.0), ("285.04", "285.02", "293")),
        ((300.0, 285.0, 293.0), ("300", "285", "293")),
        ((1.0, None, 0.5), ("1", "no bound", "0.5")),
    ],
)
def test_numbers_have_digits_enough_to_tell_a_value_from_its_bounds(numbers, shown):
    assert told_apart(*numbers) == shown


def test_nan_is_caught_with_its_cell(climate, store):
    def plant(step, data, _):
        if step >= 7:
            data[2, 0, 0, 5, 9] = torch.nan

    guard, _ = run_guard(climate, store, plant)
    (trip,) = guard.trips
    assert (trip.init, trip.step, trip.variable) == (2, 7, "vorticity")
    assert (trip.statistic, trip.value) == ("values that are not finite", 1)
    assert (trip.y, trip.x) == (5, 9)
    assert trip.describe().startswith(
        "forecast 2, step 7, 'vorticity': 1 values are not finite, worst in cell (5, 9); scale: wavenumbers"
    )


def test_slow_drift_is_caught(climate, store):
    deviation = float(store.read(0, slice(None)).std())

    def plant(step, data, _):
        data[1] += 0.02 * deviation * step

    guard, _ = run_guard(climate, store, plant)
    trip = first(guard)
    assert (trip.init, trip.statistic) == (1, "mean")
    assert 8 <= trip.step <= 14
    assert (trip.scale, trip.scale_step) == ("area mean", trip.step)
    assert trip.growth_rate > 0
    assert {trip.init for trip in guard.trips} == {1}


@pytest.mark.parametrize(("wave", "octave"), [((0, 14), "7.5 to 15.5"), ((0, 5), "3.5 to 7.5")])
def test_growing_waves_are_caught_with_their_scale_and_growth_rate(climate, store, wave, octave):
    y, x = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")
    field = torch.from_numpy(np.cos(2 * np.pi * (wave[0] * y + wave[1] * x) / SIZE)).float()

    def plant(step, data, _):
        data[0, 0, 0] += 1e-5 * np.exp(0.5 * step) * field

    guard, _ = run_guard(climate, store, plant)
    trip = first(guard)
    assert trip.init == 0
    assert trip.statistic == f"variance at wavenumbers {octave}"
    assert trip.scale == f"wavenumbers {octave}"
    assert trip.scale_step == trip.step
    later = [one for one in guard.trips if one.statistic == "largest value"]
    assert later[0].scale == f"wavenumbers {octave}"
    assert later[0].scale_step == trip.step < later[0].step
    # A variance grows twice as fast as its wave, 0.5 per step, but what was there before hides it at first.
    assert 0.2 < trip.growth_rate < 1.05
    assert 0.2 < later[0].growth_rate < 0.55


def test_frozen_field_is_caught(climate, store):
    def plant(step, data, truth):
        if step > 9:
            data[3] = truth[3, 9:10]

    guard, _ = run_guard(climate, store, plant)
    assert (first(guard).init, first(guard).step) == (3, 10)
    assert first(guard).statistic == "change per step"
    assert first(guard).value == 0
    assert first(guard).y is None


def test_lost_small_scales_are_caught(climate, store):
    k = np.hypot(
        *np.meshgrid(np.fft.fftfreq(SIZE, 1 / SIZE), np.arange(SIZE // 2 + 1), indexing="ij")
    )

    def plant(step, data, _):
        damping = torch.from_numpy(np.exp(-0.1 * step * (k > 7.5)))
        data[1] = torch.fft.irfft2(torch.fft.rfft2(data[1]) * damping, s=(SIZE, SIZE))

    guard, _ = run_guard(climate, store, plant)
    assert first(guard).init == 1
    assert first(guard).scale in ("wavenumbers 7.5 to 15.5", "wavenumbers 15.5 to 22.5")
    assert first(guard).value < first(guard).lower
    assert first(guard).growth_rate is None


def test_stop_leaves_later_states_missing_and_ends(climate, store):
    def plant(step, data, _):
        for init in range(4):
            if step >= 5 + init:
                data[init] *= 100

    guard, seen = run_guard(climate, store, plant, policy="stop")
    assert guard.finished
    assert len(seen) == 8
    for init in range(4):
        missing = [bool(torch.isnan(state.data[init]).all()) for state in seen]
        assert missing == [step > 5 + init for step in range(1, 9)]
    assert {(trip.init, trip.step) for trip in guard.trips} == {(n, 5 + n) for n in range(4)}


@pytest.mark.parametrize(("policy", "lines"), [("warn", 2), ("record", 0), ("stop", 2)])
def test_one_warning_for_each_forecast(climate, store, policy, lines, caplog):
    def plant(step, data, _):
        data[1] *= 1 + step
        data[2] *= 1 + step

    with caplog.at_level(logging.WARNING, "triton_earth"):
        guard, _ = run_guard(climate, store, plant, policy)
    assert len(caplog.records) == lines
    assert len(guard.trips) >= 4
    assert all(record.message.startswith("guard: forecast ") for record in caplog.records)


def all_grow(step, data, _):
    data *= 1 + step


def test_after_the_first_forecasts_others_are_counted(climate, store, caplog):
    announcements = Announcements()
    trips = []
    with caplog.at_level(logging.WARNING, "triton_earth"):
        for first_row in (0, 4):
            how = {"first_row": first_row, "announcements": announcements}
            trips += run_guard(climate, store, all_grow, "warn", **how)[0].trips
        announcements.sum_up(guard_record(GuardConfig(), climate, trips), 8)
    lines = [record.message for record in caplog.records]
    assert [line.split(",")[0] for line in lines[:3]] == [f"guard: forecast {n}" for n in range(3)]
    assert lines[3:] == [
        "guard: more forecasts leave the training climate; they are counted, not listed.",
        "guard: 8 of 8 forecasts left the training climate. The attribute `guard` of the forecast lists them, and the "
        "report shows the first.",
    ]


def test_where_each_forecast_has_its_line_there_is_no_sum(climate, store, caplog):
    def three_grow(step, data, _):
        data[:3] *= 1 + step

    announcements = Announcements()
    with caplog.at_level(logging.WARNING, "triton_earth"):
        guard, _ = run_guard(climate, store, three_grow, "warn", announcements=announcements)
        announcements.sum_up(guard_record(GuardConfig(), climate, guard.trips), 4)
    assert len(caplog.records) == 3


def test_statistics_are_those_of_the_fields(store):
    window = store.windows([3], [4], 2)
    statistics = StateStatistics(store.variables, store.grid)
    found = statistics.measure(window.at(slice(1, 2)), window.at(slice(0, 1)))[0, 0]
    old, new = window.data[0, 0, 0].double(), window.data[0, 1, 0].double()
    lengths = (2 * np.pi, 2 * np.pi)
    expected = [0, new.min(), new.max(), new.mean(), new.var(correction=0)]
    expected += [(new - old).square().mean().sqrt(), kinetic_energy(new, lengths)]
    np.testing.assert_allclose(found[: len(BULK)], expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found[len(BULK) :].sum(), enstrophy(new - new.mean()), rtol=1e-4)
    assert statistics.bands[0].low == 0.5
    assert [band.high for band in statistics.bands[:-1]] == [
        band.low for band in statistics.bands[1:]
    ]


def test_energy_of_a_velocity_is_that_of_both_components():
    grid = LatLonGrid((-30.0, 0.0, 30.0), (0.0, 120.0, 240.0))
    variables = Variables((Variable("v10", "m s-1"), Variable("t", "K"), Variable("u10", "m s-1")))
    mask = torch.ones(3, 3, 3, dtype=torch.bool)
    mask[0, 0, 0] = False
    data = torch.tensor([3.0, 280.0, 4.0])[None, None, :, None, None].repeat(1, 1, 1, 3, 3)
    data[0, 0, 2, 0, 0] = 1e6  # where the other component is not defined
    state = State(data, variables, grid, np.zeros((1, 1)), mask)
    energy = StateStatistics(variables, grid, mask).measure(state, state)[0, :, BULK.index(ENERGY)]
    np.testing.assert_allclose(energy, [np.nan, np.nan, 12.5], rtol=1e-6)


def test_a_diagnostic_variable_is_watched_but_for_its_change(weather):
    rain = Variable("rain", "mm", role=Role.DIAGNOSTIC)
    (first, *_) = weather.variables
    watched = Variables((first, dataclasses.replace(rain, name=weather.variables.names[1])))
    climate = training_climate(weather, watched)
    names = climate.statistics.names
    assert np.isnan(climate.upper[1, names.index("change per step")])
    window = weather.windows([4], [0], 2)
    guard = Guard(climate, "record", window.at(slice(0, 1)).select([first.name]))
    state = window.at(slice(1, 2)).select(watched.names)
    assert guard.check(dataclasses.replace(state, variables=watched)) == []
    state.data[:, :, 1] += 1e4
    trips = guard.check(dataclasses.replace(state, variables=watched))
    left = {trip.statistic for trip in trips if trip.variable == watched.names[1]}
    assert "largest value" in left
    assert "change per step" not in left


def test_masked_cells_never_matter(weather):
    climate = training_climate(weather, weather.variables.select(["temperature"]))
    assert np.isfinite(climate.upper[0, 3:6]).all()
    window = weather.windows([4], [0], 2).select(["temperature"])
    loud = dataclasses.replace(window, data=torch.nan_to_num(window.data, nan=1e6))
    measured = [
        climate.statistics.measure(one.at(slice(1, 2)), one.at(slice(0, 1)))
        for one in (window, loud)
    ]
    torch.testing.assert_close(measured[0], measured[1], equal_nan=True, rtol=0, atol=0)


def test_climate_without_a_training_split_is_that_of_the_store(tmp_path):
    store = wave_store(tmp_path / "a.zarr", splits=("test", "test"))
    assert training_climate(store, store.variables).states == 22


def test_wider_margins_let_more_pass(climate, store):
    def plant(_step, data, _):
        data *= 2

    wide = training_climate(
        store, store.variables, Margins(value=3.0, mean=1.0, variance=10.0, change=30.0, band=20.0)
    )
    assert run_guard(climate, store, plant)[0].trips
    assert not run_guard(wide, store, plant)[0].trips


@pytest.mark.parametrize(("policy", "leads"), [("record", 3), ("stop", 1)])
def test_resumed_forecast_and_record_are_the_same(waves, tmp_path, policy, leads):
    forecaster = tiny_forecaster(waves)
    request = {**REQUEST, "guard": GuardConfig(policy=policy)}
    whole = write_forecast(forecaster, waves, tmp_path / "whole.zarr", **request)
    assert whole.guard["count"] > 0
    with dies_at_call(leads + 1, writer, "write_lead"):
        write_forecast(forecaster, waves, tmp_path / "a.zarr", **request)
    resumed = write_forecast(forecaster, waves, tmp_path / "a.zarr", **request, resume=True)
    assert resumed.guard == whole.guard
    for lead in range(6):
        np.testing.assert_array_equal(
            resumed.read(slice(0, 3), lead), whole.read(slice(0, 3), lead)
        )


def test_without_a_guard_there_is_no_record(waves, tmp_path):
    stored = write_forecast(tiny_forecaster(waves), waves, tmp_path / "a.zarr", **REQUEST)
    assert stored.guard is None
    assert ForecastStore.open(tmp_path / "a.zarr").guard is None


def test_guard_does_not_change_the_forecast(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    plain = write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST)
    guarded = write_forecast(
        forecaster, waves, tmp_path / "b.zarr", **REQUEST, guard=GuardConfig(policy="record")
    )
    for lead in range(6):
        np.testing.assert_array_equal(
            guarded.read(slice(0, 3), lead), plain.read(slice(0, 3), lead)
        )


def test_a_store_without_a_training_split_is_said(tmp_path, caplog):
    store = wave_store(tmp_path / "a.zarr", splits=("test", "test"))
    climate = training_climate(store, store.variables)
    assert climate.source == "states of the whole store, which has no training split"
    assert "the guard takes its climate from the whole store" in caplog.text
    assert guard_record(GuardConfig(), climate, [])["climate_source"] == climate.source
