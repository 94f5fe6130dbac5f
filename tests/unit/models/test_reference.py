import dataclasses

import numpy as np
import torch

from tests.builders import random_state
from triton_earth.models.climatology import fit_climatology
from triton_earth.models.lag_correlation import fit_lag_correlation
from triton_earth.models.reference import ClimatologyForecast, DampedPersistence, Persistence
from triton_earth.rollout.rollout import rollout


def test_persistence_holds_the_newest_state(waves):
    persistence = Persistence(waves.variables, waves.grid, waves.time_step)
    initial = waves.windows([0, 4], [3, 5], 1)
    states = list(rollout(persistence, initial, None, 4))
    for number, state in enumerate(states, start=1):
        assert torch.equal(state.data, initial.data)
        np.testing.assert_allclose(state.valid_times, initial.valid_times + number * 0.1)


def test_persistence_of_a_longer_history_takes_the_last(waves):
    persistence = Persistence(waves.variables, waves.grid, waves.time_step, history=3)
    initial = random_state(waves.grid, waves.variables, times=3)
    (state,) = rollout(persistence, initial, None, 1)
    assert torch.equal(state.data, initial.data[:, -1:])


def test_persistence_steps_in_calendar_time(weather):
    persistence = Persistence(weather.variables, weather.grid, weather.time_step)
    initial = weather.windows([0], [0], 1)
    *_, last = rollout(persistence, initial, None, 4)
    assert last.valid_times[0, 0] == np.datetime64("2000-01-02")
    assert last.variables.names == ["temperature"]
    np.testing.assert_array_equal(last.data[:, :, 0], initial.data[:, :, 0])


def references(store, names, block, longest=8):
    climatology = fit_climatology(store, names)
    correlation = fit_lag_correlation(store, names, climatology, longest)
    shared = (store.variables, store.grid, store.time_step)
    return (
        ClimatologyForecast(*shared, block=block, climatology=climatology),
        DampedPersistence(*shared, block=block, climatology=climatology, correlation=correlation),
    )


def test_climatology_and_damped_persistence_roll_out_as_any_model(weather):
    names = ["temperature"]
    mean, damped = references(weather, names, block=4)
    initial = weather.windows([4, 5], [1, 2], 1)
    expected = mean.climatology.at(weather.times[2:3])[0]
    alphas = [damped.correlation.at(step)[0] for step in (1, 2, 3, 4)]
    assert all(((alpha >= 0) & (alpha <= 1)).all() for alpha in alphas)
    start = initial.select(names).data[:, 0].double().numpy()
    for step, (one, other) in enumerate(
        zip(rollout(mean, initial, None, 4), rollout(damped, initial, None, 4), strict=True)
    ):
        np.testing.assert_allclose(one.data[0, 0], expected, rtol=1e-6)
        faded = expected + alphas[step] * (start - expected)
        np.testing.assert_allclose(other.data[:, 0], faded, rtol=1e-5)
        np.testing.assert_array_equal(
            other.valid_times[:, 0], weather.times[[1, 2]] + (step + 1) * weather.time_step
        )


def test_anomalies_of_another_time_step_fade_as_fast(waves):
    _, damped = references(waves, ["vorticity"], block=1)
    twice = dataclasses.replace(damped, time_step=0.2, store_steps=2.0)
    initial = waves.read(4, slice(0, 1))
    np.testing.assert_array_equal(
        twice.at(initial, waves.times[:1], 2), damped.at(initial, waves.times[:1], 4)
    )
