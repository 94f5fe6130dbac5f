"""Scores by region beside the main ones, in the same pass."""

import json

import numpy as np
import pytest
import xarray as xr
from tests.builders import tiny_forecaster, weather_store
from tests.cases import case_of

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.processes.tasks import InThisProcess
from triton_earth.core.region import Region
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics import by_region as by_region_module
from triton_earth.evaluation.metrics.by_region import ByRegion
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.regions.named_regions import named_regions
from triton_earth.evaluation.regions.places import find_place
from triton_earth.evaluation.scores_file import save_scores
from triton_earth.evaluation.streaming import aggregate
from triton_earth.rollout.storage.writer import write_forecast

GRID = LatLonGrid(tuple(np.arange(-75.0, 90, 30)), tuple(np.arange(0.0, 360, 30)))
WARMTH, SALT = Variable("temperature", "K"), Variable("salinity", "1e-3")
FRACTION = Variable("land_sea_mask", "1", role=Role.STATIC)
LAND = np.zeros(GRID.shape, bool)
LAND[2:5, 3:7] = True
TEXTS = ["tropics", "kuroshio=20:80,120:215", "land", "sea"]


@pytest.fixture
def truth(truth_of):
    """Eight trajectories: temperature everywhere, salinity at sea and in a coastal cell, the land fraction."""
    fields = np.random.default_rng(0).standard_normal((8, 4, 3, *GRID.shape))
    fields[:, :, 2] = LAND
    valid = np.ones((3, *GRID.shape), bool)
    valid[1] = ~LAND
    valid[1, 2, 3] = True
    fields[:, :, ~valid] = np.nan
    return truth_of(
        fields, variables=Variables((WARMTH, SALT, FRACTION)), grid=GRID, valid_mask=valid
    )


@pytest.fixture
def forecast(truth, forecasts_of):
    """An error of 1 on land and 2 at sea."""
    error = np.where(LAND, 1.0, 2.0)
    return forecasts_of(
        truth.fields[:, 1:, :2] + error, variables=Variables((WARMTH, SALT)), grid=GRID, chunk=3
    )


def by_region(texts, forecast, truth, place=None, **options):
    regions = named_regions(texts, forecast, truth, place)
    return evaluate_forecast(
        forecast, truth, region=place, by_region=regions, resamples=20, **options
    )


def test_closed_form(truth, forecast):
    scores = by_region(["land", "sea"], forecast, truth)
    found = scores["rmse_by_region"].sel(forecast="triton", variable="temperature")
    np.testing.assert_allclose(found.sel(region="land"), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.sel(region="sea"), 2.0, rtol=1e-6)
    assert scores["rmse_by_region"].dims == ("region", "forecast", "variable", "lead_time")
    assert scores["region"].values.tolist() == ["land", "sea"]
    words = "where 'land_sea_mask' of the truth is at least 0.5"
    land, sea = f"{words}; 12 of 72 cells", f"all but land, which is {words}; 60 of 72 cells"
    assert scores["region_description"].values.tolist() == [land, sea]
    assert f"Scored by region too: land, sea; land is where {words[6:]}." in scores.attrs["remarks"]


def test_the_same_as_with_region(truth, forecast):
    """Two routes to one number: beside the others, and alone."""
    forecast.fields += np.random.default_rng(1).standard_normal(forecast.fields.shape)
    scores = by_region(TEXTS, forecast, truth)
    for text in TEXTS[:2]:
        region = Region.parse(text)
        alone = evaluate_forecast(forecast, truth, region=region, resamples=20)
        for name in [*METRICS, "mse_minus_persistence"]:
            if name not in alone:  # without a training split there are no anomalies
                assert METRICS[name].anomalies
                continue
            for own, other in (
                (f"{name}_by_region", name),
                (f"{name}_by_region_interval", f"{name}_interval"),
            ):
                np.testing.assert_array_equal(
                    scores[own].sel(region=region.name), alone[other], err_msg=own
                )


def test_surfaces_are_the_same_as_with_surface(truth, forecast):
    forecast.fields += np.random.default_rng(1).standard_normal(forecast.fields.shape)
    scores = by_region(TEXTS, forecast, truth)
    sea = evaluate_forecast(forecast, truth, region=find_place(None, "sea", truth), resamples=20)
    np.testing.assert_array_equal(scores["rmse_by_region"].sel(region="sea"), sea["rmse"])


def test_within_a_place_regions_are_its_parts(truth, forecast):
    forecast.fields += np.random.default_rng(1).standard_normal(forecast.fields.shape)
    kuroshio = Region.parse(TEXTS[1])
    scores = by_region(["sea"], forecast, truth, kuroshio)
    alone = evaluate_forecast(
        forecast, truth, region=find_place(kuroshio, "sea", truth), resamples=20
    )
    np.testing.assert_array_equal(scores["rmse_by_region"].sel(region="sea"), alone["rmse"])
    assert (
        scores["region_description"]
        .values[0]
        .endswith("only kuroshio (20:80,120:215); 5 of 72 cells")
    )


def test_what_is_not_defined_there_is_missing(truth, forecast):
    scores = by_region(TEXTS, forecast, truth)
    salt = scores["rmse_by_region"].sel(forecast="triton", variable="salinity")
    assert np.isnan(salt.sel(region="land")).all()
    assert np.isfinite(salt.sel(region=["tropics", "kuroshio", "sea"])).all()
    interval = scores["rmse_by_region_interval"].sel(region="land", variable="salinity")
    assert np.isnan(interval).all()
    assert "Not scored in land, as not defined there: salinity." in scores.attrs["remarks"]
    assert np.isfinite(scores["rmse"]).all()


def test_the_rest_stays_as_it_is(truth, forecast):
    scores = by_region(TEXTS, forecast, truth)
    without = evaluate_forecast(forecast, truth, resamples=20)
    names = [name for name in scores if "region" not in scores[name].dims]
    xr.testing.assert_equal(scores[names].drop_dims("region", errors="ignore"), without)
    assert "region" not in without.dims


def test_nothing_is_kept_without_regions(truth, forecast, monkeypatch):
    def refuse(*_):
        raise AssertionError("sums of regions")

    monkeypatch.setattr(by_region_module, "put_sums", refuse)
    assert "region" not in evaluate_forecast(forecast, truth, resamples=20).dims
    with pytest.raises(AssertionError, match="sums of regions"):
        by_region(["sea"], forecast, truth)


class _InTurn(InThisProcess):
    """Tasks of two processes, done one after the other."""

    processes = 2

    def map(self, function, work, pieces):
        assert len(pieces) == 3
        return [function(work, piece) for piece in pieces]


def test_in_pieces_the_same(truth, forecast):
    regions = named_regions(TEXTS, forecast, truth, None)
    case, families = case_of([forecast], truth), [ByRegion(tuple(regions))]
    (whole,) = aggregate(case, families, InThisProcess())
    (found,) = aggregate(case, families, _InTurn())
    assert whole.sums.shape == (4, 8, 2, 8, 3, 2)
    np.testing.assert_allclose(found.sums, whole.sums, rtol=1e-12, atol=1e-12)
    assert found.regions == tuple(regions)


def test_on_disk(tmp_path):
    store = weather_store(tmp_path / "store.zarr")
    forecast = write_forecast(
        tiny_forecaster(store),
        store,
        tmp_path / "forecast.zarr",
        trajectories=[4, 4, 5],
        starts=[0, 2, 1],
        steps=3,
        batch_size=3,
        provenance={},
    )
    scores = by_region(["sea", "tropics"], forecast, store)
    save_scores(scores, tmp_path)
    with xr.open_dataset(tmp_path / "scores.nc") as read:
        np.testing.assert_array_equal(read["acc_by_region"], scores["acc_by_region"])
        assert read["region_description"].values.tolist() == [
            str(words) for words in scores["region_description"].values
        ]
    found = json.loads((tmp_path / "scores.json").read_text())["regions"]
    assert list(found) == ["sea", "tropics"]
    assert found["tropics"]["description"] == (
        "latitude -20 to 20, longitude 0 to 360 degrees; 16 of 64 cells"
    )
    rmse = found["tropics"]["forecasts"]["persistence"]["temperature"]["rmse_by_region"]
    expected = scores["rmse_by_region"].sel(
        region="tropics", forecast="persistence", variable="temperature"
    )
    np.testing.assert_allclose(rmse["value"], expected)
    assert set(rmse) == {"value", "lower", "upper"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["europe"], r"--by-region europe: expected NAME=SOUTH:NORTH,WEST:EAST in degrees or one of "
         r"land, sea, tropics, northern_extratropics, southern_extratropics, found the name 'europe' alone"),
        (["land", "sea", "land"], "expected regions with different names, found 'land' twice. Leave one"),
        (["a=-20:20,0:50", "a=-20:20,0:60"], "found 'a' twice"),
        (["a=1:2,3:4"], r"no cell of the grid lies in the region a \(1:2,3:4\)"),
        (["a=1:2"], "region 'a=1:2': expected SOUTH:NORTH,WEST:EAST in degrees"),
    ],
)  # fmt: skip
def test_regions_that_are_refused(texts, message, truth, forecast):
    with pytest.raises(UserError, match=message):
        named_regions(texts, forecast, truth, None)


def test_a_region_outside_the_place_is_refused(truth, forecast):
    message = (
        r"--by-region a=-80:-50,0:90: expected at least one cell of it in tropics .*, found none"
    )
    with pytest.raises(UserError, match=message):
        named_regions(["a=-80:-50,0:90"], forecast, truth, Region.parse("tropics"))


def test_a_region_without_a_variable_is_refused(truth, forecast, forecasts_of):
    salt = forecasts_of(forecast.fields[:, :, 1:], variables=Variables((SALT,)), grid=GRID)
    message = (
        "--by-region land: expected a variable to be defined there, found that salinity is not"
    )
    with pytest.raises(UserError, match=message):
        named_regions(["sea", "land"], salt, truth, None)


def test_boxes_without_latitudes_are_refused(truth_of, forecasts_of):
    box = np.zeros((1, 3, 1, 4, 4))
    truth, forecast = truth_of(box, grid=PeriodicGrid(4, 4)), forecasts_of(box[:, 1:])
    for text in ("tropics", "land"):
        with pytest.raises(UserError, match="latitude-longitude grid; found periodic box"):
            named_regions([text], forecast, truth, None)


def test_a_box_may_be_its_own_name(truth, forecast):
    (found,) = named_regions(["-20:20,0:90"], forecast, truth, None)
    assert found.name == "-20:20,0:90"
    assert found.cells.sum() == 2 * 4
