"""Order, exactness and stability limits of the time steppers, on equations small enough to solve by hand."""

import cmath

import pytest
import torch

from triton_earth.physics.solvers.time_stepping import IntegratingFactorRK4, LowStorageCrankNicolson

STEPPERS = [IntegratingFactorRK4, LowStorageCrankNicolson]


def advance(stepper, linear, tendency, start, steps, duration):
    state = torch.tensor([[start]], dtype=torch.complex128)
    rates = torch.tensor([[linear]], dtype=torch.float64)
    scheme = stepper(rates, duration / steps, state)
    for _ in range(steps):
        scheme.step(state, tendency)
    return complex(state)


def riccati(state, out):
    """dω/dt = −ω² (+ Lω): ω = 1 / (t + 1/ω₀) without L."""
    torch.mul(state, state, out=out).neg_()


def exact_riccati(linear, start, time):
    """Solution of ω' = Lω − ω²."""
    if linear == 0:
        return start / (1 + start * time)
    growth = cmath.exp(linear * time)
    return linear * start * growth / (linear + start * (growth - 1))


def measured_order(stepper, linear):
    exact = exact_riccati(linear, 1 + 0.5j, 1.0)
    coarse, fine = (
        abs(advance(stepper, linear, riccati, 1 + 0.5j, steps, 1.0) - exact) for steps in (20, 40)
    )
    return torch.log2(torch.tensor(coarse / fine)).item()


@pytest.mark.parametrize(
    ("stepper", "linear", "order"),
    [
        (IntegratingFactorRK4, -2.0, 4),
        (IntegratingFactorRK4, 0.0, 4),
        (LowStorageCrankNicolson, 0.0, 4),
        (LowStorageCrankNicolson, -2.0, 2),
    ],
)
def test_order(stepper, linear, order):
    assert measured_order(stepper, linear) == pytest.approx(order, abs=0.25)


def test_the_integrating_factor_is_exact_for_diffusion_alone():
    result = advance(IntegratingFactorRK4, -50.0, lambda _, out: out.zero_(), 1.0, 3, 1.0)
    assert result == pytest.approx(cmath.exp(-50), rel=1e-12)


@pytest.mark.parametrize("stepper", STEPPERS)
def test_the_stability_limit_is_that_of_pure_advection(stepper):
    def amplification(rate):
        return abs(
            advance(stepper, 0.0, lambda s, out: torch.mul(s, 1j * rate, out=out), 1.0, 1, 1.0)
        )

    assert amplification(stepper.stability_limit) <= 1
    assert amplification(stepper.stability_limit + 0.02) > 1
