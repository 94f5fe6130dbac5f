"""The double gyre: its shipped states, its trajectories, and its jet beside that of another model."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.grid import ClosedGrid
from triton_earth.data.simulated import double_gyre
from triton_earth.data.simulated.double_gyre import (
    DAY,
    LAYERS,
    LENGTH,
    DoubleGyre,
    spun_up_states,
    streamfunction,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "double_gyre"
TO_HEIGHT = LAYERS.coriolis / LAYERS.gravity


def module(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


jet_statistics = module(GOLDEN / "jet_statistics.py").jet_statistics
reference = json.loads((GOLDEN / "statistics.json").read_text())


def small(**changes):
    return DoubleGyre(**{"grid": 16, "simulation_grid": 32, "snapshots": 3, **changes})


def test_the_shipped_states_are_small_and_say_what_they_are():
    path = Path(double_gyre.__file__).parents[1] / "embedded" / double_gyre.STATES
    assert path.stat().st_size < 4e5
    with np.load(path, allow_pickle=False) as file:
        assert np.all(np.diff(file["day"]) == double_gyre.STATES_APART)
        assert file["day"][0] >= 3600
        assert str(file["source"]).startswith("MODEL OUTPUT, not observations")
        assert "Apache-2.0" in str(file["license"])


def test_the_shipped_states_are_in_balance():
    gyre = DoubleGyre()
    solver = gyre.solver()
    flow = torch.stack([gyre.initial_streamfunction(index) for index in range(12)])
    terms = solver.budget(flow)
    work, loss = terms.input, terms.drag + terms.dissipation
    assert float(work.mean()) == pytest.approx(float(loss.mean()), rel=0.1)
    assert 0.02 < float(terms.energy.min()) < float(terms.energy.max()) < 0.1


def test_the_shipped_jet_has_the_statistics_of_another_model():
    heights = torch.stack([DoubleGyre().initial_streamfunction(index)[0] for index in range(12)])
    found = jet_statistics((heights * TO_HEIGHT).numpy(), LENGTH / 128, LAYERS.coriolis)
    for name in ("highest", "lowest", "largest_speed", "std_of_mean"):
        assert found[name] == pytest.approx(reference[name], rel=0.25), name
    assert found["row_of_largest_std"] == pytest.approx(reference["row_of_largest_std"], abs=0.1)


@pytest.mark.slow
def test_the_jet_changes_as_fast_as_that_of_another_model():
    gyre = DoubleGyre(snapshots=180, outputs=("sea_surface_height",))
    found = jet_statistics(
        gyre.fields([0])[0, :, 0].double().numpy(), LENGTH / 128, LAYERS.coriolis
    )
    # The other basin is half as long again, so that less of it is jet: a factor of two.
    for name in ("std_of_eddies", "std_in_jet", "largest_std"):
        assert 0.5 < found[name] / reference[name] < 2, name
    for lag, expected in reference["autocorrelation"].items():
        assert found["autocorrelation"][lag] == pytest.approx(expected, abs=0.25), lag


def test_outputs_are_geostrophic_and_averaged_over_cells():
    gyre = DoubleGyre(snapshots=1, grid=128)
    height, u, v = gyre.fields([2])[0, 0].double()
    spacing = LENGTH / 128
    slope_y = (height[2:] - height[:-2]) / (2 * spacing)
    slope_x = (height[:, 2:] - height[:, :-2]) / (2 * spacing)
    for speed, slope, sign in ((u[1:-1], slope_y, -1), (v[:, 1:-1], slope_x, 1)):
        expected = sign * slope / TO_HEIGHT
        assert float((speed - expected).abs().mean()) < 0.1 * float(expected.abs().mean())
    coarse = DoubleGyre(snapshots=1, grid=32).fields([2])[0, 0].double()
    averaged = (
        torch.stack([height, u, v]).unflatten(-1, (32, 4)).unflatten(-3, (32, 4)).mean((-1, -3))
    )
    assert torch.allclose(coarse, averaged, atol=1e-6)
    assert abs(float(height.mean())) < 1e-3


def test_a_trajectory_depends_on_its_number_alone():
    gyre = small(warm_up=2.0)
    together = gyre.fields([0, 13, 1])
    assert together.shape == (3, 3, 3, 16, 16)
    assert torch.equal(together[1:2], gyre.fields([13]))
    assert not torch.equal(together[0], together[2])
    assert not torch.equal(gyre.fields([13]), small(warm_up=2.0, seed=1).fields([13]))
    assert torch.equal(gyre.fields([0]), small(warm_up=5.0, seed=1).fields([0]))


def test_trajectories_beyond_the_states_start_beside_one():
    gyre = DoubleGyre()
    beside = gyre.initial_streamfunction(12)[0] - gyre.initial_streamfunction(0)[0]
    assert 2e-3 < float(beside.std() * TO_HEIGHT) < 0.1


def test_the_flow_has_the_vorticity_it_was_made_from():
    vorticity = torch.zeros(1, 84, 84, dtype=torch.float64)
    vorticity[0, 2, 3] = 1e-5
    psi = streamfunction(vorticity, 64)[0]
    squares = (3**2 + 4**2) * (torch.pi / LENGTH) ** 2
    x = torch.arange(65, dtype=torch.float64) * (torch.pi / 64)
    wave = -1e-5 / squares * torch.sin(3 * x)[:, None] * torch.sin(4 * x)
    assert torch.allclose(psi - psi[0, 0], wave, atol=1e-6 * float(wave.abs().max()))


def test_what_the_store_is_told():
    gyre = DoubleGyre(grid=64)
    assert gyre.stored_grid == ClosedGrid(64, 64, LENGTH, LENGTH)
    assert gyre.stored_grid.x[0] == LENGTH / 128
    assert gyre.stored_grid.padding == ("zero", "zero")
    assert [variable.units for variable in gyre.variables] == ["m", "m s-1", "m s-1"]
    assert (gyre.snapshot_times[-1], gyre.time_units) == (119, "d")
    assert gyre.remarks()["source"].startswith("MODEL OUTPUT, not observations")
    assert float(gyre.wind_curl().abs().max()) == pytest.approx(
        2 * np.pi * 0.08 / (1000 * LENGTH), rel=1e-3
    )
    assert len(spun_up_states()) == 12
    assert gyre.time_step * 10 == DAY


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": 48}, r"a grid that divides simulation_grid = 128, found 48"),
        ({"snapshots": 241}, r"at most 240 days, found 241; a longer trajectory would repeat"),
        ({"outputs": ["salinity"]}, r"sea_surface_height"),
        ({"outputs": []}, r"outputs"),
    ],
)
def test_wrong_configurations_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        DoubleGyre.parse(changes, "recipe")


def test_a_negative_number_is_refused():
    with pytest.raises(UserError, match=r"trajectory numbers from 0 on, found -1"):
        DoubleGyre().initial_streamfunction(-1)
