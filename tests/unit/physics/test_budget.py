"""The budgets of one wave in closed form."""

import math

import torch

from triton_earth.physics.budget import budget

LENGTHS = (2 * math.pi, 2 * math.pi)


def test_the_budget_of_one_wave():
    x = torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
    wave = torch.cos(2 * x).expand(16, 16)
    found = budget(3 * wave + 1, LENGTHS, viscosity=0.1, drag=0.5, forcing=5 * wave)
    expected = {
        "energy": 9 / 4 / 4,
        "energy_dissipation": 2 * 0.1 * 9 / 4,
        "energy_drag": 0.5 * 9 / 8,
        "energy_input": 3 / 4 * 5 / 2,
        "enstrophy": 9 / 4 + 1 / 2,
        "enstrophy_dissipation": 2 * 0.1 * 9,
        "enstrophy_drag": 9 / 4 + 1 / 2,
        "enstrophy_input": 3 * 5 / 2,
    }
    for name, value in expected.items():
        assert math.isclose(getattr(found, name).item(), value, rel_tol=1e-12), name


def test_without_forcing_there_is_no_input():
    found = budget(torch.randn(3, 8, 8), LENGTHS, viscosity=0.1)
    assert not found.energy_input.any()
    assert not found.enstrophy_input.any()
    assert not found.energy_drag.any()
    assert not found.enstrophy_drag.any()
