"""The split of a source is that of its times, whose first step begins before its stamp, for `plan` as for `prepare`."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import TINY_MODEL, write
from triton_earth.core.errors import UserError
from triton_earth.data.preparation.gridded import prepare_gridded, split_of_source
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.gridded import GriddedSource
from triton_earth.workflow.recipes.expected_data import expected_data
from triton_earth.workflow.recipes.recipe import Recipe

HOUR = np.timedelta64(1, "h")
SPLITS = {"train": ["2001-01-01", "2001-01-04"], "valid": ["2001-01-06", "2001-01-07"],
          "test": ["2001-01-09", "2001-01-10"]}  # fmt: skip


def values(path, **changes):
    """A recipe's data: hourly rain put onto six hours."""
    rain = {"variables": ["total_precipitation"], "step": "6 h", "splits": SPLITS}
    return {"kind": "gridded", "path": str(path), **rain, **changes}


@pytest.fixture
def rain(tmp_path):
    """Hourly rain of ten days, stamped at the end of each hour."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(1, 241) * HOUR
    numbers = np.random.default_rng(0).random((240, 4, 4)) * 1e-3
    data = xr.Dataset(
        {
            "tp": (
                ("time", "latitude", "longitude"),
                numbers,
                {"units": "m", "GRIB_stepType": "accum"},
            )
        },
        coords={
            "time": times,
            "latitude": ("latitude", [-60.0, -20, 20, 60], {"units": "degrees_north"}),
            "longitude": ("longitude", [0.0, 90, 180, 270], {"units": "degrees_east"}),
        },
    )
    return write(tmp_path / "rain.nc", data)


def test_a_step_that_ends_at_its_stamp_belongs_to_the_period_that_begins_with_it(rain, tmp_path):
    data = GriddedData.parse(values(rain), "recipe")
    source = GriddedSource(data)
    assert source.times[0] == np.datetime64("2001-01-01T06")
    assert source.lead_in == 5 * HOUR  # its first field is stamped at 1 UTC
    split = split_of_source(source, data, 2)
    assert split[0] == "train"
    # Steps that end within the days of the period, of which the first has none at 00 UTC.
    assert [(split == name).sum() for name in ("train", "valid", "test")] == [15, 8, 8]
    store = prepare_gridded(data, tmp_path / "rain.zarr", {}, window=2)
    sizes = [sum(one.stop - one.start for one in store.segments(name)) for name in SPLITS]
    assert sizes == [15, 8, 8]


def test_plan_splits_as_prepare_does(rain):
    recipe = Recipe.parse(
        {
            "title": "rain",
            "data": values(rain),
            "model": TINY_MODEL,
            "train": {"steps": 2, "batch_size": 2},
            "forecast": {"steps": 2},
        },
        "recipe",
    )
    described = expected_data(recipe, None)
    assert [described.times(name) for name in SPLITS] == [15, 8, 8]
    assert described.origin == "as in the files"


def test_a_period_that_begins_before_the_first_step_does_is_refused(rain):
    early = {**SPLITS, "train": ["2000-12-31", "2001-01-04"]}
    data = GriddedData.parse(values(rain, splits=early), "recipe")
    with pytest.raises(UserError, match=r"train period 2000-12-31 to .* reaches beyond the times"):
        split_of_source(GriddedSource(data), data, 2)


def test_the_gap_is_a_window_or_what_the_recipe_wants(rain):
    data = GriddedData.parse(values(rain), "recipe")
    source = GriddedSource(data)
    with pytest.raises(UserError, match="a gap of 9, one window of the model"):
        split_of_source(source, data, 9)
    wide = GriddedData.parse(values(rain, gap=9), "recipe")
    with pytest.raises(UserError, match="a gap of 9"):
        split_of_source(source, wide, 2)
