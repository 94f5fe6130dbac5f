"""Arakawa's Jacobian: its order, and what it conserves."""

import itertools
import math

import pytest
import torch

from triton_earth.physics.solvers.arakawa import jacobian


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_linear_fields_are_exact():
    y, x = torch.meshgrid(*2 * (torch.arange(6, dtype=torch.float64) * 0.5,), indexing="ij")
    assert torch.allclose(jacobian(2 * x + 3 * y, 5 * x - 7 * y, 0.5), torch.tensor(-29.0).double())


def test_it_is_of_second_order():
    errors = []
    for n in (32, 64, 128):
        axis = torch.arange(n + 1, dtype=torch.float64) * (math.pi / n)
        y, x = axis[:, None], axis
        psi, q = torch.sin(x) * torch.sin(2 * y), torch.cos(3 * x) * torch.sin(y)
        exact = torch.cos(x) * torch.sin(2 * y) * torch.cos(3 * x) * torch.cos(y)
        exact = exact + 2 * torch.sin(x) * torch.cos(2 * y) * 3 * torch.sin(3 * x) * torch.sin(y)
        errors.append(float((jacobian(psi, q, math.pi / n) - exact[1:-1, 1:-1]).abs().max()))
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert orders == pytest.approx([2, 2], abs=0.1)


def test_energy_is_conserved_whatever_is_advected():
    psi = torch.nn.functional.pad(random(3, 9, 14), (1, 1, 1, 1)) + random(3, 1, 1, seed=1)
    q = random(3, 11, 16, seed=2)
    change = (psi - psi[:, :1, :1])[:, 1:-1, 1:-1] * jacobian(psi, q, 2.0)
    assert torch.all(change.sum((-2, -1)).abs() < 1e-13 * change.abs().sum((-2, -1)))


def test_enstrophy_is_conserved_where_nothing_moves_at_the_border():
    psi = torch.nn.functional.pad(random(3, 8, 12), (2, 2, 2, 2))
    q = random(3, 12, 16, seed=2)
    change = q[:, 1:-1, 1:-1] * jacobian(psi, q, 2.0)
    assert torch.all(change.sum((-2, -1)).abs() < 1e-13 * change.abs().sum((-2, -1)))
    total = jacobian(psi, q, 2.0)
    assert torch.all(total.sum((-2, -1)).abs() < 1e-13 * total.abs().sum((-2, -1)))


def test_a_field_does_not_advect_itself():
    psi = random(7, 7)
    assert torch.allclose(jacobian(psi, psi, 1.0), torch.zeros(5, 5).double(), atol=1e-15)
    q = random(7, 7, seed=1)
    assert torch.allclose(jacobian(psi, q, 1.0), -jacobian(q, psi, 1.0), atol=1e-14)
