import numpy as np
import torch

from tests.builders import random_state
from triton_earth.models.reference import Persistence
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
