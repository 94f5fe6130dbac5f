import numpy as np
import pytest
import torch

from tests.builders import HUMIDITY, TEMPERATURE, random_state
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.variables import Variables
from triton_earth.training.losses import mean_squared_error

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
