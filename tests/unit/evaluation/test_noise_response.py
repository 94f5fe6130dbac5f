"""The response to noise: known exactly for forecasters that multiply, blur or shift."""

import numpy as np
import pytest
import torch
from tests.builders import random_state

from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.noise_response import leading_growth, noise_response
from triton_earth.models.base import Forecaster

GRID = PeriodicGrid(8, 16)
VARIABLES = Variables((VORTICITY,))


class Linear(Forecaster):
    """x' = factor(k) x for each wavenumber along rows."""

    def __init__(self, factors, history: int = 1) -> None:
        self.variables, self.grid, self.time_step = VARIABLES, GRID, 0.1
        self.history, self.block, self.name = history, 1, "linear"
        self.factors = torch.as_tensor(factors)

    def __call__(self, window: State, forcing: State | None = None) -> State:
        spectrum = torch.fft.rfft(window.data[:, -1:], dim=-1) * self.factors
        data = torch.fft.irfft(spectrum, n=16, dim=-1)
        return State(data, VARIABLES, GRID, window.valid_times[:, -1:] + 0.1)


def test_a_factor_is_the_gain_of_every_octave():
    found = noise_response(Linear(0.5 * np.ones(9)), random_state(GRID, VARIABLES))
    assert found["octave"].values.tolist() == ["1", "2-3", "4-8"]
    for row, step in enumerate(found["step"].values):
        np.testing.assert_allclose(found["noise_gain"][row], 0.5**step, rtol=1e-4)
    np.testing.assert_allclose(found["noise_small_scales"].sel(octave="4-8"), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found["noise_small_scales"].sel(octave="1"), 0.0, atol=1e-6)


def test_a_forecaster_that_amplifies_small_scales_is_told_from_one_that_damps_them():
    factors = np.ones(9)
    factors[4:] = 1.5
    growing = noise_response(Linear(factors), random_state(GRID, VARIABLES))["noise_gain"]
    factors[4:] = 0.1
    damping = noise_response(Linear(factors), random_state(GRID, VARIABLES))["noise_gain"]
    assert float(growing.sel(octave="4-8", step=5).item()) == pytest.approx(1.5**5, rel=1e-3)
    assert float(damping.sel(octave="4-8", step=1).item()) == pytest.approx(0.1, rel=1e-3)
    assert float(growing.sel(octave="1", step=5).item()) == pytest.approx(1.0, rel=1e-3)


def test_the_same_seed_gives_the_same_bits():
    state = random_state(GRID, VARIABLES)
    first = noise_response(Linear(np.linspace(1, 0, 9)), state, seed=3)
    second = noise_response(Linear(np.linspace(1, 0, 9)), state, seed=3)
    assert first.identical(second)
    assert not first.equals(noise_response(Linear(np.linspace(1, 0, 9)), state, seed=4))


@pytest.mark.parametrize("history", [1, 2])
@pytest.mark.parametrize("largest", [0.8, 1.3])
def test_the_leading_growth_is_the_largest_factor(largest, history):
    factors = np.full(9, 0.5)
    factors[3] = largest
    state = random_state(GRID, VARIABLES, batch=1, times=history)
    growth = leading_growth(Linear(factors, history), state)
    assert growth.item() == pytest.approx(largest, rel=0.01)


def test_what_cannot_be_asked_is_refused():
    state = random_state(GRID, VARIABLES)
    with pytest.raises(UserError, match=r"at least one step; found \[0\]"):
        noise_response(Linear(np.ones(9)), state, steps=(0,))
    with pytest.raises(UserError, match="at least three iterations; found 2"):
        leading_growth(Linear(np.ones(9)), state, iterations=2)
    narrow = PeriodicGrid(8, 2)
    with pytest.raises(UserError, match="rows of at least four cells; found 2"):
        noise_response(Linear(np.ones(9)), random_state(narrow, VARIABLES))
