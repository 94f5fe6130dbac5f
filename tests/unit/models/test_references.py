"""Reference forecasts by name: what each forecasts, in steps of the forecast, and every reason why there is none."""

import numpy as np
import pytest

from tests.builders import advected_wave, wave_store, weather_store
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.references import REFERENCES, References, reference_forecaster
from triton_earth.rollout.rollout import rollout


def fitted(store, name, *, times=1, steps=6):
    return References(store, store.variables, times * store.time_step, steps).fit(name)


@pytest.fixture(scope="module")
def initial(waves):
    return waves.read(4, slice(0, 1))


@pytest.mark.parametrize("times", [1, 2])
def test_waves_that_turn_by_an_angle_in_a_step_are_damped_by_its_cosine(tmp_path, times):
    grid, axis, path = PeriodicGrid(8, 8), 0.4 * np.arange(12), tmp_path / "waves.zarr"
    create_store(
        path,
        variables=Variables((VORTICITY,)),
        grid=grid,
        times=axis,
        splits=["train"] * 3,
        provenance={},
    )
    fields = [advected_wave(grid, axis, float(number)) for number in range(3)]
    finish_store(path, [write_trajectory(path, *pair) for pair in enumerate(fields)])
    linear = fitted(TrainingStore.open(path), "damped_linear", times=times)
    for step in (1, 3):
        found = linear.at(fields[0][:1], axis[:1], step)
        expected = np.cos(0.4) ** (times * step) * fields[0][:1]
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["linear_inverse", "damped_linear", "damped_persistence"])
def test_a_step_of_two_is_two_steps_of_one(waves, initial, name):
    when = waves.times[:1]
    found = fitted(waves, name, times=2, steps=3).at(initial, when, 3)
    expected = fitted(waves, name).at(initial, when, 6)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    again = fitted(waves, name).at(initial, when, 6)
    assert np.array_equal(again, expected)


@pytest.mark.parametrize("name", REFERENCES)
def test_a_rollout_is_the_forecast_from_the_initial_state(waves, initial, name):
    forecaster = reference_forecaster(name, waves, 5)
    states = list(rollout(forecaster, waves.windows([4], [0], 1), None, 5))
    direct = fitted(waves, name)
    for step in (1, 5):
        expected = direct.at(initial, waves.times[:1], step)
        np.testing.assert_allclose(states[step - 1].data[0], expected, atol=1e-5)
    assert len({forecaster.name for forecaster in [direct, forecaster]}) == 1


def test_there_are_no_more_patterns_than_values(tmp_path):
    store = wave_store(tmp_path / "w.zarr", cells=4)
    assert fitted(store, "linear_inverse").patterns.propagator.shape == (16, 16)


def test_unknown_names_are_refused(waves):
    with pytest.raises(
        UserError, match=r"'linear_invers' is no .* did you mean 'linear_inverse'\?"
    ):
        fitted(waves, "linear_invers")


def test_all_but_persistence_need_a_training_split(tmp_path):
    store = wave_store(tmp_path / "w.zarr", splits=("test", "test"))
    fields = store.read(0, slice(0, 1))
    assert np.array_equal(fitted(store, "persistence").at(fields, store.times[:1], 3), fields)
    for name in list(REFERENCES)[1:]:
        with pytest.raises(UserError, match=rf"{name}: expected a store with a training split .*"):
            fitted(store, name)


def test_cells_without_values_have_no_waves(weather):
    names = weather.variables.select(["temperature"])
    with pytest.raises(UserError, match=r"found undefined cells\. Take damped_persistence"):
        References(weather, names, weather.time_step, 2).fit("damped_linear")


def test_a_region_has_no_waves(tmp_path):
    grid = LatLonGrid((10.0, 20.0), (0.0, 10.0, 20.0))
    times = np.datetime64("2000-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D")
    path = tmp_path / "region.zarr"
    create_store(
        path,
        variables=Variables((Variable("temperature", "K"),)),
        grid=grid,
        times=times,
        splits=["train"],
        provenance={},
    )
    finish_store(path, [write_trajectory(path, 0, np.ones((4, 1, 2, 3), np.float32))])
    with pytest.raises(UserError, match=r"found the grid latitude-longitude 2 x 3"):
        fitted(TrainingStore.open(path), "damped_linear")


def test_too_few_states_are_refused(tmp_path):
    store = wave_store(tmp_path / "w.zarr", times=5)
    with pytest.raises(UserError, match=r"20 patterns need more than 20 states .* found 15"):
        fitted(store, "linear_inverse")
    with pytest.raises(UserError, match=r"needs at least 30 pairs .* found 12\. Prepare more"):
        fitted(store, "damped_linear")


@pytest.mark.parametrize("name", ["linear_inverse", "damped_linear"])
def test_steps_that_do_not_fit_are_refused(waves, name):
    with pytest.raises(UserError, match=rf"{name}: .* steps of 0.1, of which .* 0.15 is no mult"):
        fitted(waves, name, times=1.5)


def test_forcings_are_not_forecast(tmp_path):
    store = weather_store(tmp_path / "w.zarr")
    assert reference_forecaster("climatology", store, 2).variables.names == ["temperature"]
