import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.models.networks.sfno import SfnoConfig
from triton_earth.models.networks.spherical_transform import SphericalHarmonics
from triton_earth.physics.spherical_harmonics import SphericalTransform

GRID = LatLonGrid(tuple(np.linspace(-84.375, 84.375, 16)), tuple(np.arange(0, 360, 11.25)))
GLOBAL = ("zero", "periodic")


def small(grid=GRID, frames=1, **options):
    torch.manual_seed(1)
    config = SfnoConfig(**({"width": 8, "layers": 2} | options)).for_grid(grid)
    return config.build(frames, 3, 2, GLOBAL)


def test_coefficients_are_those_of_the_transform_for_judging():
    transform = SphericalHarmonics(GRID.y, 32)
    fields = np.random.default_rng(0).normal(size=(2, 3, 16, 32)).astype(np.float32)
    expected = SphericalTransform(GRID.y, 32).coefficients(fields)
    found = torch.view_as_complex(transform.coefficients(torch.from_numpy(fields)).contiguous())
    np.testing.assert_allclose(found.permute(2, 3, 1, 0).numpy(), expected, rtol=1e-3, atol=1e-5)


def test_there_and_back_again_for_fields_without_higher_degrees():
    transform = SphericalHarmonics(GRID.y, 32, degrees=6)
    assert transform.degrees == 6
    smooth = transform.maps(transform.coefficients(torch.randn(1, 2, 16, 32)))
    again = transform.maps(transform.coefficients(smooth))
    torch.testing.assert_close(again, smooth, rtol=1e-4, atol=1e-5)


def test_a_known_harmonic():
    latitude, longitude = np.deg2rad(GRID.y)[:, None], np.deg2rad(GRID.x)[None]
    field = torch.tensor(np.cos(latitude) * np.cos(longitude), dtype=torch.float32)
    found = SphericalHarmonics(GRID.y, 32).coefficients(field[None, None])[..., 0, 0, :]
    expected = torch.zeros_like(found)
    expected[1, 1, 0] = 0.5 * (2 / 3) ** 0.5  # P_11 = sqrt(3/2) cos φ, and half for each sign of m
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 5])
def test_a_turn_around_the_axis_turns_the_output(columns):
    network, x = small().eval(), torch.randn(1, 1, 3, 16, 32)
    torch.testing.assert_close(
        network(x.roll(columns, 4)), network(x).roll(columns, 4), rtol=1e-3, atol=1e-4
    )


def test_any_global_grid_and_number_of_frames():
    for rows, columns, frames in ((9, 20, 1), (12, 15, 2)):
        grid = LatLonGrid(
            tuple(np.linspace(-90, 90, rows)), tuple(np.arange(columns) * 360.0 / columns)
        )
        y = small(grid, frames)(torch.randn(2, frames, 3, rows, columns))
        assert y.shape == (2, frames, 2, rows, columns)
        assert y.isfinite().all()


def test_loss_falls_and_every_weight_learns():
    network, x = small(), torch.randn(2, 1, 3, 16, 32)
    y = torch.tanh(x[:, :, :2] + x[:, :, :2].roll(1, 4))
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    losses = []
    for _ in range(30):
        loss = (network(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0], losses[::5]
    assert all(weight.grad.any() for weight in network.parameters())


def test_count_from_the_equation():
    count = sum(parameter.numel() for parameter in small(degrees=5).parameters())
    block = 2 * 5 * 64 + 16 + 72 + (8 * 16 + 16) + (16 * 8 + 8)
    assert count == (3 * 8 + 8 + 72) + 2 * block + (11 * 8 + 8) + (8 * 2 + 2)


def test_bfloat16():
    network, x = small().eval(), torch.randn(1, 1, 3, 16, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(x).float()
    assert (found - network(x)).norm() < 0.03 * found.norm()


def test_refusals():
    with pytest.raises(
        UserError, match=r"'sfno' is for global .* found periodic box .* take 'fno'"
    ):
        SfnoConfig().for_grid(PeriodicGrid(8, 8))
    with pytest.raises(UserError, match=r"network 'sfno' needs a grid; call `for_grid`"):
        SfnoConfig().build(1, 1, 1, GLOBAL)
    with pytest.raises(UserError, match=r"expected maps of 16 x 32 cells, found 8 x 32; build the"):
        small()(torch.randn(1, 1, 3, 8, 32))


def test_a_forecaster_gives_the_network_its_grid(weather):
    from tests.builders import statistics
    from triton_earth.models.forecaster import ModelConfig, NetworkForecaster

    config = ModelConfig(network={"name": "sfno", "width": 4, "layers": 1}, prediction="tendency")
    forecaster = NetworkForecaster(
        config, weather.variables, weather.grid, weather.time_step, statistics(weather)
    )
    assert forecaster.config.network.latitude == tuple(weather.grid.latitude.tolist())
