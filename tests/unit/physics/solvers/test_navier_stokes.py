"""The solver against closed forms, against two other implementations, and against its own budgets."""

import math

import numpy as np
import pytest
import scipy.integrate
import torch

from triton_earth.core.errors import UserError
from triton_earth.physics import flow
from triton_earth.physics.solvers.initial_conditions import mcwilliams_vorticity
from triton_earth.physics.solvers.navier_stokes import NavierStokes
from triton_earth.physics.solvers.time_stepping import IntegratingFactorRK4, LowStorageCrankNicolson
from triton_earth.physics.spectral import dealiasing_mask, resample

LENGTHS = (2 * math.pi, 2 * math.pi)
STEPPERS = [IntegratingFactorRK4, LowStorageCrankNicolson]


def last(fields):
    *_, final = fields
    return final


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


def smooth(size, seed=0):
    """Few large waves, so that a small grid resolves them."""
    return resample(mcwilliams_vorticity(seed, 12, peak_wavenumber=2.0), (size, size))


def truncated(field):
    mask = dealiasing_mask(tuple(field.shape[-2:]))
    return torch.fft.irfft2(torch.fft.rfft2(field) * mask, s=field.shape[-2:])


# Closed forms


@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 2e-5)])
def test_taylor_green_vortices_decay_exponentially(stepper, dtype, tolerance):
    x = torch.arange(32, dtype=torch.float64) * (2 * math.pi / 32)
    start = 2 * torch.cos(x)[:, None] * torch.cos(x)[None, :]
    solver = NavierStokes((32, 32), 0.05, dtype=dtype)
    found = last(solver.integrate(start, [5.0], 0.02, stepper)).double()
    assert relative(found, start * math.exp(-2 * 0.05 * 5)) <= tolerance


def test_the_integrating_factor_decays_taylor_green_to_rounding():
    x = torch.arange(32, dtype=torch.float64) * (2 * math.pi / 32)
    start = 2 * torch.cos(x)[:, None] * torch.cos(x)[None, :]
    solver = NavierStokes((32, 32), 0.05, drag=0.1, dtype=torch.float64)
    found = last(solver.integrate(start, [5.0], 0.02))
    assert relative(found, start * math.exp(-(2 * 0.05 + 0.1) * 5)) <= 1e-12


def test_a_shear_flow_reaches_the_balance_of_forcing_and_friction():
    y = torch.arange(16, dtype=torch.float64)[:, None] * (2 * math.pi / 16)
    wave = torch.cos(3 * y).expand(16, 15).clone()
    solver = NavierStokes((16, 15), 0.5, drag=0.5, forcing=2 * wave, dtype=torch.float64)
    found = last(solver.integrate(torch.zeros(16, 15), [10.0], 0.01))
    torch.testing.assert_close(found, wave * 2 / (0.5 * 9 + 0.5), rtol=0, atol=1e-9)


def test_a_box_of_another_shape_is_the_same_flow_scaled():
    # Lengths × s at equal speeds: ω / s, times × s, ν × s.
    start, scale = smooth(24), 3.0
    plain = NavierStokes((24, 24), 0.01, dtype=torch.float64)
    wide = NavierStokes(
        (24, 24), 0.01 * scale, lengths=(2 * math.pi * scale,) * 2, dtype=torch.float64
    )
    expected = last(plain.integrate(start, [0.5], 0.01))
    found = last(wide.integrate(start / scale, [0.5 * scale], 0.01 * scale))
    torch.testing.assert_close(found * scale, expected, rtol=0, atol=1e-12)


# Other implementations


@pytest.mark.parametrize("shape", [(32, 32), (30, 36)])
def test_agrees_with_the_advective_form_in_numpy(shape):
    viscosity, drag = 0.05, 0.1
    ny, nx = shape
    start = resample(smooth(24), shape)
    forcing = np.broadcast_to(
        -4 * np.cos(4 * np.arange(ny) * 2 * np.pi / ny)[:, None], shape
    ).copy()
    ky = np.fft.fftfreq(ny, 1 / ny)[:, None]
    kx = np.fft.fftfreq(nx, 1 / nx)[None, :]
    squared = np.where(ky**2 + kx**2 == 0, 1, ky**2 + kx**2)
    kept = (np.abs(ky) < ny / 3) & (np.abs(kx) < nx / 3)

    def field(waves):
        return np.fft.ifft2(waves).real

    def tendency(_, flat):
        waves = np.fft.fft2(flat.reshape(shape)) * kept
        psi = waves / squared
        u, v = field(1j * ky * psi), field(-1j * kx * psi)
        advection = u * field(1j * kx * waves) + v * field(1j * ky * waves)
        linear = -(viscosity * (ky**2 + kx**2) + drag) * waves
        return field(kept * (np.fft.fft2(forcing - advection)) + linear).ravel()

    expected = scipy.integrate.solve_ivp(
        tendency, (0, 1), start.numpy().ravel(), method="DOP853", rtol=1e-11, atol=1e-11
    ).y[:, -1]
    solver = NavierStokes(
        shape, viscosity, drag=drag, forcing=torch.from_numpy(forcing), dtype=torch.float64
    )
    found = last(solver.integrate(start, [1.0], 0.0025))
    assert relative(found, torch.from_numpy(expected.reshape(shape))) < 1e-8


@pytest.fixture
def torch_cfd_solution():
    """ω after 100 steps of 0.005 on 64² points, where both 2/3 filters keep the same waves."""
    pytest.importorskip("torch_cfd")
    from torch_cfd.grids import Grid
    from torch_cfd.spectral import NavierStokes2DSpectral, RK4CrankNicolsonStepper

    start = truncated(resample(torch.stack([smooth(32, seed) for seed in (0, 1)]), (64, 64)))
    torch.set_default_dtype(torch.float64)
    try:
        grid = Grid((64, 64), domain=((0, 2 * math.pi), (0, 2 * math.pi)))
        other = NavierStokes2DSpectral(
            0.002, grid, drag=0.1, smooth=True, step_fn=RK4CrankNicolsonStepper()
        )
        # Their first axis is x.
        waves, _ = other(torch.fft.rfft2(start.mT), 0.005, steps=100)
    finally:
        torch.set_default_dtype(torch.float32)
    return start, torch.fft.irfft2(waves, s=(64, 64)).mT


def test_agrees_with_torch_cfd_in_the_same_scheme_to_rounding(torch_cfd_solution):
    start, expected = torch_cfd_solution
    solver = NavierStokes((64, 64), 0.002, drag=0.1, dtype=torch.float64)
    found = last(solver.integrate(start, [0.5], 0.005, LowStorageCrankNicolson))
    assert relative(found, expected) < 1e-12


def test_agrees_with_torch_cfd_in_the_default_scheme(torch_cfd_solution):
    start, expected = torch_cfd_solution
    solver = NavierStokes((64, 64), 0.002, drag=0.1, dtype=torch.float64)
    assert relative(last(solver.integrate(start, [0.5], 0.005)), expected) < 1e-6


# Order in time


@pytest.mark.parametrize(
    ("stepper", "viscosity", "order"),
    [
        (IntegratingFactorRK4, 0.2, 4),
        (LowStorageCrankNicolson, 0.0, 4),
        (LowStorageCrankNicolson, 0.2, 2),
    ],
)
def test_order_in_time(stepper, viscosity, order):
    solver = NavierStokes((32, 32), viscosity, dtype=torch.float64)
    start = 3 * smooth(32)
    exact = last(solver.integrate(start, [0.4], 0.002))
    coarse, fine = (
        relative(last(solver.integrate(start, [0.4], dt, stepper)), exact) for dt in (0.02, 0.01)
    )
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


def test_the_steppers_agree():
    solver = NavierStokes((32, 32), 0.01, dtype=torch.float64)
    first, second = (last(solver.integrate(smooth(32), [1.0], 0.005, s)) for s in STEPPERS)
    assert relative(first, second) < 1e-6


# Budgets


def forced(size=32):
    y = torch.arange(size, dtype=torch.float64)[:, None] * (2 * math.pi / size)
    forcing = (-4 * torch.cos(4 * y)).expand(size, size).clone()
    return NavierStokes((size, size), 0.01, drag=0.1, forcing=forcing, dtype=torch.float64)


def rate(budget, name):
    """dE/dt or dZ/dt, the sum of its terms."""
    parts = (getattr(budget, f"{name}_{term}") for term in ("input", "dissipation", "drag"))
    gain, *losses = parts
    return gain - sum(losses)


def test_the_budgets_are_those_of_the_tendency():
    solver = forced()
    omega = truncated(torch.randn(3, 32, 32, dtype=torch.float64))
    tendency = solver.tendency(omega)
    budget = solver.budget(omega)
    psi = flow.streamfunction(omega, LENGTHS)
    torch.testing.assert_close((psi * tendency).mean((-2, -1)), rate(budget, "energy"))
    torch.testing.assert_close((omega * tendency).mean((-2, -1)), rate(budget, "enstrophy"))


def test_the_budgets_close_over_time():
    solver = forced()
    times = np.linspace(0, 1, 101)
    budgets = [solver.budget(field) for field in solver.integrate(smooth(32), times, 0.005)]
    for name in ("energy", "enstrophy"):
        rates = [rate(budget, name).item() for budget in budgets]
        change = getattr(budgets[-1], name) - getattr(budgets[0], name)
        assert scipy.integrate.simpson(rates, x=times) == pytest.approx(change.item(), rel=1e-6)


def test_without_friction_energy_and_enstrophy_stay():
    solver = NavierStokes((32, 32), 0.0, dtype=torch.float64)
    start, end = solver.integrate(truncated(3 * torch.randn(32, 32)), [0.0, 1.0], 0.002)
    for quantity in (lambda f: flow.kinetic_energy(f, LENGTHS), flow.enstrophy):
        assert quantity(end).item() == pytest.approx(quantity(start).item(), rel=1e-7)
    assert relative(end, start) > 0.5


# Interface


def test_time_zero_yields_the_truncated_start():
    field = torch.randn(2, 3, 20, 18, dtype=torch.float64)
    solver = NavierStokes((20, 18), 0.1, dtype=torch.float64)
    found = next(solver.integrate(field, [0.0], 0.01))
    torch.testing.assert_close(found, truncated(field))


def test_a_member_does_not_depend_on_its_batch():
    solver = NavierStokes((48, 48), 1e-3, dtype=torch.float64)
    fields = torch.stack([smooth(48, seed) for seed in range(9)])
    together = last(solver.integrate(fields, [0.3], 0.01))
    alone = last(solver.integrate(fields[8], [0.3], 0.01))
    torch.testing.assert_close(together[8], alone, rtol=0, atol=1e-12)


def test_intermediate_times_do_not_change_the_result():
    solver = NavierStokes((32, 32), 0.01, dtype=torch.float64)
    once = last(solver.integrate(smooth(32), [0.055 * 5], 0.005))
    often = list(solver.integrate(smooth(32), [0.055 * n for n in range(6)], 0.005))
    assert len(often) == 6
    torch.testing.assert_close(often[-1], once, rtol=0, atol=1e-12)


def test_single_precision_follows_double():
    start = torch.stack([smooth(32, seed) for seed in (0, 1)])
    single, double = (
        last(NavierStokes((32, 32), 0.01, dtype=dtype).integrate(start, [1.0], 0.01))
        for dtype in (torch.float32, torch.float64)
    )
    assert single.dtype == torch.float32
    assert relative(single.double(), double) < 1e-5


def test_the_caller_keeps_its_field():
    field = smooth(16)
    before = field.clone()
    last(NavierStokes((16, 16), 0.1, dtype=torch.float64).integrate(field, [0.1], 0.01))
    assert torch.equal(field, before)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (3, 8)}, r"at least 4 x 4 points and positive lengths, found \(3, 8\)"),
        ({"lengths": (1.0, 0.0)}, r"positive lengths, found \(8, 8\) and \(1.0, 0.0\)"),
        ({"viscosity": -1.0}, r"viscosity and drag of at least 0, found -1.0 and 0.0"),
        ({"drag": float("nan")}, r"at least 0, found 0.1 and nan"),
        ({"dtype": torch.float16}, r"expected float32 or float64, found torch.float16"),
        ({"forcing": torch.zeros(4, 8)}, r"forcing on the grid \(8, 8\), found \(4, 8\)"),
    ],
)
def test_refuses_wrong_equations(arguments, message):
    with pytest.raises(UserError, match=message):
        NavierStokes(**{"shape": (8, 8), "viscosity": 0.1, **arguments})


@pytest.mark.parametrize(
    ("field", "times", "time_step", "message"),
    [
        (torch.zeros(8, 9), [1.0], 0.1, r"vorticity on the grid \(8, 8\), found \(8, 9\)"),
        (torch.zeros(8, 8), [1.0], 0.0, r"positive time step, found 0.0"),
        (torch.zeros(8, 8), [1.0, 0.5], 0.1, r"times that increase from 0, found 0.5 after 1.0"),
        (torch.zeros(8, 8), [float("nan")], 0.1, r"finite times .* found nan after 0.0"),
        (torch.full((8, 8), torch.nan), [1.0], 0.1, r"found NaN or infinity at time 0"),
        (torch.full((8, 8), torch.nan), [0.0], 0.1, r"found NaN or infinity at time 0"),
    ],
)
def test_refuses_wrong_runs(field, times, time_step, message):
    with pytest.raises(UserError, match=message):
        list(NavierStokes((8, 8), 0.1).integrate(field, times, time_step))


def test_a_step_beyond_the_stability_limit_is_refused_with_one_that_is_not():
    solver = NavierStokes((64, 64), 1e-3)
    start = mcwilliams_vorticity(0, 64, peak_wavenumber=4.0)
    with pytest.raises(UserError, match=r"time step 0.5 is unstable at time 0") as refusal:
        list(solver.integrate(start, [1.0], 0.5))
    advice = float(str(refusal.value).split("Set time_step to ")[1].split()[0])
    assert torch.isfinite(last(solver.integrate(start, [1.0], advice))).all()


@pytest.mark.parametrize("shape", [(128, 128), (64, 64)])
def test_members_side_by_side_have_the_bits_of_members_one_after_another(shape):
    solver = NavierStokes(shape, 1e-3)
    start = torch.stack([mcwilliams_vorticity(seed, shape[0], 4.0) for seed in range(6)])
    alone = torch.stack(list(solver.integrate(start, [0.0, 0.01, 0.03], 0.005)))
    torch.set_num_threads(3)
    try:
        together = torch.stack(list(solver.integrate(start, [0.0, 0.01, 0.03], 0.005)))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)
    assert torch.equal(alone, together)
