"""A store with other masks than the model's is refused, whatever the variable is for."""

import copy

import numpy as np
import pytest

from tests.builders import TINY_RECIPE, WEATHER_DATA, tiny_forecaster, weather_store
from triton_earth.core.errors import UserError
from triton_earth.models.checkpoint import load_forecaster
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.forecasting.masks import require_same_mask
from triton_earth.workflow.train import train


def masked(store, channel, cells):
    """The store with other cells undefined."""
    other = copy.copy(store)
    other.valid_mask = (
        np.ones((2, *store.grid.shape), bool)
        if store.valid_mask is None
        else store.valid_mask.copy()
    )
    other.valid_mask[channel][cells] = False
    return other


def test_the_same_mask_is_right(weather):
    require_same_mask(tiny_forecaster(weather), weather)


@pytest.mark.parametrize(
    ("channel", "name", "there", "then"), [(0, "temperature", 52, 50), (1, "sunshine", 64, 62)]
)
def test_another_mask_is_refused(weather, channel, name, there, then):
    with pytest.raises(
        UserError,
        match=f"'{name}' is defined in {then} cells, but the model 'triton' was trained where it is in {there}; "
        "2 cells differ. Prepare the store with the model's mask",
    ):
        require_same_mask(tiny_forecaster(weather), masked(weather, channel, np.s_[5, 4:6]))


def test_a_model_of_another_mask_is_refused(weather):
    model = tiny_forecaster(masked(weather, 1, np.s_[5, 4:6]))
    with pytest.raises(UserError, match=r"'sunshine' is defined in 64 cells, .* in 62; 2 cells"):
        require_same_mask(model, weather)


def test_the_mask_as_input_end_to_end(tmp_path):
    store = weather_store(tmp_path / "weather.zarr")
    overrides = [*TINY_RECIPE, WEATHER_DATA, "model.mask_input=true", "train.steps=1"]
    train("turbulence_small", store.path, tmp_path / "run", overrides)
    loaded = load_forecaster(tmp_path / "run")
    assert loaded.config.mask_input
    assert loaded.forcing_mask.shape == (1, *store.grid.shape)
    stored = forecast(tmp_path / "run", store.path, tmp_path / "a.zarr", steps=2)
    assert (np.isfinite(stored.read(slice(None), 1)) == store.valid_mask[:1]).all()


def test_a_store_without_mask_has_none_to_tell(tiny_store, tmp_path):
    with pytest.raises(
        UserError, match=r"model\.mask_input is true, but all variables are defined"
    ):
        train(
            "turbulence_small",
            tiny_store,
            tmp_path / "run",
            [*TINY_RECIPE, "model.mask_input=true"],
        )
    assert not (tmp_path / "run").exists()
