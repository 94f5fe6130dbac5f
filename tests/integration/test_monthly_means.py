"""`forecast --every month`, through the command line: stored, open with xarray, no match for single steps."""

import numpy as np
import pytest
import xarray as xr

from tests.builders import daily_store, tiny_forecaster
from triton_earth.models.checkpoint import save_forecaster


@pytest.fixture
def model(tmp_path):
    """A store of 400 days, and a forecaster with random weights."""
    times = np.datetime64("2002-01-01", "ns") + np.arange(400) * np.timedelta64(1, "D")
    store = daily_store(tmp_path / "store.zarr", times, sunshine=False)
    save_forecaster(tiny_forecaster(store, prediction="state"), tmp_path / "model", {})
    return tmp_path / "model", tmp_path / "store.zarr"


def test_months_are_stored_and_judged_by_nobody(command, refused, model, tmp_path):
    out = tmp_path / "months.zarr"
    asked = ("forecast", *model, "--init", "2002-03-20", "--steps", 75, "--guard", "record")
    made = command(*asked, "--every", "month", "--out", out)
    assert made.code == 0, made.err
    assert "simulated years per day" in made.err
    single = tmp_path / "single.zarr"
    assert command("-q", *asked, "--out", single).code == 0
    with xr.open_zarr(out) as months, xr.open_zarr(single) as days:
        assert months["month"].dt.month.values.tolist() == [4, 5]
        assert "mean" in months["temperature"].attrs["cell_methods"]
        april = days["valid_time"].values[0].astype("datetime64[M]") == np.datetime64("2002-04")
        expected = days["temperature"].values[0, april].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(months["temperature"].values[0, 0], expected, rtol=1e-6)
    line = refused("evaluate", out, model[1], "--out", tmp_path / "report")
    assert "its fields are means over each month, but scores compare single steps" in line


def test_what_has_no_whole_month_is_refused(refused, model, tiny_run, tiny_store, tmp_path):
    asked = ("--every", "month", "--out", tmp_path / "months.zarr")
    line = refused("forecast", *model, "--init", "2002-03-20", "--steps", 10, *asked)
    assert "--every month: 10 steps from 2002-03-20 have no whole calendar month" in line
    line = refused("forecast", *model, "--init", "2002-03-20,2002-04-20", "--steps", 75, *asked)
    assert "--every month: expected one initial time" in line
    line = refused("forecast", tiny_run, tiny_store, "--steps", 3, *asked)
    assert "there are calendar months where times are dates" in line
