import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.region import Region
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.regions.weights import cell_weights

GRID = LatLonGrid(tuple(np.arange(-75.0, 90, 30)), tuple(np.arange(0.0, 360, 60)))


def test_a_box():
    cells = Region.parse("-20:50,100:250").cells(GRID)
    assert np.argwhere(cells.any(axis=1)).ravel().tolist() == [2, 3, 4]
    assert np.argwhere(cells.any(axis=0)).ravel().tolist() == [2, 3, 4]


@pytest.mark.parametrize("text", ["-90:90,300:60", "-90:90,-60:60"])
def test_a_box_across_greenwich(text):
    cells = Region.parse(text).cells(GRID)
    assert np.argwhere(cells.any(axis=0)).ravel().tolist() == [0, 1, 5]


def test_all_longitudes():
    assert Region.parse("-90:90,0:360").cells(GRID).all()


@pytest.mark.parametrize("text", ["1:2", "1:2,3", "a:2,3:4", "1:2:3,4:5", ""])
def test_other_forms_are_refused(text):
    with pytest.raises(UserError, match="expected SOUTH:NORTH,WEST:EAST in degrees"):
        Region.parse(text)


@pytest.mark.parametrize("text", ["5:5,0:9", "9:5,0:9", "0:91,0:9"])
def test_latitudes_must_ascend(text):
    with pytest.raises(UserError, match="expected latitudes that ascend within -90 to 90"):
        Region.parse(text)


def test_empty_regions_and_boxes_without_latitudes_are_refused():
    with pytest.raises(UserError, match="no cell of the grid lies in the region 1:2,3:4"):
        Region.parse("1:2,3:4").cells(GRID)
    with pytest.raises(
        UserError, match="a region needs a latitude-longitude grid; found periodic box"
    ):
        Region.parse("1:2,3:4").cells(PeriodicGrid(4, 4))
    with pytest.raises(UserError, match="cos-latitude weights need a latitude-longitude grid"):
        cell_weights(PeriodicGrid(4, 4), "cos_latitude")


def test_weights_by_name():
    np.testing.assert_array_equal(cell_weights(GRID, "cell_area"), GRID.cell_area_weights)
    np.testing.assert_array_equal(cell_weights(GRID, "cos_latitude"), GRID.cos_latitude_weights)
    # Bands of 30 degrees: sin 90 − sin 60 against cos 75, relative to the tropics.
    polar = GRID.cell_area_weights[0, 0] / GRID.cell_area_weights[2, 0]
    assert polar == pytest.approx((1 - np.sqrt(3) / 2) / 0.5)


def test_scores_of_a_region_are_those_of_its_cells(forecasts_of, truth_of):
    generator = np.random.default_rng(0)
    truth = generator.standard_normal((3, 5, 1, 6, 6))
    forecast = truth[:, 1:] + generator.standard_normal((3, 4, 1, 6, 6))
    shared = {"variables": Variables((Variable("temperature", "K"),)), "grid": GRID}
    region = Region.parse("-20:50,100:250")
    scores = evaluate_forecast(
        forecasts_of(forecast, **shared),
        truth_of(truth, **shared),
        resamples=20,
        region=region,
        weights="cos_latitude",
    )
    error = (forecast - truth[:, 1:]).astype(np.float32)[:, :, 0] ** 2
    weights = GRID.cos_latitude_weights * region.cells(GRID)
    expected = (error * weights).sum(axis=(2, 3)).mean(axis=0) / weights.sum()
    found = scores["mse"].sel(forecast="triton", variable="temperature")
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert scores.attrs["region"] == "-20:50,100:250"
    assert scores.attrs["weights"] == "cos_latitude"
