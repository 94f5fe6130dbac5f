"""The gyre solver: inversion, budgets, conservation, order in time and space, Rossby waves of a basin, refusals."""

import itertools
import math

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.physics.solvers.quasi_geostrophic import QuasiGeostrophic
from triton_earth.physics.solvers.stratification import Stratification

LAYERS = Stratification((400.0, 1100.0, 2600.0), (0.025, 0.0125), 9.4e-5)
DAY = 86400.0


def solver(shape=(16, 24), spacing=20e3, beta=1.75e-11, dtype=torch.float64, **more):
    return QuasiGeostrophic(shape, spacing, LAYERS, beta=beta, dtype=dtype, **more)


def wind(shape, spacing=20e3):
    y = torch.arange(shape[0] + 1, dtype=torch.float64)[:, None] / shape[0]
    return (-8e-5 * 2 * math.pi / (shape[0] * spacing) * torch.sin(2 * math.pi * y)).expand(
        shape[0] + 1, shape[1] + 1
    )


def eddies(equation, speed=0.5, seed=0, batch=()):
    """A random smooth flow of up to about `speed`, with the volume of its layers right."""
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch, 3, equation.shape[0] - 1, equation.shape[1] - 1)
    q = torch.randn(shape, generator=generator, dtype=torch.float64)
    psi = equation.invert(q.to(equation.dtype))
    fastest = psi.diff(dim=-1).abs().max() / equation.spacing
    return psi * (speed / fastest)


def test_inversion_solves_the_equation_with_walls_and_volumes():
    # All points are unknowns of one dense system: q inside, one number along each wall, no volume.
    equation = solver((5, 7))
    rows, columns = 6, 8
    points = rows * columns
    inner = [j * columns + i for j in range(1, 5) for i in range(1, 7)]
    wall = sorted(set(range(points)) - set(inner))
    q = np.random.default_rng(0).standard_normal((3, len(inner)))
    matrix, right = [], []
    share = np.ones((rows, columns))
    share[[0, -1]] *= 0.5
    share[:, [0, -1]] *= 0.5
    for layer in range(3):
        for number, point in enumerate(inner):
            line = np.zeros((3, points))
            for neighbour in (point - 1, point + 1, point - columns, point + columns):
                line[layer, neighbour] += 1 / 20e3**2
            line[layer, point] -= 4 / 20e3**2
            line[:, point] -= LAYERS.stretching[layer]
            matrix.append(line.ravel())
            right.append(q[layer, number])
        for point in wall[1:]:
            line = np.zeros((3, points))
            line[layer, wall[0]], line[layer, point] = 1, -1
            matrix.append(line.ravel())
            right.append(0.0)
        line = np.zeros((3, points))
        line[layer] = share.ravel()
        matrix.append(line.ravel())
        right.append(0.0)
    expected = np.linalg.solve(np.array(matrix), np.array(right)).reshape(3, rows, columns)
    psi = equation.invert(torch.from_numpy(q).reshape(3, 4, 6))
    assert np.allclose(psi.numpy(), expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    again = equation.potential_vorticity(psi)
    assert torch.allclose(again, torch.from_numpy(q).reshape(3, 4, 6), atol=1e-12)


def test_the_energy_budget_closes():
    # Energy is quadratic in q, so the centred difference is its exact derivative.
    shape = (20, 20)
    equation = solver(shape, drag=1e-6, viscosity=1e11, wind_curl=wind(shape))
    psi = eddies(equation, batch=(2,))
    q = equation.potential_vorticity(psi)
    change = equation.tendency(q) * 100.0
    after, before = (equation.budget(equation.invert(q + sign * change)) for sign in (1, -1))
    terms = equation.budget(psi)
    assert torch.all(terms.drag > 0)
    assert torch.all(terms.dissipation > 0)
    assert terms.input.shape == (2,)
    assert torch.allclose((after.energy - before.energy) / 200, terms.tendency, rtol=1e-8)
    assert torch.allclose(terms.tendency, terms.input - terms.drag - terms.dissipation)


def test_wind_alone_moves_the_energy_by_its_work():
    shape = (20, 20)
    equation = solver(shape, wind_curl=wind(shape))
    states = list(
        equation.integrate(torch.zeros(3, 21, 21), [DAY * day for day in range(11)], 14400.0)
    )
    terms = [equation.budget(psi) for psi in states]
    work = sum((a.input + b.input) / 2 * DAY for a, b in itertools.pairwise(terms))
    gained = terms[-1].energy - terms[0].energy
    assert float(gained) > 0
    assert float(gained) == pytest.approx(float(work), rel=1e-3)


def test_energy_is_conserved_without_wind_drag_and_viscosity():
    equation = solver()
    psi = eddies(equation)
    q = equation.potential_vorticity(psi)
    change = equation.tendency(q) * 100.0
    after, before = (equation.budget(equation.invert(q + sign * change)) for sign in (1, -1))
    energy = float(equation.budget(psi).energy)
    assert abs(float(after.energy - before.energy)) / 200 * DAY < 1e-11 * energy
    *_, last = equation.integrate(psi, [5 * DAY], 3600.0)
    assert float(equation.budget(last).energy) == pytest.approx(energy, rel=1e-6)


def test_every_layer_keeps_its_volume():
    equation = solver(wind_curl=wind((16, 24)))
    *_, psi = equation.integrate(eddies(equation), [2 * DAY], 7200.0)
    corners = torch.ones(17, 25, dtype=torch.float64)
    corners[[0, -1]] *= 0.5
    corners[:, [0, -1]] *= 0.5
    assert torch.all((psi * corners).sum((-2, -1)).abs() < 1e-9 * psi.abs().sum((-2, -1)))
    assert torch.all(psi[:, 0] == psi[:, :1, 0])


def test_time_stepping_is_of_fourth_order():
    shape = (16, 16)
    equation = solver(shape, drag=1e-7, viscosity=1e11, wind_curl=wind(shape))
    psi = eddies(equation, speed=1.0)
    exact, *coarse = (
        list(equation.integrate(psi, [DAY], step))[-1] for step in (1350.0, 14400.0, 7200.0, 3600.0)
    )
    errors = [float((flow - exact).norm() / exact.norm()) for flow in coarse]
    orders = [math.log2(long / short) for long, short in itertools.pairwise(errors)]
    assert orders == pytest.approx([4, 4], abs=0.3)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_rossby_waves_of_the_basin_have_their_period(mode):
    # ψ = cos(βx/2ω + ωt) sin(πx/L) sin(2πy/L),  ω = β / 2√(k² + l² + λ); Pedlosky (1987), section 3.25. The flow is
    # antisymmetric in y, so that no volume is displaced and ψ stays zero on the walls.
    errors = []
    for n in (24, 48):
        length = 600e3
        equation = solver((n, n), spacing=length / n)
        k, meridional = math.pi / length, 2 * math.pi / length
        omega = 1.75e-11 / 2 / math.sqrt(k**2 + meridional**2 + LAYERS.eigenvalues[mode])
        axis = torch.arange(n + 1, dtype=torch.float64) * (length / n)
        shape = torch.sin(k * axis) * torch.sin(meridional * axis)[:, None]
        profile = (
            torch.from_numpy(LAYERS.to_layers[:, mode])[:, None, None]
            / abs(LAYERS.to_layers[:, mode]).max()
        )

        def wave(time, axis=axis, shape=shape, omega=omega, profile=profile):
            return 0.01 * profile * shape * torch.cos(1.75e-11 / (2 * omega) * axis + omega * time)

        period = 2 * math.pi / omega
        *_, psi = equation.integrate(wave(0.0), [period / 4], period / 120)
        errors.append(float((psi - wave(period / 4)).norm() / wave(0.0).norm()))
    assert errors[1] < 0.1
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)


def test_an_even_basin_keeps_an_antisymmetric_flow():
    shape = (16, 16)
    equation = solver(shape, drag=1e-7, viscosity=1e11, wind_curl=wind(shape))
    *_, psi = equation.integrate(torch.zeros(3, 17, 17), [20 * DAY], 21600.0)
    assert float(psi.abs().max()) > 300
    assert torch.allclose(psi, -psi.flip(-2), atol=1e-8 * float(psi.abs().max()))


def test_members_do_not_depend_on_each_other():
    equation = solver(wind_curl=wind((16, 24)))
    psi = eddies(equation, batch=(3,))
    *_, together = equation.integrate(psi, [2 * DAY], 7200.0)
    *_, alone = equation.integrate(psi[1], [2 * DAY], 7200.0)
    assert torch.allclose(together[1], alone, rtol=1e-10, atol=1e-6)


def test_single_precision_follows_double():
    single = solver(dtype=torch.float32, viscosity=1e11)
    double = solver(viscosity=1e11)
    psi = eddies(double)
    *_, a = single.integrate(psi, [2 * DAY], 7200.0)
    *_, b = double.integrate(psi, [2 * DAY], 7200.0)
    assert a.dtype == torch.float32
    assert float((a - b).norm() / b.norm()) < 1e-4


def test_uneven_times_are_met():
    equation = solver()
    psi = eddies(equation)
    (first, middle, last) = equation.integrate(psi, [0.0, 5000.0, 3 * 3600.0], 3600.0)
    assert torch.allclose(first, psi, atol=1e-6)
    *_, straight = equation.integrate(psi, [3 * 3600.0], 3600.0)
    assert float((middle - first).norm()) > 0
    assert float((last - straight).norm() / straight.norm()) < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (3, 8)}, r"at least 4 x 4 cells and a positive spacing, found \(3, 8\)"),
        ({"spacing": 0.0}, r"positive spacing"),
        ({"drag": -1.0}, r"drag and viscosity of at least 0, found -1\.0"),
        ({"viscosity": math.nan}, r"drag and viscosity of at least 0"),
        ({"dtype": torch.float16}, r"expected float32 or float64, found torch.float16"),
        ({"wind_curl": torch.zeros(16, 24)}, r"curl of the wind at \(17, 25\) points, found \(16, 24\)"),
    ],
)  # fmt: skip
def test_wrong_equations_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        solver(**change)


@pytest.mark.parametrize(
    ("times", "step", "message"),
    [
        ([1.0], 0.0, r"expected a positive time step, found 0"),
        ([2.0, 1.0], 1.0, r"increase from 0, found 1\.0 after 2\.0. Sort them"),
        ([math.inf], 1.0, r"found inf after 0"),
        ([10 * DAY], 5 * DAY, r"time step 4\.32e\+05 is unstable at time 0.*Set time_step to"),
    ],
)
def test_wrong_times_are_refused(times, step, message):
    equation = solver()
    with pytest.raises(UserError, match=message):
        list(equation.integrate(eddies(equation), times, step))


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(UserError, match=r"\[layer, y, x\] of \(3, 17, 25\), found \(2, 17, 25\)"):
        next(solver().integrate(torch.zeros(2, 17, 25), [1.0], 1.0))


def test_values_that_are_not_finite_are_refused():
    psi = torch.zeros(3, 17, 25)
    psi[0, 3, 3] = math.nan
    with pytest.raises(UserError, match=r"expected a finite flow, found NaN or infinity at time 0"):
        list(solver().integrate(psi, [DAY], 3600.0))
