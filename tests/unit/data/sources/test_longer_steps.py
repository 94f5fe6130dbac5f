"""Longer steps: accumulations are summed, means averaged, moments sampled, and what is not known is asked for."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import source, write
from triton_earth.core.errors import UserError

HOUR = np.timedelta64(1, "h")
SPLITS = {"train": ["2001-01-01", "2001-01-04"], "valid": ["2001-01-06", "2001-01-07"],
          "test": ["2001-01-09", "2001-01-10"]}  # fmt: skip
LATITUDE, LONGITUDE = np.arange(-30.0, 31, 20), 90.0 * np.arange(4)


def hourly(*, first=0, hours=240, place="end", bounds=True, **attributes):
    """Hourly rain of 1, 2, 3 ... mm from `first` hours into 2001 on, and temperatures of 0, 1, 2 ... K above 250."""
    starts = np.datetime64("2001-01-01", "ns") + (first + np.arange(hours)) * HOUR
    shift = {"start": 0 * HOUR, "middle": np.timedelta64(30, "m"), "end": HOUR}[place]
    numbers = np.broadcast_to(np.arange(hours, dtype=float)[:, None, None], (hours, 4, 4))
    dims = ("time", "latitude", "longitude")
    data = xr.Dataset(
        {
            "tp": (dims, 1e-3 * (1 + numbers), {"units": "m", **attributes}),
            "t2m": (dims, 250 + 0.2 * numbers, {"units": "K"}),
        },
        coords={
            "time": ("time", starts + shift),
            "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
            "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
        },
    )
    if bounds:
        data["time"].attrs["bounds"] = "time_bnds"
        data["time_bnds"] = (("time", "nv"), np.stack([starts, starts + HOUR], axis=1))
        for name in ("time", "time_bnds"):
            data[name].encoding = {"units": "minutes since 1990-01-01"}
    return data


def prepared(path, variables, step="6 h", **changes):
    opened = source(path, variables=variables, step=step, splits=SPLITS, **changes)
    return opened, opened.read(slice(None))[:, :, 0, 0]


@pytest.mark.parametrize(("place", "stamp"), [("start", 0), ("middle", 3), ("end", 6)])
def test_rain_is_summed_over_the_hours_that_bounds_say(tmp_path, place, stamp):
    path = write(tmp_path / "a.nc", hourly(place=place, cell_methods="time: sum"))
    opened, values = prepared(path, ["total_precipitation"])
    assert opened.times[0] == np.datetime64("2001-01-01") + stamp * HOUR
    # 1 + 2 + ... + 6 mm until 6 UTC, 7 + ... + 12 after that.
    np.testing.assert_allclose(1e3 * values[:3, 0], [21, 57, 93], rtol=1e-5)
    daily, values = prepared(path, ["total_precipitation"], step="1 d")
    assert str(daily.times[0])[:10] == "2001-01-01"
    np.testing.assert_allclose(1e3 * values[:2, 0], [300, 300 + 24 * 24], rtol=1e-5)


def test_moments_are_sampled_beside_sums_where_stamps_end_the_hours(tmp_path):
    data = hourly(first=-1, hours=241, GRIB_stepType="accum", bounds=False)
    opened, values = prepared(
        write(tmp_path / "a.nc", data), ["total_precipitation", "2m_temperature"]
    )
    np.testing.assert_array_equal(
        opened.times[:2], np.array(["2001-01-01T06", "2001-01-01T12"], "datetime64[ns]")
    )
    np.testing.assert_allclose(
        1e3 * values[0], [2 + 3 + 4 + 5 + 6 + 7, 250 * 1e3 + 0.2 * 6e3], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("attributes", "how", "first"),
    [({"cell_methods": "time: mean"}, None, 3.5),
     ({"cell_methods": "area: time: mean (interval: 1 hour)"}, None, 3.5),
     ({"cell_methods": "time: point"}, None, 1.0),
     ({"online_operation": "average"}, None, 3.5),
     ({}, "mean", 3.5), ({}, "maximum", 6.0), ({}, "minimum", 1.0), ({}, "sample", 1.0),
     ({"cell_methods": "time: point"}, "sum", 21.0)],
)  # fmt: skip
def test_the_file_or_the_recipe_says_what_becomes_of_values(tmp_path, attributes, how, first):
    data = hourly(place="start", **attributes).rename(tp="rain")
    choice = {"name": "rain"} if how is None else {"name": "rain", "aggregate": how}
    _, values = prepared(write(tmp_path / "a.nc", data), [choice])
    assert 1e3 * values[0, 0] == pytest.approx(first)


@pytest.mark.parametrize(
    "methods", [None, "time: maximum", "time: mean within days time: sum over days"]
)
def test_what_is_not_known_is_asked_for(tmp_path, methods):
    attributes = {} if methods is None else {"cell_methods": methods}
    path = write(tmp_path / "a.nc", hourly(place="start", **attributes).rename(tp="rain"))
    with pytest.raises(
        UserError,
        match=r"'rain' is to be put from steps of 1 h onto data\.step 6 h: .* aggregate: mean\}",
    ):
        prepared(path, ["rain"])


def test_moments_are_no_months(tmp_path):
    path = write(tmp_path / "a.nc", hourly(place="start", hours=24 * 130))
    splits = {
        "train": ["2001-01", "2001-02"],
        "valid": ["2001-03", "2001-03"],
        "test": ["2001-04", "2001-04"],
    }
    with pytest.raises(UserError, match=r"put from steps of 1 h onto data\.step month"):
        source(path, variables=["2m_temperature"], step="month", splits=splits)
    choice = [{"name": "2m_temperature", "aggregate": "mean"}]
    opened = source(
        path, variables=choice, step="month", splits=splits, allow_implausible=["2m_temperature"]
    )
    assert len(opened.times) == 4
    values = opened.read(slice(0, 2))[:, 0, 0, 0]
    np.testing.assert_allclose(
        values, 250 + 0.2 * np.array([31 * 12 - 0.5, 31 * 24 + 28 * 12 - 0.5]), rtol=1e-6
    )


def test_a_step_that_lacks_an_hour_has_no_state(tmp_path):
    data = hourly(place="start", cell_methods="time: sum")
    data = data.isel(time=[hour for hour in range(240) if hour != 8])
    opened, values = prepared(write(tmp_path / "a.nc", data), ["total_precipitation"])
    np.testing.assert_array_equal(np.flatnonzero(~opened.recorded), [1])
    assert np.isnan(values[1, 0])
    assert 1e3 * values[2, 0] == pytest.approx(sum(range(13, 19)))


def test_accumulations_since_a_start_are_not_summed(tmp_path):
    data = hourly(place="end", cell_methods="time: sum")
    starts = data["time_bnds"].values[:, 0].astype("datetime64[D]").astype("datetime64[ns]")
    data["time_bnds"].values[:, 0] = starts
    with pytest.raises(
        UserError, match=r"would count times twice or leave some out\. Take differences"
    ):
        prepared(write(tmp_path / "a.nc", data), ["total_precipitation"])


def test_stamps_without_bounds_are_said_to_be_starts(tmp_path, caplog):
    data = hourly(place="start", bounds=False, cell_methods="time: sum")
    path = write(tmp_path / "a.nc", data)
    with caplog.at_level("WARNING", logger="triton_earth"):
        _, values = prepared(path, ["total_precipitation"])
    assert "do not say whether a time is the start or the end of its 1 h" in caplog.text
    assert 1e3 * values[0, 0] == pytest.approx(21)
    _, values = prepared(path, ["total_precipitation"], stamps="end")
    assert 1e3 * values[0, 0] == pytest.approx(2 + 3 + 4 + 5 + 6 + 7)


def test_variables_stamped_differently_make_no_common_steps(tmp_path):
    data = hourly(place="start", bounds=False, cell_methods="time: sum").rename(tp="one")
    data["two"] = data["one"].assign_attrs(GRIB_stepType="avg", cell_methods="")
    del data["two"].attrs["cell_methods"]
    with pytest.raises(
        UserError, match=r"stamps lie at the None and at the end .* Say data\.stamps"
    ):
        prepared(write(tmp_path / "a.nc", data), ["one", "two"])
