"""Kolmogorov flow: forcing, laminar solution, reproducibility, refusals."""

import math

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.physics import flow
from triton_earth.physics.solvers.kolmogorov import KolmogorovFlow

LENGTHS = (2 * math.pi, 2 * math.pi)
SMALL = {
    "viscosity": 0.02,
    "grid": 16,
    "simulation_grid": 32,
    "time_step": 0.02,
    "warm_up": 1.0,
    "snapshots": 3,
    "interval": 0.1,
}


def test_the_forcing_is_the_curl_of_a_sinusoidal_force():
    config = KolmogorovFlow(**SMALL, forcing_wavenumber=3, forcing_amplitude=2.0)
    y = torch.arange(32, dtype=torch.float64)[:, None] * (2 * math.pi / 32)
    force_x = (2 * torch.sin(3 * y)).expand(32, 32).clone()
    expected = flow.vorticity(force_x, torch.zeros_like(force_x), LENGTHS)
    torch.testing.assert_close(config.forcing(), expected)


def test_a_viscous_flow_becomes_laminar():
    config = KolmogorovFlow(**{**SMALL, "viscosity": 0.5, "warm_up": 20.0})
    field = config.trajectories([0])[0, -1]
    y = torch.arange(16)[:, None] * (2 * math.pi / 16)
    laminar = -4 * torch.cos(4 * y).expand(16, 16) / (0.5 * 16 + 0.1)
    torch.testing.assert_close(field, laminar, rtol=0, atol=1e-4)


def test_snapshot_times_start_after_the_warm_up():
    np.testing.assert_allclose(KolmogorovFlow(**SMALL).snapshot_times, [1.0, 1.1, 1.2])


def test_a_trajectory_depends_on_seed_plus_index_only():
    together = KolmogorovFlow(**SMALL, seed=4).trajectories([0, 2])
    alone = KolmogorovFlow(**SMALL, seed=6).trajectories([0])
    assert together.shape == (2, 3, 16, 16)
    torch.testing.assert_close(together[1], alone[0], rtol=0, atol=1e-5)
    assert not torch.allclose(together[0], together[1])


def test_resolution_is_judged():
    assert KolmogorovFlow(**SMALL).resolution().number > 0


@pytest.mark.slow
def test_the_default_grid_is_adequate():
    assert KolmogorovFlow(snapshots=1).resolution().adequate


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grid": 256}, "simulation_grid of at least grid = 256, found"),
        ({"forcing_wavenumber": 64}, "forcing_wavenumber .* below a third of simulation_grid"),
        ({"drag": -0.1}, "key 'drag': Input should be greater than or equal to 0, found -0.1"),
        ({"viscosity": 0}, "key 'viscosity': Input should be greater than 0, found 0"),
        ({"kind": "decaying_turbulence"}, "key 'kind'"),
    ],
)
def test_refuses_wrong_values(values, message):
    with pytest.raises(UserError, match=message):
        KolmogorovFlow.parse(values, "recipe.yaml")
