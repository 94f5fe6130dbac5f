"""What a recipe's data will be is known before it is there, and a store of another recipe is refused."""

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.workflow.plan import plan
from triton_earth.workflow.recipes.expected_data import expected_data, require_agreement
from triton_earth.workflow.recipes.recipe import load_recipe, shipped_recipes
from triton_earth.workflow.train import train

DAY = np.timedelta64(1, "D")
KNOWN = {
    "weather": ((32, 64), DAY, 75, "assumed: ERA5 of WeatherBench 2"),
    "weather_arco": ((180, 360), np.timedelta64(6, "h"), 75, "assumed: ARCO ERA5"),
    "ocean": ((120, 240), DAY, 35, "assumed: GLORYS12"),
    "ocean_forced": ((40, 90), DAY, 11, "assumed: the Veros model"),
    "weather_years": ((32, 64), DAY, 10, "assumed: the SPEEDY model"),
    "kuroshio": ((256, 256), DAY, 2, "assumed: DUACS altimetry"),
    "turbulence_published": ((128, 128), 0.055, 1, "assumed from the name of the archive"),
    "weather_small": ((32, 64), DAY, None, "as in the files"),
    "turbulence": ((128, 128), None, 1, "as the recipe simulates it"),
}


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_tells_its_data_before_it_is_there(name):
    recipe = load_recipe(name)
    data = expected_data(recipe, None)
    assert set(data.splits) == {"train", "valid", "test"}
    assert all(data.times(split) > recipe.window for split in data.splits)
    if name in KNOWN:
        shape, step, variables, origin = KNOWN[name]
        assert data.grid.shape == shape
        assert step is None or data.time_step == step
        assert variables is None or len(data.variables) == variables
        assert data.origin.startswith(origin)


def test_without_a_name_the_recipe_may_tell_grid_and_step():
    overrides = [
        "data={kind: gridded, path: none.nc, variables: [t2m], step: 6 h, "
        "grid: {latitudes: 16, longitudes: 32}, "
        "splits: {train: ['2000', '2001'], valid: ['2003', '2003'], test: ['2005', '2005']}}"
    ]
    data = expected_data(load_recipe("turbulence_small", overrides), None)
    assert (data.grid.shape, data.time_step) == ((16, 32), np.timedelta64(6, "h"))
    assert data.times("valid") == 365 * 4


def test_an_archive_whose_name_says_nothing_is_refused():
    recipe = load_recipe("turbulence_published", ["data.path=some.pt"])
    with pytest.raises(UserError, match=r"some\.pt: the name does not tell the size"):
        expected_data(recipe, None)


def test_a_store_of_another_recipe_is_refused_naming_both(weather, tmp_path):
    recipe = load_recipe("turbulence_small")
    text = "recipe and store do not agree: .*lacks vorticity; it has temperature, sunshine"
    with pytest.raises(UserError, match=text):
        require_agreement(recipe, weather)
    with pytest.raises(UserError, match=text):
        plan("turbulence_small", store=weather.path)
    with pytest.raises(UserError, match=text):
        train("turbulence_small", weather.path, tmp_path / "run")
    assert not (tmp_path / "run").exists()
