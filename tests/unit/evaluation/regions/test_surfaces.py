"""Land and sea: which cells they are, which variables they have, and scores on one of them."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.coastlines import land_cells
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.region import Region
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.regions.land import find_land
from triton_earth.evaluation.regions.places import find_place
from triton_earth.evaluation.regions.surface_variables import is_of, keep_defined

GRID = LatLonGrid(tuple(np.arange(-75.0, 90, 30)), tuple(np.arange(0.0, 360, 30)))
WARMTH, SALT = Variable("temperature", "K"), Variable("salinity", "1e-3")
LAND = np.zeros(GRID.shape, bool)
LAND[2:5, 3:7] = True


def fraction(name="land_sea_mask", units="1", role=Role.STATIC):
    return Variable(name, units, role=role)


@pytest.fixture
def truth(truth_of):
    """Temperature everywhere, salinity at sea and in one coastal cell of land, and the land fraction."""
    generator = np.random.default_rng(0)
    fields = generator.standard_normal((3, 5, 3, *GRID.shape))
    fields[:, :, 2] = np.where(LAND, 0.5, 0.49)
    valid = np.ones((3, *GRID.shape), bool)
    valid[1] = ~LAND
    valid[1, 2, 3] = True
    fields[:, :, ~valid] = np.nan
    return truth_of(
        fields, variables=Variables((WARMTH, SALT, fraction())), grid=GRID, valid_mask=valid
    )


@pytest.fixture
def forecast(truth, forecasts_of):
    """An error of 1 on land and 2 at sea; of salinity 3."""
    error = np.stack([np.where(LAND, 1.0, 2.0), np.full(GRID.shape, 3.0)])
    return forecasts_of(
        truth.fields[:, 1:, :2] + error, variables=Variables((WARMTH, SALT)), grid=GRID
    )


@pytest.mark.parametrize("name", ["land_sea_mask", "lsm", "LANDFRAC", "land_fraction"])
def test_land_is_where_the_fraction_is_half_or_more(name, truth):
    truth.variables = Variables((WARMTH, SALT, fraction(name)))
    found = find_land(truth)
    np.testing.assert_array_equal(found.cells, LAND)
    assert found.source == f"'{name}' of the truth is at least 0.5"


def test_a_fraction_in_percent(truth):
    truth.variables = Variables((WARMTH, SALT, fraction("sftlf", "%")))
    truth.fields[:, :, 2] *= 100
    np.testing.assert_array_equal(find_land(truth).cells, LAND)


@pytest.mark.parametrize("other", [fraction("orography"), fraction(role=Role.PROGNOSTIC)])
def test_without_a_fraction_the_coastlines_count(other, truth):
    truth.variables = Variables((WARMTH, SALT, other))
    found = find_land(truth)
    np.testing.assert_array_equal(found.cells, land_cells(GRID))
    assert "within the package's coastlines" in found.source


def test_the_fraction_of_the_first_recorded_time(truth):
    truth.fields[:, 0] = np.nan
    truth.recorded[0] = False
    np.testing.assert_array_equal(find_land(truth).cells, LAND)


def test_a_fraction_with_gaps_is_refused(truth):
    truth.fields[:, :, 2, 0, :5] = np.nan
    message = (
        r"need a land fraction in every cell; 'land_sea_mask' of the truth has none in 5 of 72"
    )
    with pytest.raises(UserError, match=message):
        find_land(truth)


def test_a_grid_without_latitudes_is_refused(truth_of):
    box = truth_of(np.zeros((1, 2, 1, 4, 4)), grid=PeriodicGrid(4, 4))
    with pytest.raises(
        UserError, match=r"need a latitude-longitude grid; found periodic box.*Score"
    ):
        find_place(None, "land", box)


def test_a_surface_without_a_cell_is_refused(truth):
    north = Region.parse("north=50:90,0:360")
    message = (
        r"land: expected at least one cell of the region north \(50:90,0:360\) to be land, found none; "
        r"land is where 'land_sea_mask' of the truth is at least 0.5. Choose sea, or another region."
    )
    with pytest.raises(UserError, match=message):
        find_place(north, "land", truth)
    truth.fields[:, :, 2] = 1.0
    with pytest.raises(
        UserError, match=r"sea: expected at least one cell of the lat.* Choose land"
    ):
        find_place(None, "sea", truth)


@pytest.mark.parametrize(
    ("on_land", "at_sea", "land", "sea"),
    [(4, 60, True, True), (1, 60, False, True), (0, 6, False, True), (4, 0, True, False)],
)
def test_variables_of_a_surface(on_land, at_sea, land, sea):
    """Of 12 cells of land and 60 of the sea."""
    cells = np.arange(72).reshape(GRID.shape)
    surface = cells < 12
    valid = (cells < on_land) | ((cells >= 12) & (cells < 12 + at_sea))
    assert (is_of(surface, valid), is_of(~surface, valid)) == (land, sea)


@pytest.mark.parametrize(("surface", "error"), [("land", 1.0), ("sea", 2.0)])
def test_closed_form(surface, error, truth, forecast):
    place = find_place(None, surface, truth)
    kept, _ = keep_defined([forecast], truth, place, [])
    scores = evaluate_forecast(kept[0], truth, region=place, resamples=10)
    found = scores.sel(forecast="triton", variable="temperature")
    for name in ("rmse", "mae", "bias"):
        np.testing.assert_allclose(found[name], error, rtol=1e-5)
    assert scores.attrs["region"] == surface
    source = "land is where 'land_sea_mask' of the truth is at least 0.5"
    assert scores.attrs["surface"] == f"{surface}; {source}"
    count = {"land": 12, "sea": 60}[surface]
    said = f"Scored on {surface} alone, {count} of 72 cells; {source}. Spectra"
    assert said in scores.attrs["remarks"]


def test_the_surface_of_a_region_is_in_both(truth, forecast):
    box = Region.parse("-20:20,60:130")
    place = find_place(box, "land", truth)
    np.testing.assert_array_equal(place.cells(GRID), LAND & box.cells(GRID))
    (kept,), _ = keep_defined([forecast], truth, place, [])
    error = np.random.default_rng(1).standard_normal(GRID.shape)
    forecast.fields[:, :, 0] = truth.fields[:, 1:, 0] + error
    scores = evaluate_forecast(kept, truth, region=place, resamples=10)
    weights = GRID.cell_area_weights * place.cells(GRID)
    expected = (weights * error**2).sum() / weights.sum()
    np.testing.assert_allclose(scores["mse"].sel(forecast="triton")[0], expected, rtol=1e-5)
    assert scores.attrs["region"] == "land in -20:20,60:130"


def test_variables_of_the_sea_are_left_out_on_land(truth, forecast):
    place = find_place(None, "land", truth)
    (kept,), said = keep_defined([forecast], truth, place, [None, "temperature:2001..2002"])
    assert kept.variables.names == ["temperature"]
    np.testing.assert_array_equal(kept.read(slice(1, 3), 2), forecast.read(slice(1, 3), 2)[:, :1])
    assert said == ["Not scored, as not defined on land: salinity."]
    (kept,), said = keep_defined([forecast], truth, find_place(None, "sea", truth), ["salinity"])
    assert (kept, said) == (forecast, [])


def test_what_is_needed_must_be_defined(truth, forecast, forecasts_of):
    place = find_place(None, "land", truth)
    found = (
        "scores on land: expected {} to be defined there, found that salinity is not. Score every"
    )
    with pytest.raises(UserError, match=found.format("salinity")):
        keep_defined([forecast], truth, place, ["salinity"])
    salt = forecasts_of(forecast.fields[:, :, 1:], variables=Variables((SALT,)), grid=GRID)
    with pytest.raises(UserError, match=found.format("a variable")):
        keep_defined([salt], truth, place, [])
    with pytest.raises(UserError, match=r"every variable to be defined there.*`keep_defined`"):
        evaluate_forecast(forecast, truth, region=place)


def test_spectra_are_of_land_and_sea(truth_of, forecasts_of):
    grid = LatLonGrid(tuple(np.arange(-84.375, 90, 11.25)), tuple(np.arange(0.0, 360, 11.25)))
    fields = np.random.default_rng(2).standard_normal((2, 3, 1, *grid.shape))
    shared = {"variables": Variables((WARMTH,)), "grid": grid}
    truth = truth_of(fields, **shared)
    forecast = forecasts_of(0.9 * fields[:, 1:], **shared)
    place = find_place(None, "sea", truth)
    sea = evaluate_forecast(forecast, truth, region=place, resamples=10)
    both = evaluate_forecast(forecast, truth, resamples=10)
    spectra = [name for name in both if "spectrum" in name]
    assert len(spectra) > 1
    xr.testing.assert_equal(sea[spectra], both[spectra])
    assert not np.allclose(sea["rmse"], both["rmse"])
