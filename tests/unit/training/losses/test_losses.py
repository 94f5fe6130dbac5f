from functools import partial

import numpy as np
import pytest
import torch

from tests.builders import HUMIDITY, TEMPERATURE, random_state
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.training.losses.fields import (
    huber_loss,
    mean_absolute_error,
    mean_squared_error,
    relative_l2,
)
from triton_earth.training.losses.spectral_loss import (
    adjusted_squared_error,
    band_power,
    log_spectrum_error,
)

BOTH = Variables((TEMPERATURE, HUMIDITY))
SCALE = torch.tensor([2.0, 0.5])[:, None, None]


def test_a_constant_error_gives_its_square_over_the_scale():
    truth = random_state(PeriodicGrid(3, 4), Variables((TEMPERATURE,)))
    forecast = random_state(PeriodicGrid(3, 4), Variables((TEMPERATURE,)))
    forecast.data.add_(3.0)
    loss = mean_squared_error(forecast, truth, torch.tensor([2.0])[:, None, None])
    assert loss.item() == pytest.approx((3 / 2) ** 2, rel=1e-6)


def test_cells_count_by_their_area():
    # Bands 30°..60° and 0..30°: sin 60° − sin 30° and sin 30° of the sphere
    grid = LatLonGrid((15.0, 45.0), (0.0, 180.0))
    truth = random_state(grid, Variables((TEMPERATURE,)))
    forecast = random_state(grid, Variables((TEMPERATURE,)))
    forecast.data[..., 1, :] += 1.0
    loss = mean_squared_error(forecast, truth, torch.ones(1, 1, 1))
    sines = np.sin(np.deg2rad([0.0, 30.0, 60.0]))
    assert loss.item() == pytest.approx((sines[2] - sines[1]) / sines[2], rel=1e-6)


def plain_loss(forecast, truth, mask):
    """The definition, as a loop."""
    weights = forecast.grid.cell_area_weights
    above = below = 0.0
    for index in np.ndindex(forecast.data.shape):
        _, _, channel, y, x = index
        if mask[channel, y, x]:
            error = float(forecast.data[index] - truth.data[index]) / float(SCALE[channel])
            above += weights[y, x] * error**2
            below += weights[y, x]
    return above / below


@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_is_its_definition(masked):
    grid = LatLonGrid((-50.0, 0.0, 20.0), (0.0, 90.0, 180.0, 270.0))
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[0, 0, :2] = mask[1, 2, 3] = not masked
    forecast = random_state(grid, BOTH, times=2, seed=1, valid_mask=mask if masked else None)
    truth = random_state(grid, BOTH, times=2, seed=2)
    expected = plain_loss(forecast, truth, mask)
    forecast = forecast.masked()
    assert mean_squared_error(forecast, truth, SCALE).item() == pytest.approx(expected, rel=1e-5)


def test_undefined_cells_give_neither_loss_nor_gradient():
    grid = PeriodicGrid(2, 3)
    mask = torch.ones(2, 2, 3, dtype=torch.bool)
    mask[0, 0, 0] = False
    forecast = random_state(grid, BOTH, valid_mask=mask)
    truth = random_state(grid, BOTH, seed=1, valid_mask=mask).masked()
    forecast.data.requires_grad_(True)
    loss = mean_squared_error(forecast.masked(), truth, SCALE)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(forecast.data.grad).all()
    assert (forecast.data.grad[:, :, 0, 0, 0] == 0).all()
    assert (forecast.data.grad[:, :, 1] != 0).all()


def test_the_truth_may_hold_more_variables_in_another_order():
    grid = PeriodicGrid(2, 3)
    truth = random_state(grid, BOTH)
    forecast = truth.select(["humidity"])
    assert mean_squared_error(forecast, truth, torch.ones(1, 1, 1)).item() == 0


MASK = torch.ones(2, 3, 4, dtype=torch.bool)
MASK[0, 0, :2] = MASK[1, 2, 3] = False
GRID = LatLonGrid((-50.0, 0.0, 20.0), (0.0, 90.0, 180.0, 270.0))
WEIGHTS = torch.tensor([3.0, 1.0])[:, None, None]


def plain_mean(penalty, forecast, truth, mask):
    """Σ v w m ρ / Σ v w m, as a loop."""
    areas = forecast.grid.cell_area_weights
    above = below = 0.0
    for index in np.ndindex(forecast.data.shape):
        _, _, channel, y, x = index
        if mask[channel, y, x]:
            error = float(forecast.data[index] - truth.data[index]) / float(SCALE[channel])
            weight = float(WEIGHTS[channel]) * areas[y, x]
            above += weight * penalty(error)
            below += weight
    return above / below


PENALTIES = {
    mean_squared_error: lambda e: e**2,
    mean_absolute_error: abs,
    huber_loss: lambda e: e**2 / 2 if abs(e) <= 1 else abs(e) - 0.5,
}


@pytest.mark.parametrize("loss", PENALTIES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("masked", [False, True])
def test_weighted_losses_are_their_definitions(loss, masked):
    mask = MASK if masked else torch.ones_like(MASK)
    forecast = random_state(GRID, BOTH, times=2, seed=1, valid_mask=mask if masked else None)
    truth = random_state(GRID, BOTH, times=2, seed=2)
    expected = plain_mean(PENALTIES[loss], forecast, truth, mask)
    found = loss(forecast.masked(), truth, SCALE, WEIGHTS)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_huber_loss_is_quadratic_then_linear():
    truth = random_state(PeriodicGrid(2, 2), Variables((TEMPERATURE,)))
    unit = torch.ones(1, 1, 1)
    for error, expected in ((0.5, 0.125), (2.0, 2.0), (5.0, 8.0)):
        forecast = random_state(PeriodicGrid(2, 2), Variables((TEMPERATURE,)))
        forecast.data.add_(error)
        assert huber_loss(forecast, truth, unit, delta=2.0).item() == pytest.approx(
            expected, rel=1e-5
        )


STD = (5.0, 0.5)
UNIT = torch.ones(2, 1, 1)
norm_ratio = partial(relative_l2, std=UNIT)
"""The relative error of data whose training standard deviation is one."""


def plain_relative_l2(forecast, truth, mean, mask):
    areas = forecast.grid.cell_area_weights
    ratios = []
    for sample in range(forecast.data.shape[0]):
        for time in range(forecast.data.shape[1]):
            for channel in range(2):
                inside = mask[channel].numpy() * areas
                f, t = (state.data[sample, time, channel].numpy() for state in (forecast, truth))
                ratios.append(
                    float(WEIGHTS[channel])
                    * np.sqrt((inside * (f - t) ** 2).sum())
                    / np.sqrt(
                        (
                            inside * ((t - float(mean[channel])) ** 2 + 1e-4 * STD[channel] ** 2)
                        ).sum()
                    )
                )
    return np.mean(ratios) / float(WEIGHTS.mean())


@pytest.mark.parametrize("masked", [False, True])
def test_the_relative_l2_error_is_its_definition(masked):
    mask = MASK if masked else torch.ones_like(MASK)
    mean = torch.tensor([0.3, -0.2])[:, None, None]
    forecast = random_state(GRID, BOTH, times=2, seed=1, valid_mask=mask if masked else None)
    truth = random_state(GRID, BOTH, times=2, seed=2)
    expected = plain_relative_l2(forecast, truth, mean, mask)
    std = torch.tensor(STD)[:, None, None]
    found = relative_l2(forecast.masked(), truth, mean, std, WEIGHTS)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_relative_l2_error_of_the_mean_is_one_in_any_units():
    truth = random_state(GRID, BOTH)
    truth.data.mul_(1e-6)
    mean = torch.tensor([2e-6, 1e-6])[:, None, None]
    forecast = random_state(GRID, BOTH)
    forecast.data.copy_(mean.expand_as(forecast.data[0, 0]))
    assert relative_l2(forecast, truth, mean, 1e-6 * UNIT).item() == pytest.approx(1.0, rel=1e-4)


def test_a_truth_that_is_its_mean_counts_as_a_hundredth_of_the_standard_deviation():
    mean, std = (
        torch.tensor([280.0, 0.01])[:, None, None],
        torch.tensor([10.0, 0.002])[:, None, None],
    )
    truth, forecast = (random_state(GRID, BOTH) for _ in range(2))
    truth.data.copy_(mean.expand_as(truth.data[0, 0]))
    forecast.data.copy_((mean + 0.1 * std).expand_as(truth.data[0, 0]))
    forecast.data.requires_grad_(True)
    loss = relative_l2(forecast, truth, mean, std)
    assert loss.item() == pytest.approx(10.0, rel=1e-4)
    loss.backward()
    assert (forecast.data.grad * std).abs().max() < 10


@pytest.mark.parametrize("loss", [norm_ratio, log_spectrum_error], ids=["relative", "spectral"])
def test_undefined_cells_do_not_matter(loss):
    mean = torch.zeros(2, 1, 1)
    states = [random_state(GRID, BOTH, seed=seed, valid_mask=MASK) for seed in (1, 2)]
    before = loss(states[0].masked(), states[1], mean)
    states[1].data[:, :, ~MASK] = 1e6
    forecast = states[0].masked()
    forecast.data.requires_grad_(True)
    after = loss(forecast, states[1], mean)
    assert after.item() == before.item()
    after.backward()
    assert torch.isfinite(forecast.data.grad).all()
    assert (forecast.data.grad[:, :, ~MASK] == 0).all()


def test_a_perfect_forecast_has_finite_gradients():
    truth = random_state(GRID, BOTH)
    for loss in (norm_ratio, log_spectrum_error):
        forecast = random_state(GRID, BOTH)
        forecast.data.requires_grad_(True)
        value = loss(forecast, truth, torch.zeros(2, 1, 1))
        value.backward()
        assert value.item() == pytest.approx(0.0, abs=2e-6)
        assert torch.isfinite(forecast.data.grad).all()


# --- the spectral loss


def box_state(values):
    data = torch.as_tensor(values, dtype=torch.float32)[None, None, None]
    return State(data, Variables((VORTICITY,)), PeriodicGrid(16, 16), np.zeros((1, 1)))


def wave(number, amplitude=1.0, phase=0.0):
    x = PeriodicGrid(16, 16).x
    return np.tile(amplitude * np.cos(number * x + phase), (16, 1))


def test_the_power_of_a_wave_is_in_its_octave():
    padding = PeriodicGrid(16, 16).padding
    field = torch.as_tensor(wave(1, 2.0) + wave(3) + 5.0)
    power = band_power(field, padding)
    # ⟨cos²⟩ = ½; the mean is left out.
    torch.testing.assert_close(power, torch.tensor([2.0, 0.5, 0.0, 0.0], dtype=power.dtype))


def test_the_power_over_all_octaves_is_the_variance():
    field = torch.randn(3, 12, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    power = band_power(field, ("periodic", "periodic")).sum(dim=-1)
    low = field.var(dim=(-2, -1), correction=0)
    # A shorter side of 12 cells: waves along the longer one below 1 cycle per 12 cells belong to no octave.
    spectrum = torch.fft.fft2(field, norm="forward").abs().square()
    missing = spectrum[:, 0, 1] + spectrum[:, 0, -1]
    torch.testing.assert_close(power, low - missing)


def test_the_spectral_loss_is_the_log_ratio_of_powers():
    forecast = box_state(wave(1) + wave(2, 0.5) + wave(5) + wave(9, phase=1.0) * 0.1)
    truth = box_state(wave(1) + wave(2) + wave(5, phase=2.0) + wave(8) * 0)
    mean = torch.zeros(1, 1, 1)
    # Octave 2..4 has a quarter of the power; that of 8..16 is there in the forecast only; phases do not count.
    floor = 1e-8 * 1.5
    # cos 9x on 16 cells is cos 7x with the same power: octave 4..8 gets it.
    expected = (np.log(0.25) ** 2 + np.log((0.5 + 0.005 + floor) / 0.5) ** 2) / 4
    assert log_spectrum_error(forecast, truth, mean).item() == pytest.approx(expected, rel=2e-2)


@pytest.mark.parametrize("on_sphere", [False, True])
def test_the_adjusted_error_does_not_reward_a_forecast_that_is_smooth(on_sphere):
    def error(forecast, truth):
        states = [box_state(values) for values in (forecast, truth)]
        if on_sphere:
            grid = LatLonGrid(tuple(np.linspace(-75, 75, 16)), tuple(np.arange(16) * 22.5))
            states = [State(one.data, one.variables, grid, one.valid_times) for one in states]
        return adjusted_squared_error(*states, torch.ones(1, 1, 1)).item()

    truth = wave(3)
    assert error(truth, truth) == pytest.approx(0, abs=1e-6)
    # The amplitude alone is wrong: as the squared error.
    assert error(2 * truth, truth) == pytest.approx(0.5, rel=1e-4)
    # The phase alone is wrong: as the squared error, 2 · ½.
    late = wave(3, phase=np.pi / 2)
    assert error(late, truth) == pytest.approx(1.0, rel=1e-4)
    # Out of phase and smooth: the squared error falls to ½ (1 + ¼), but this does not fall.
    assert error(0.5 * late, truth) == pytest.approx(0.5 * 0.25 + 1.0, rel=1e-4)


def test_a_border_that_is_not_periodic_makes_no_small_scales():
    ramp = torch.linspace(-1, 1, 32)[None, :].expand(32, 32).contiguous()
    periodic = band_power(ramp, ("periodic", "periodic"))
    tapered = band_power(ramp, ("zero", "zero"))
    assert tapered[-2] / tapered.sum() < 0.02 * periodic[-2] / periodic.sum()


def test_the_losses_leave_out_no_gradient():
    truth = random_state(PeriodicGrid(8, 8), BOTH, seed=2)
    unit = torch.ones(2, 1, 1)
    for loss in (mean_absolute_error, huber_loss, norm_ratio, log_spectrum_error):
        forecast = random_state(PeriodicGrid(8, 8), BOTH, seed=1)
        data = forecast.data.double().requires_grad_(True)
        double = State(data, BOTH, forecast.grid, forecast.valid_times)
        exact = State(truth.data.double(), BOTH, truth.grid, truth.valid_times)
        value = loss(double, exact, unit.double())
        value.backward()
        direction = torch.randn_like(data)
        step = 1e-6
        moved = [
            loss(
                State(data.detach() + sign * step * direction, BOTH, truth.grid, truth.valid_times),
                exact,
                unit.double(),
            )
            for sign in (1, -1)
        ]
        numeric = (moved[0] - moved[1]).item() / (2 * step)
        assert (data.grad * direction).sum().item() == pytest.approx(numeric, rel=1e-4)
