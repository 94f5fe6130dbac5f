"""Decaying turbulence: the published set-up, reproducibility, physics of the decay, refusals."""

import math

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.physics import flow
from triton_earth.physics.solvers.mcwilliams import DecayingTurbulence
from triton_earth.physics.spectral import resample

LENGTHS = (2 * math.pi, 2 * math.pi)
SMALL = {
    "reynolds": 200.0,
    "grid": 24,
    "simulation_grid": 48,
    "time_step": 0.02,
    "warm_up": 0.2,
    "snapshots": 4,
    "interval": 0.1,
}


def test_the_defaults_are_the_published_ones():
    config = DecayingTurbulence()
    assert config.kind == "decaying_turbulence"
    assert config.viscosity == 2e-4
    assert config.length == 2 * math.pi
    assert config.seed == 1127825
    times = config.snapshot_times
    assert times.dtype == np.float64
    assert len(times) == 100
    assert times[0] == 4.5005
    np.testing.assert_allclose(times, 4.5005 + 0.055 * np.arange(100), rtol=0, atol=1e-12)


def test_the_start_has_the_energy_of_the_published_data():
    start = DecayingTurbulence(**SMALL).initial_vorticity([0, 1])
    torch.testing.assert_close(
        flow.kinetic_energy(start, LENGTHS), torch.full((2,), 0.25, dtype=torch.float64)
    )
    assert start.mean((-2, -1)).abs().max() < 1e-12


def test_a_trajectory_depends_on_seed_plus_index_only():
    config = DecayingTurbulence(**SMALL, seed=10)
    together = config.trajectories([0, 3, 5])
    alone = DecayingTurbulence(**SMALL, seed=13).trajectories([0])
    assert together.shape == (3, 4, 24, 24)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together[1], alone[0], rtol=0, atol=1e-5)
    assert not torch.allclose(together[0], together[1])


def test_snapshots_are_the_truncated_simulation_at_their_times():
    config = DecayingTurbulence(**SMALL, precision="float64")
    fields = list(
        config.solver().integrate(
            config.initial_vorticity([2])[0], config.snapshot_times, config.time_step
        )
    )
    expected = resample(torch.stack(fields), (24, 24)).float()
    torch.testing.assert_close(config.trajectories([2])[0], expected)


def test_energy_and_enstrophy_decay():
    fields = DecayingTurbulence(**SMALL).trajectories([0, 1])
    for quantity in (flow.kinetic_energy(fields, LENGTHS), flow.enstrophy(fields)):
        assert (quantity.diff(dim=-1) < 0).all()


def test_precisions_agree():
    single, double = (
        DecayingTurbulence(**SMALL, precision=precision).trajectories([0])
        for precision in ("float32", "float64")
    )
    torch.testing.assert_close(single, double, rtol=0, atol=1e-4)


def test_resolution_is_the_worst_of_the_trajectory():
    coarse = DecayingTurbulence(**SMALL).resolution()
    fine = DecayingTurbulence(**{**SMALL, "simulation_grid": 96, "time_step": 0.01}).resolution()
    assert coarse.number < fine.number
    assert fine.adequate
    start = DecayingTurbulence(**{**SMALL, "reynolds": 5000.0}).resolution()
    assert not start.adequate
    assert "48 x 48 grid is too coarse" in start.message


@pytest.mark.slow
def test_the_default_step_is_short_enough():
    config = {"snapshots": 1, "precision": "float64"}
    coarse, fine = (
        DecayingTurbulence(**config, time_step=step).trajectories([0]) for step in (5e-3, 2.5e-3)
    )
    assert (coarse - fine).norm() < 1e-3 * fine.norm()


@pytest.mark.slow
def test_the_default_grid_is_adequate():
    assert DecayingTurbulence().resolution().adequate


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"simulation_grid": 64}, "simulation_grid of at least grid = 128, found 64"),
        ({"reynolds": -1}, "key 'reynolds': Input should be greater than 0, found -1"),
        ({"time_step": float("inf")}, "key 'time_step': Input should be a finite number"),
        ({"snapshots": 0}, "key 'snapshots': Input should be greater than or equal to 1"),
        ({"precision": "float16"}, "key 'precision': .* found 'float16'"),
        ({"kind": "kolmogorov_flow"}, "key 'kind'"),
        ({"reynold": 100}, r"unknown key 'reynold'; did you mean 'reynolds'\?"),
    ],
)
def test_refuses_wrong_values(values, message):
    with pytest.raises(UserError, match=message):
        DecayingTurbulence.parse(values, "recipe.yaml")


@pytest.mark.parametrize("indices", [[], [0, -1]])
def test_refuses_wrong_trajectory_numbers(indices):
    with pytest.raises(UserError, match="at least one trajectory number, from 0 on, found"):
        DecayingTurbulence(**SMALL).trajectories(indices)
