"""Noise on the history: of the asked size at each scale, and smooth between its independent numbers."""

import numpy as np
import pytest
import torch

from tests.builders import daily_store, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training.config import TrainConfig
from triton_earth.training.step import require_scales, with_noise


@pytest.fixture(scope="module")
def forecaster_and_history(tmp_path_factory):
    times = np.datetime64("2001-01-01", "ns") + np.arange(120) * np.timedelta64(1, "D")
    store = daily_store(tmp_path_factory.mktemp("days") / "a.zarr", times, sunshine=False)
    windows = Windows(store.segments("train"), 2)
    history, _ = ForecastDataset(store, windows, 1, 1.0).batch(list(range(100)))
    return tiny_forecaster(store), history


def added(forecaster, history, sizes):
    """Return the noise in units of increments, float64 [row, y, x]."""
    torch.manual_seed(0)
    names = forecaster.prognostic.names
    noisy = with_noise(forecaster, history, sizes).select(names).data
    scale = forecaster.increment_std(names)
    return ((noisy.double() - history.select(names).data) / scale)[:, 0, 0]


def neighbours(noise):
    """Return the correlation of neighbours along a row."""
    return float((noise * noise.roll(1, -1)).mean() / noise.square().mean())


def test_white_noise_by_number_and_by_scale_are_the_same_bits(forecaster_and_history):
    number, mapping = (added(*forecaster_and_history, sizes) for sizes in (0.3, {1: 0.3}))
    assert torch.equal(number, mapping)
    assert float(number.std()) == pytest.approx(0.3, rel=0.05)
    assert abs(neighbours(number)) < 0.05


def test_noise_of_a_scale_is_smooth_and_of_its_size(forecaster_and_history):
    noise = added(*forecaster_and_history, {4: 2.0})
    assert float(noise.std()) == pytest.approx(2.0, rel=0.15)
    assert neighbours(noise) > 0.6


def test_scales_add_up(forecaster_and_history):
    noise = added(*forecaster_and_history, {1: 0.3, 4: 0.4})
    assert float(noise.std()) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("sizes", [0.0, {}, {4: 0.0}])
def test_no_noise_leaves_the_history_alone(forecaster_and_history, sizes):
    forecaster, history = forecaster_and_history
    assert with_noise(forecaster, history, sizes) is history


def test_the_forcings_have_no_noise(forecaster_and_history):
    forecaster, history = forecaster_and_history
    noisy = with_noise(forecaster, history, {4: 1.0})
    assert not set(noisy.variables.names) & set(forecaster.forcing.names)


def test_noise_as_wide_as_the_map_is_refused():
    config = TrainConfig.parse(
        {
            "curriculum": [
                {"from_step": 0, "horizon": 1},
                {"from_step": 9, "horizon": 1, "noise": {17: 1}},
            ]
        },
        "recipe",
    )
    require_scales(config, (34, 64))
    with pytest.raises(UserError) as caught:
        require_scales(config, (32, 64))
    assert str(caught.value) == (
        "train.noise: noise with 17 cells between its numbers is nearly the same all over a map of 32 x 64 cells; take "
        "16 cells at most."
    )
