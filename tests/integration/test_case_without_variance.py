"""A day without rain anywhere has no pattern: the other cases of its lead are judged, and their number is told."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, write, write_recipe

DRY = "2001-02-05"


@pytest.fixture
def stores(command, tmp_path):
    """A store of rain with one dry day in its test split, and a forecast by persistence from every day of it."""
    data = dataset()[["t2m"]]
    rain = np.maximum(np.random.default_rng(0).normal(0, 1e-4, data["t2m"].shape), 0)
    rain[data["time"].values == np.datetime64(DRY)] = 0.0
    data["pr"] = (data["t2m"].dims, rain, {"units": "kg m-2 s-1"})
    variables = ["2m_temperature", "precipitation_flux"]
    recipe = write_recipe(tmp_path / "r.yaml", write(tmp_path / "a.nc", data), variables=variables)
    store, forecast = tmp_path / "store.zarr", tmp_path / "forecast.zarr"
    done = command("prepare", recipe, "--out", store)
    assert done.code == 0, done.err
    init = ",".join(str(np.datetime64("2001-02-02") + day) for day in range(4))
    asked = ("forecast", "persistence", store, "--init", init, "--steps", 2)
    done = command(*asked, "--out", forecast)
    assert done.code == 0, done.err
    return store, forecast


def test_scores_say_how_many_cases_have_a_correlation(command, stores, tmp_path):
    store, forecast = stores
    report = tmp_path / "report"
    done = command("evaluate", forecast, store, "--out", report)
    assert done.code == 0, done.err
    with xr.open_dataset(report / "scores.nc") as scores:
        pr, rest = (scores.sel(variable=name) for name in ("precipitation_flux", "2m_temperature"))
        # Of starts on 2 to 5 February, that of the 4th has the dry day at step 1, that of the 3rd at step 2; of the
        # 5th persistence has no rain at all.
        assert pr["initial_conditions"].values.tolist() == [4, 4]
        assert pr["correlated_conditions"].isel(forecast=0).values.tolist() == [2, 2]
        assert (pr["correlated_conditions"].sel(forecast="climatology") == 3).all()
        assert np.isfinite(pr["correlation"]).all()
        assert (rest["correlated_conditions"] == 4).all()
    said = "The truth of precipitation_flux is the same in all cells in 2 of 8 pairs of initial condition and lead"
    assert said in done.out + done.err
    assert said in (report / "report.html").read_text()
