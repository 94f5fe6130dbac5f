import inspect
import weakref

import numpy as np
import pytest
import torch

from tests.builders import HUMIDITY, TEMPERATURE, random_state, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import Variables
from triton_earth.models.base import Forecaster
from triton_earth.rollout.rollout import rollout

GRID = PeriodicGrid(2, 3)


class Counting(Forecaster):
    """Adds 1, 2, … to the newest state, `block` states at once, and remembers its calls."""

    def __init__(self, history=1, block=1, variables=None):
        self.variables = variables or Variables((TEMPERATURE,))
        self.grid, self.time_step = GRID, 0.1
        self.history, self.block, self.name = history, block, "counting"
        self.windows, self.forcings = [], []

    def __call__(self, window, forcing=None):
        self.windows.append(window)
        self.forcings.append(forcing)
        newest = window.last(1)
        counts = torch.arange(1, self.block + 1)[:, None, None, None]
        times = newest.valid_times + 0.1 * np.arange(1, self.block + 1)
        return State(newest.data + counts, self.variables, GRID, times, window.valid_mask)


def zero_state(times=1, variables=None):
    state = random_state(GRID, variables or Variables((TEMPERATURE,)), batch=1, times=times)
    state.data.zero_()
    return state


def means(states):
    return [float(state.data.nanmean()) for state in states]


def test_states_come_one_by_one_with_their_valid_times():
    states = list(rollout(Counting(), zero_state(), None, 3))
    assert means(states) == [1, 2, 3]
    np.testing.assert_allclose([state.valid_times.item() for state in states], [0.1, 0.2, 0.3])
    assert all(state.data.shape == (1, 1, 1, 2, 3) for state in states)


@pytest.mark.parametrize(("steps", "applications"), [(1, 1), (4, 2), (5, 3)])
def test_blocks_are_taken_apart_and_the_last_one_is_cut(steps, applications):
    model = Counting(history=2, block=2)
    states = list(rollout(model, zero_state(times=2), None, steps))
    assert means(states) == list(range(1, steps + 1))
    assert len(model.windows) == applications
    np.testing.assert_allclose(
        [state.valid_times.item() for state in states], 0.1 * np.arange(2, steps + 2)
    )


def test_the_window_holds_the_newest_states_in_order():
    model = Counting(history=3, block=1)
    list(rollout(model, zero_state(times=3), None, 4))
    assert [window.data[0, :, 0, 0, 0].tolist() for window in model.windows] == [
        [0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3],
    ]  # fmt: skip


def test_nothing_is_computed_before_it_is_asked_for():
    model = Counting()
    states = rollout(model, zero_state(), None, 10**9)
    assert inspect.isgenerator(states)
    assert model.windows == []
    next(states)
    next(states)
    assert len(model.windows) == 2


def test_memory_does_not_grow_with_the_steps():
    class Forgetful(Counting):
        def __call__(self, window, forcing=None):
            state = super().__call__(window, forcing)
            self.windows.clear()
            return state

    alive = weakref.WeakSet()
    for state in rollout(Forgetful(), zero_state(), None, 50):
        alive.add(state.data)
        assert len(alive) <= 2


def test_forcings_are_taken_one_for_each_application():
    model = Counting(history=2, block=2)
    forcings = [zero_state() for _ in range(5)]
    list(rollout(model, zero_state(times=2), iter(forcings), 4))
    assert len(model.forcings) == 2
    assert all(one is other for one, other in zip(model.forcings, forcings, strict=False))


@pytest.mark.parametrize("steps", [3, 4])
def test_one_state_of_forcings_is_cut_into_applications(steps):
    model, forcings = Counting(history=2, block=2), zero_state(times=4)
    forcings.data[0, :, 0, 0, 0] = torch.arange(4.0)
    list(rollout(model, zero_state(times=2), forcings, steps))
    assert [one.data[0, :, 0, 0, 0].tolist() for one in model.forcings] == [[0, 1], [2, 3]]
    states = rollout(Counting(history=2, block=2), zero_state(times=2), forcings.last(3), 4)
    with pytest.raises(UserError, match="the forcings end after 2 of 4 steps; give more"):
        list(states)


def test_masked_cells_are_masked_before_they_are_yielded_and_fed_back():
    mask = torch.ones(1, 2, 3, dtype=torch.bool)
    mask[0, 1, 2] = False

    class Leaky(Counting):
        def __call__(self, window, forcing=None):
            state = super().__call__(window, forcing)
            return State(
                torch.nan_to_num(state.data), self.variables, GRID, state.valid_times, mask
            )

    model = Leaky()
    for state in rollout(model, zero_state(), None, 3):
        assert torch.equal(torch.isnan(state.data[0, 0]), ~mask)
    assert all(torch.equal(torch.isnan(w.data[0, 0]), ~mask) for w in model.windows[1:])


def test_values_over_land_never_matter(weather):
    forecaster = tiny_forecaster(weather)

    def forecast(land):
        window = weather.windows([1, 2], [0, 0], 1).select(["temperature"])
        window.data[:, :, ~window.valid_mask] = land
        forcings = [weather.windows([1, 2], [n, n], 1) for n in (1, 2, 3)]
        with torch.no_grad():
            return torch.cat([s.data for s in rollout(forecaster, window, forcings, 3)])

    reference = forecast(torch.nan)
    for land in (0.0, 1e9, torch.inf):
        assert forecast(land).numpy().tobytes() == reference.numpy().tobytes()
    assert torch.isnan(reference[:, 0, 0, :3, :4]).all()


def test_an_ensemble_is_a_batch(waves):
    forecaster = tiny_forecaster(waves)
    both = waves.windows([0, 4], [2, 3], 1)
    with torch.no_grad():
        together = torch.cat([s.data for s in rollout(forecaster, both, None, 3)], dim=1)
        for number in range(2):
            alone = waves.windows([[0, 4][number]], [[2, 3][number]], 1)
            states = torch.cat([s.data for s in rollout(forecaster, alone, None, 3)], dim=1)
            torch.testing.assert_close(states[0], together[number])


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(steps):
    with pytest.raises(UserError) as caught:
        next(rollout(Counting(), zero_state(), None, steps))
    assert str(caught.value) == f"a forecast needs at least one step; found {steps}."


def test_another_number_of_initial_states_is_refused():
    with pytest.raises(UserError) as caught:
        next(rollout(Counting(history=3), zero_state(times=2), None, 1))
    assert str(caught.value) == "the model 'counting' starts from 3 states; found 2."


def test_a_missing_variable_is_refused():
    model = Counting(variables=Variables((TEMPERATURE, HUMIDITY)))
    with pytest.raises(UserError, match=r"variables \['humidity'\] are needed but not there"):
        next(rollout(model, zero_state(), None, 1))


def test_forcings_that_end_early_are_refused_where_they_end():
    states = rollout(Counting(), zero_state(), [zero_state(), zero_state()], 5)
    assert means([next(states), next(states)]) == [1, 2]
    with pytest.raises(UserError) as caught:
        next(states)
    assert str(caught.value) == "the forcings end after 2 of 5 steps; give more."
