"""Files of forecasts: fields are at the time at which they are valid, however the file says it."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files

T2M = ["2m_temperature"]
START = {"standard_name": "forecast_reference_time"}


def started():
    """Fields whose times are the starts of forecasts."""
    data = dataset()[["t2m"]]
    data["time"].attrs = START
    return data


@pytest.mark.parametrize(
    "lead",
    [
        ((), 6, {"units": "hours"}),
        ((), 0.25, {"units": "days"}),
        ("time", np.full(40, 360), {"units": "minutes"}),
        ("step", [6.0], {"units": "h"}),
    ],
)
def test_the_lead_is_added_to_the_start(tmp_path, lead):
    data = started()
    if lead[0] == "step":
        data = data.expand_dims("step", axis=1)
    data = data.assign_coords(step=lead)
    opened = source(write(tmp_path / "a.nc", data), variables=T2M)
    valid = data["time"].values + np.timedelta64(6, "h")
    np.testing.assert_array_equal(opened.times, valid[: len(opened.times)])
    assert "reference-time" not in inspect_files(str(tmp_path / "a.nc")).kinds


def test_valid_times_of_one_forecast(tmp_path):
    data = dataset()[["t2m"]]
    steps = data["time"].values - data["time"].values[0]
    run = data.rename(time="step").assign_coords(
        step=("step", steps / np.timedelta64(1, "h"), {"units": "hours"}),
        time=((), data["time"].values[0], START),
    )
    write(tmp_path / "a.nc", run)
    remedy = r"ds\.assign_coords\(valid_time=ds\.time \+ ds\.step\)\.swap_dims\(step='valid_time'\)"
    with pytest.raises(UserError, match=rf"also depends on \['step'\]\. .*{remedy}"):
        source(tmp_path / "a.nc", variables=T2M)
    valid = run.assign_coords(valid_time=("step", data["time"].values, {"standard_name": "time"}))
    opened = source(write(tmp_path / "b.nc", valid), variables=T2M)
    np.testing.assert_array_equal(opened.times, data["time"].values[: len(opened.times)])


def test_several_leads_are_to_be_chosen(tmp_path):
    data = xr.concat([started()] * 2, "step").transpose("time", "step", ...)
    data = data.assign_coords(step=("step", [6, 12], {"units": "hours"}))
    data["t2m"].attrs["units"] = "K"
    with pytest.raises(
        UserError, match=r"\['step'\]\. Choose one of each \(xarray: ds\.isel\(step=0"
    ):
        source(write(tmp_path / "a.nc", data), variables=T2M)
