import numpy as np
import pytest

from tests.builders import advected_wave
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.linear_inverse import fit_linear_inverse
from triton_earth.rollout.rollout import rollout


@pytest.fixture(scope="module")
def whole_turns(tmp_path_factory):
    """Waves over one period, so that their mean is zero everywhere: two rotating pairs of patterns, nothing else."""
    path = tmp_path_factory.mktemp("turns") / "waves.zarr"
    grid, times = PeriodicGrid(8, 8), np.arange(40) * (2 * np.pi / 40)
    splits = ("train",) * 6 + ("test",)
    create_store(
        path,
        variables=Variables((VORTICITY,)),
        grid=grid,
        times=times,
        splits=list(splits),
        provenance={},
    )
    hashes = [
        write_trajectory(path, number, advected_wave(grid, times, float(number)))
        for number in range(len(splits))
    ]
    finish_store(path, hashes)
    return TrainingStore.open(path)


def test_linear_dynamics_of_a_few_patterns_are_found_exactly(whole_turns):
    model = fit_linear_inverse(whole_turns, modes=4)
    values = np.linalg.eigvals(model.patterns.propagator)
    turn = np.exp(1j * 2 * np.pi / 40)
    expected = [turn.conj(), turn.conj(), turn, turn]
    np.testing.assert_allclose(values[np.argsort(values.imag)], expected, atol=1e-4)
    fields = whole_turns.read(6, slice(0, 12))
    for step in (1, 5, 11):
        found = model.at(fields[:1], whole_turns.times[:1], step)
        np.testing.assert_allclose(found[0], fields[step], atol=2e-3)


def test_patterns_are_orthonormal_and_no_forecast_grows(weather):
    model = fit_linear_inverse(weather, modes=5)
    products = np.einsum("mcyx,ncyx->mn", model.patterns.shapes, model.patterns.weights)
    np.testing.assert_allclose(products, np.eye(5), atol=1e-5)
    assert np.abs(np.linalg.eigvals(model.patterns.propagator)).max() <= 1 + 1e-9


def test_cells_without_a_value_stay_so_and_a_rollout_is_the_direct_forecast(weather):
    model = fit_linear_inverse(weather, modes=3)
    names = model.variables.names
    assert names == ["temperature"]
    fields = weather.read(4, slice(0, 1))
    window = weather.as_state(fields[None], weather.times[None, :1]).select(names)
    states = list(rollout(model, window, None, 3))
    direct = model.at(fields[:, weather.variables.indices(names)], weather.times[:1], 3)
    found = states[-1].data[0, 0].numpy()
    np.testing.assert_allclose(found, direct[0], rtol=1e-4)
    assert np.isnan(found).tolist() == (~weather.valid_mask[[0]]).tolist()


def test_too_few_states_are_refused(waves):
    with pytest.raises(
        UserError, match=r"40 patterns need more than 40 states .* found 36\. Take few"
    ):
        fit_linear_inverse(waves, modes=40)
