"""`forecast` without `out`: the values of a stored forecast, as a dataset in memory."""

import numpy as np
import pytest
import xarray as xr

import triton_earth
from tests.builders import tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.workflow.evaluate import evaluate
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.opening import open_forecast

FEW = {"resamples": 20, "name": ["model"]}


def test_it_is_what_is_stored(tiny_run, tiny_store, tiny_forecast):
    found = forecast(tiny_run, tiny_store)
    stored = open_forecast(tiny_forecast).to_xarray()
    assert set(found.coords) == set(stored.coords)
    xr.testing.assert_equal(found, stored)
    assert found["vorticity"].attrs["units"] == stored["vorticity"].attrs["units"]
    scores = evaluate(found, tiny_store, **FEW)
    xr.testing.assert_identical(
        scores.drop_attrs(), evaluate(tiny_forecast, tiny_store, **FEW).drop_attrs()
    )


def test_netcdf_holds_a_stored_forecast(tiny_forecast, tiny_store, tmp_path):
    open_forecast(tiny_forecast).to_xarray().to_netcdf(tmp_path / "forecast.nc")
    xr.testing.assert_identical(
        evaluate(tmp_path / "forecast.nc", tiny_store, **FEW).drop_attrs(),
        evaluate(tiny_forecast, tiny_store, **FEW).drop_attrs(),
    )


def test_a_loaded_forecaster_from_one_initial_time(weather):
    model = tiny_forecaster(weather)
    times = weather.times[[4, 5]].astype("datetime64[s]").astype(str)
    found = forecast(
        model, weather, init=f"{times[0]},{times[1]}", steps=3, split="valid",
        variables=["temp*"], leads="1,3", region="-60:10,0:180",
    )  # fmt: skip
    one = found.sel(init_time=times[1])
    assert one.sizes == {"lead_time": 2, "latitude": 5, "longitude": 5}
    whole = forecast(model, weather, init=[times[1]], steps=3, split="valid")
    inside = whole["temperature"].isel(init=0, lead_time=[0, 2]).sel(
        latitude=one["latitude"], longitude=one["longitude"]
    )  # fmt: skip
    np.testing.assert_array_equal(one["temperature"], inside)


def test_members_are_a_dimension(weather):
    found = forecast(tiny_forecaster(weather), weather, steps=2, split="train", members=3)
    assert found["temperature"].dims == ("init", "member", "lead_time", "latitude", "longitude")
    assert float(found["temperature"].isel(lead_time=0).std("member").max()) > 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"statistics_only": True, "steps": 2},
            "statistics_only says what is stored, but there is",
        ),
        ({"steps": 2, "resume": True}, "resume and overwrite are of use with `out` only"),
        ({}, "triton: the model does not say how many steps to forecast; add --steps"),
        ({"steps": 2, "out": "f.zarr"}, "f.zarr: a stored forecast says which model made it"),
    ],
)
def test_what_has_no_sense_in_memory_is_refused(weather, options, expected):
    with pytest.raises(UserError, match=expected):
        forecast(tiny_forecaster(weather), weather, split="train", **options)


def test_what_memory_cannot_hold_is_refused(weather, monkeypatch):
    monkeypatch.setattr("triton_earth.core.processes.machine.free_memory", lambda: 1e3)
    with pytest.raises(UserError, match=r"leads in memory takes .* Give `out` to store it"):
        forecast(tiny_forecaster(weather), weather, steps=3, split="train")


def test_a_name_of_netcdf_is_refused(tiny_run, tiny_store, tmp_path):
    with pytest.raises(UserError) as caught:
        triton_earth.forecast(tiny_run, tiny_store, tmp_path / "f.nc")
    assert "expected the name of a Zarr folder, found that of a file (.nc). Choose " in str(
        caught.value
    )
    assert "`triton-earth export-forecast f.zarr --layout netcdf --out f`" in str(caught.value)
    with pytest.raises(UserError, match=r"t\.nc: expected the name of a Zarr folder"):
        triton_earth.prepare("turbulence_small", tmp_path / "t.nc")
    assert list(tmp_path.iterdir()) == []
