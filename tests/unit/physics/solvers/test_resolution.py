"""The resolution number in closed form, both verdicts, and the refusal."""

import math

import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.physics.solvers.resolution import ADEQUATE, resolution

LENGTHS = (2 * math.pi, 2 * math.pi)


def wave(size=32):
    """ω = cos 3x: ⟨|∇ω|²⟩ = 9/2."""
    x = torch.arange(size, dtype=torch.float64) * (2 * math.pi / size)
    return torch.cos(3 * x).expand(size, size).clone()


def test_the_number_in_closed_form():
    viscosity = 0.01
    scale = (viscosity**3 / (viscosity * 4.5)) ** (1 / 6)
    assert resolution(wave(), LENGTHS, viscosity).number == pytest.approx(10 * scale)


def test_the_coarser_direction_counts():
    found = resolution(wave(), (2 * math.pi, math.pi), 0.01).number
    assert found == pytest.approx(10 * (0.01**3 / (0.01 * 4.5 * 4)) ** (1 / 6))


def test_an_adequate_grid_is_said_to_be_one():
    verdict = resolution(wave(), LENGTHS, 0.1)
    assert verdict.adequate
    assert verdict.message == (
        f"k_max η = {verdict.number:.2f} is at least 1.5: "
        "the 32 x 32 grid resolves the dissipation of enstrophy."
    )


def test_a_coarse_grid_is_told_what_would_do():
    verdict = resolution(wave(), LENGTHS, 0.004)
    assert not verdict.adequate
    assert "is below 1.5: the 32 x 32 grid is too coarse" in verdict.message
    finer = int(verdict.message.split("about ")[1].split()[0])
    assert resolution(wave(finer), LENGTHS, 0.004).number >= 0.95 * ADEQUATE


def test_a_field_at_rest_is_resolved():
    assert resolution(torch.zeros(8, 8), LENGTHS, 0.01).number == math.inf


def test_refuses_a_flow_without_viscosity():
    with pytest.raises(UserError, match=r"expected a positive viscosity, found 0\.0"):
        resolution(wave(), LENGTHS, 0.0)
