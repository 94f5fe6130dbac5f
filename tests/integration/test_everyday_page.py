"""The Python of docs/everyday.md, as one session in a folder with the files of docs/data.md."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

import triton_earth
from tests.builders import tiny_forecaster
from tests.integration.test_data_page import printed, write_files
from triton_earth.evaluation.scores_file import save_scores
from triton_earth.models.checkpoint import save_forecaster

PAGE = Path(__file__).parents[2] / "docs" / "everyday.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe, _ = printed()
    Path("my_sst.yaml").write_text(recipe, encoding="utf-8")
    write_files()
    store = triton_earth.prepare("my_sst.yaml", "sst.zarr")
    origin = {"recipe": {"forecast": yaml.safe_load(recipe)["forecast"]}}
    save_forecaster(tiny_forecaster(store, history=2), Path("run"), origin)
    some = "2002-08-05..2002-09-30/14D"
    triton_earth.forecast("run", "sst.zarr", "forecast.zarr", steps=10, init=some, guard="record")
    scores = triton_earth.evaluate("forecast.zarr", "sst.zarr", resamples=10)
    Path("report").mkdir()
    save_scores(scores, Path("report"))
    return tmp_path


def test_the_code_of_the_page_does_what_it_says(folder):
    page = PAGE.read_text(encoding="utf-8")
    session: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(code, "docs/everyday.md", "exec"), session)
    names = ("forecast", "fields", "further", "series", "true", "error", "one_day", "rmse", "table")
    forecast, fields, further, series, true, error, one_day, rmse, table = map(session.get, names)
    for made in ("ten_days.nc", "first_start.nc", "rmse.csv", "map.png"):
        assert (folder / made).stat().st_size > 0, made
    assert fields["init_time"].values == np.datetime64("2002-08-05")
    # What is gone on with is what a longer forecast gives.
    whole = triton_earth.forecast(
        "run", "sst.zarr", init=str(forecast["init_time"].values[0])[:10], steps=20
    )
    last = whole["sea_surface_temperature"].isel(init=0, lead_time=-1)
    assert further["valid_time"].values.ravel()[-1] == last["valid_time"].values
    xr.testing.assert_equal(
        further["sea_surface_temperature"].squeeze(drop=True),
        last.drop_vars(set(last.coords) - {"latitude", "longitude"}),
    )
    assert series.sizes == {"valid_time": 10}
    assert true["time"].values.tolist() == series["valid_time"].values.tolist()
    assert np.isfinite(error).all()
    assert one_day.dims == ("latitude", "longitude")
    assert rmse.sizes["lead_time"] == 10
    assert {"rmse", "rmse_interval"} <= set(table.columns)
