"""Times by what they mean: spellings, calendars and eras, dates as numbers and words, rounding, valid times, bounds."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.sources.times.axis import find_time, read_times
from triton_earth.data.sources.times.steps import MEAN_YEAR, equal_steps, regular_times

DAYS = np.datetime64("2001-01-01", "ns") + np.arange(40) * np.timedelta64(1, "D")
T2M = ["2m_temperature"]


def stamped(values, units, calendar=None, **attributes):
    """The usual data set with other numbers for its times."""
    attributes["units"] = units
    if calendar is not None:
        attributes["calendar"] = calendar
    return dataset(len(values)).assign_coords(time=("time", values, attributes))


def since(start, unit="D"):
    """Whole units since a date of our calendar."""
    elapsed = DAYS.astype("datetime64[s]") - np.datetime64(start, "s")
    return (elapsed // np.timedelta64(1, unit)).astype(np.int64)


@pytest.mark.parametrize(
    ("values", "units", "calendar"),
    [
        (since("2000-01-01"), "days since 2000-01-01", "Proleptic Gregorian"),
        (since("2000-01-01"), "days since 2000-01-01", "GREGORIAN"),
        (since("1600-01-01"), "days since 1600-01-01", "gregorian"),
        (since("2000-01-01"), "Days Since 2000-01-01", None),
        (since("0001-01-01"), "days since 0001-01-01", "proleptic_gregorian"),
        (since("0001-01-01", "h") + 48, "hours since 1-1-1 00:00:0.0", None),
        (np.arange(40.0), "days since 2001-01-01", "365 days"),
        (np.arange(40.0), "days since 2001-01-01", "julian"),
        (np.arange(40.0), "days since 2001-01-01", "all_leap"),
        (np.arange(40.0) / 7, "weeks since 2001-01-01", "standard"),
        (20010101.0 + np.where(np.arange(40) < 31, np.arange(40), np.arange(40) + 69), "day as %Y%m%d.%f", None),
        (np.arange(40) + np.where(np.arange(40) < 31, 20010101, 20010170), "%Y%m%d as %Y%m%d", None),
        (np.arange(40) + np.where(np.arange(40) < 31, 20010101, 20010170), "YYYYMMDD", None),
        (100 * (np.arange(40) + np.where(np.arange(40) < 31, 20010101, 20010170)), "yyyymmddhh", None),
    ],
)  # fmt: skip
def test_the_same_days_in_other_words(tmp_path, values, units, calendar):
    path = write(tmp_path / "a.nc", stamped(values, units, calendar))
    opened = source(path, variables=T2M)
    np.testing.assert_array_equal(opened.times, DAYS[: len(opened.times)])
    assert not inspect_files(str(path)).is_fatal


def test_texts_are_times():
    data = xr.Dataset(
        {"Times": ("Time", np.array([b"2001-01-01_06:00:00", b"2001-01-02 06:00:00Z"]))}
    )
    told = read_times(data, str(find_time(data)), "a.nc")
    assert [str(one)[:13] for one in told.stamps] == ["2001-01-01T06", "2001-01-02T06"]
    wrong = xr.Dataset({"Times": ("Time", np.array(["Monday"]))})
    with pytest.raises(UserError, match="holds texts such as 'Monday', which are no dates"):
        read_times(wrong, "Times", "a.nc")
    early = xr.Dataset({"Times": ("Time", np.array(["1500-01-01"]))})
    with pytest.raises(UserError, match="reaches from 1500 to 1500; only 1678 to 2261"):
        read_times(early, "Times", "a.nc")


@pytest.mark.parametrize(
    ("values", "attributes", "expected"),
    [
        (np.arange(3.0), {"units": "days since 2001-01-01", "calendar": "none"},
         "in the calendar 'none'; known are standard, gregorian"),
        (np.array([0.0, 29, 59]), {"units": "days since 2000-01-01", "calendar": "360_day"},
         "'360_day', which has other days than ours from 2000-02-30 on"),
        (np.array([59.0]), {"units": "days since 2001-01-01", "calendar": "366_day"},
         "'all_leap', which has other days than ours from 2001-02-29 on"),
        (np.arange(3.0), {"units": "days since the flood"}, "'the flood' is no date"),
        (np.arange(3.0), {"units": "fortnights since 2001-01-01"}, "'fortnights', which is no known unit"),
        (np.array([0, 0.3]), {"units": "months since 2001-01-01"},
         "'months', which are of different lengths, and holds 0.3, which is no whole or half one"),
        (np.array([0, 12000.0]), {"units": "months since 2001-01-01"}, "which reach from 1678 to 2262"),
        (np.array([20010230.0]), {"units": "day as %Y%m%d.%f"}, "20010230 is no such date within"),
        (np.array([20010101], "f4"), {"units": "day as %Y%m%d.%f"}, "dates as numbers in single precision"),
        (np.arange(3.0), {"units": "days since 01-01-2001"}, "'01-01-2001' is no date such as 1900-01-01"),
        (np.arange(3.0), {"units": "days since 0000-01-01"}, "'standard' has no date '0000-01-01' .* Correct"),
        (np.arange(3.0), {"units": "days since 2001-02-30"}, "has no date '2001-02-30' .* Correct"),
        (np.array([20010101, 20010131]), {"units": "days since 1-1-1"},
         "its numbers look like dates: 20010101. Say so: 'day as %Y%m%d.%f'"),
        (np.array([20010101]), {}, "has units None .* for dates such as 20000131 'day as %Y%m%d.%f'"),
    ],
)  # fmt: skip
def test_times_that_nobody_can_tell(values, attributes, expected):
    data = xr.Dataset(coords={"time": ("time", values, attributes)})
    with pytest.raises(UserError, match=expected):
        read_times(data, "time", "a.nc")


@pytest.mark.parametrize(
    ("units", "values", "first", "last"),
    [("months since 1960-01-01", [0.0, 1, 13], "1960-01-01", "1961-02-01"),
     ("months since 1960-01-01", [0.5, 1.5], "1960-01-16T12", "1960-02-15T12"),
     ("years since 1850-07-01", [0, 3], "1850-07-01", "1853-07-01"),
     ("year as %Y.%f", [1900.0, 1901.5], "1900-01-01", "1901-07-02T12")],
)  # fmt: skip
def test_months_and_years_are_those_of_the_calendar(units, values, first, last):
    data = xr.Dataset(coords={"time": ("time", np.array(values), {"units": units})})
    stamps = read_times(data, "time", "a.nc").stamps
    assert stamps[0] == np.datetime64(first)
    assert stamps[-1] == np.datetime64(last)


def test_months_of_30_days_are_months(tmp_path):
    months = 30.0 * np.arange(40) + 15
    data = stamped(months, "days since 1999-01-01", "360_day")
    splits = {
        "train": ["1999-01", "2000-12"],
        "valid": ["2001-03", "2001-06"],
        "test": ["2001-09", "2002-03"],
    }
    path = write(tmp_path / "a.nc", data)
    opened = source(path, variables=T2M, step="month", splits=splits)
    assert opened.recorded.all()
    np.testing.assert_array_equal(
        opened.times.astype("datetime64[M]"), np.arange("1999-01", "2002-04", dtype="datetime64[M]")
    )
    found = inspect_files(str(path))
    assert not found.is_fatal
    assert found.facts["calendar"] == "360_day"


def test_years(tmp_path):
    years = np.arange("1950", "1990", dtype="datetime64[Y]")
    path = write(
        tmp_path / "a.nc",
        dataset().assign_coords(time=years.astype("datetime64[ns]") + np.timedelta64(181, "D")),
    )
    splits = {"train": [1950, 1969], "valid": [1973, 1976], "test": [1980, 1989]}
    opened = source(path, variables=T2M, step="year", splits=splits)
    assert opened.recorded.all()
    assert (np.diff(opened.times) == MEAN_YEAR).all()
    np.testing.assert_array_equal(opened.times.astype("datetime64[Y]"), years)
    assert inspect_files(str(path)).facts["step"] == "year"
    others = stamped(360.0 * np.arange(40) + 180, "days since 1950-01-01", "360_day")
    opened = source(write(tmp_path / "b.nc", others), variables=T2M, step="year", splits=splits)
    np.testing.assert_array_equal(opened.times.astype("datetime64[Y]"), years)
    assert not inspect_files(str(tmp_path / "b.nc")).is_fatal
    with pytest.raises(UserError, match=r"Calendar years need `data\.step: year`"):
        source(path, variables=T2M, splits=splits)


@pytest.mark.parametrize(("month", "said"), [("01", True), ("07", False)])
def test_only_the_first_moment_of_a_year_may_be_of_either(tmp_path, caplog, month, said):
    years = np.arange("1950", "1990", dtype="datetime64[Y]").astype(str)
    stamps = np.array([f"{year}-{month}-01" for year in years], dtype="datetime64[ns]")
    path = write(tmp_path / "a.nc", dataset().assign_coords(time=stamps))
    splits = {"train": [1950, 1969], "valid": [1973, 1976], "test": [1980, 1989]}
    source(path, variables=T2M, step="year", splits=splits)
    assert ("the first moment of a year" in caplog.text) is said
    found = [one.message for one in inspect_files(str(path)).findings if "ambig" in one.kind]
    assert [("first moment of a year" in one) for one in found] == [True] * said


@given(
    st.sampled_from([1, 3, 6, 24]),
    st.sampled_from(["1850-01-01", "1950-01-01", "2000-01-01"]),
    st.sampled_from(["f4", "5 decimals", "4 decimals", "a second late"]),
)
def test_rounded_stamps_are_full_hours(hours, start, how):
    exact = np.datetime64("2001-01-01", "ns") + hours * np.arange(200) * np.timedelta64(1, "h")
    days = (exact - np.datetime64(start, "ns")) / np.timedelta64(1, "D")
    if how == "f4":
        days = days.astype("f4") if hours > 3 or start == "2000-01-01" else days
    elif how == "a second late":
        days = days + 1 / 86400
    else:
        days = np.round(days, int(how[0]))
    data = xr.Dataset(coords={"time": ("time", days, {"units": f"days since {start}"})})
    told = read_times(data, "time", "a.nc")
    snapped, own = equal_steps(told.stamps, "a.nc", max(told.rounding, np.timedelta64(10**9, "ns")))
    assert own == hours * np.timedelta64(1, "h")
    np.testing.assert_array_equal(snapped, exact)


def test_a_second_before_midnight_is_the_next_day_only_where_stamps_are_rounded():
    second = np.timedelta64(1, "s")
    late = DAYS - second  # the last second of each day, without exception
    np.testing.assert_array_equal(equal_steps(late, "a.nc")[0], late)
    jitter = DAYS - second * (np.arange(40) % 2)
    np.testing.assert_array_equal(equal_steps(jitter, "a.nc")[0], DAYS)
    hours = np.datetime64("2001-01-01", "ns") + np.arange(40) * np.timedelta64(1, "h")
    np.testing.assert_array_equal(equal_steps(hours - second, "a.nc")[0], hours)


def test_a_stamp_a_second_before_a_period_belongs_to_it(tmp_path):
    seconds = np.arange(40) * 86400 - np.arange(40) % 2
    path = write(tmp_path / "a.nc", stamped(seconds[1:] - 86400, "seconds since 2001-01-01"))
    opened = source(path, variables=T2M)
    np.testing.assert_array_equal(opened.times, DAYS[: len(opened.times)])


def test_stamps_that_are_off_by_more_are_uneven():
    times = DAYS.copy()
    times[7] += np.timedelta64(20, "m")
    with pytest.raises(UserError, match="2 of 39 steps between times are no multiple"):
        regular_times(times, None, "a.nc")
    odd = np.datetime64("2001-01-01T00:07", "ns") + np.arange(9) * np.timedelta64(12345, "ms")
    np.testing.assert_array_equal(regular_times(odd, None, "a.nc")[1], odd)


def test_the_valid_time_comes_before_the_reference_time(tmp_path):
    data = dataset()
    valid = data["time"].values + np.timedelta64(18, "h")
    attributes = {"standard_name": "forecast_reference_time"}
    both = data.assign_coords(valid_time=("time", valid, {"standard_name": "time"}))
    lead = data.assign_coords(step=((), 18.0, {"units": "hours"}))
    for number, one in enumerate((both, lead)):
        one["time"].attrs = attributes
        path = write(tmp_path / f"{number}.nc", one)
        np.testing.assert_array_equal(source(path, variables=T2M).times, valid)
    alone = data.copy()
    alone["time"].attrs = attributes
    path = write(tmp_path / "alone.nc", alone)
    found = inspect_files(str(path))
    assert "reference-time" in found.kinds
    assert (
        "is the time at which forecasts start"
        in found.findings[-1].message + found.findings[0].message
    )
    named = data.rename(time="t").assign_coords(reftime=("t", data["time"].values))
    assert find_time(named) == "t"


def with_bounds(months, *, point=False):
    """Monthly fields stamped at the end of their months, of 270 K in January, 271 K in February."""
    edges = np.arange(
        "1999-01", np.datetime64("1999-01", "M") + months + 1, dtype="datetime64[M]"
    ).astype("datetime64[ns]")
    values = np.broadcast_to(270 + np.arange(months)[:, None, None] % 12, (months, 8, 12)).astype(
        float
    )
    data = dataset(months)[["t2m"]].assign_coords(time=edges[1:])
    data["t2m"] = (("time", "latitude", "longitude"), values, {"units": "K"})
    if point:
        data["t2m"].attrs["cell_methods"] = "time: point"
    data["time"].attrs["bounds"] = "time_bnds"
    data["time_bnds"] = (("time", "nv"), np.stack([edges[:-1], edges[1:]], axis=1))
    for name in ("time", "time_bnds"):
        data[name].encoding = {"units": "days since 1990-01-01"}
    return data


def months_of(path, **changes):
    splits = {
        "train": ["1999-02", "2000-12"],
        "valid": ["2001-03", "2001-06"],
        "test": ["2001-09", "2002-03"],
    }
    opened = source(path, variables=T2M, step="month", splits=splits, **changes)
    first = opened.read(slice(0, 1))[0, 0, 0, 0] - 270
    return str(opened.times[0].astype("datetime64[M]")), int(first) + 1


def test_bounds_decide_which_month_it_is(tmp_path):
    path = write(tmp_path / "a.nc", with_bounds(40))
    assert months_of(path) == ("1999-02", 2)  # February's field, stamped 1 March
    found = inspect_files(str(path))
    assert "stamped-at-end" in found.kinds
    assert (
        "1999-02-01 is 1999-01-01 to 1999-02-01"
        in found.findings[-1].message + found.findings[0].message
    )
    moments = write(tmp_path / "b.nc", with_bounds(40, point=True))
    assert months_of(moments) == ("1999-02", 1)
    bare = with_bounds(40).drop_vars("time_bnds")
    del bare["time"].attrs["bounds"]
    path = write(tmp_path / "c.nc", bare)
    assert months_of(path) == ("1999-02", 1)
    assert months_of(path, stamps="end") == ("1999-02", 2)
    assert months_of(path, stamps="start") == ("1999-02", 1)
    assert "month-ambiguous" in inspect_files(str(path)).kinds


def test_what_prepare_takes_for_granted_is_said(tmp_path, caplog):
    bare = with_bounds(40).drop_vars("time_bnds")
    del bare["time"].attrs["bounds"]
    with caplog.at_level("WARNING", logger="triton_earth"):
        months_of(write(tmp_path / "c.nc", bare))
    assert "do not say whether it begins or ends its month" in caplog.text


def test_days_stamped_at_their_end_lie_on_their_date(tmp_path):
    data = dataset()
    ends = data["time"].values + np.timedelta64(1, "D")
    data["time_bnds"] = (("time", "nv"), np.stack([data["time"].values, ends], axis=1))
    data = data.assign_coords(time=("time", ends, {"bounds": "time_bnds"}))
    for name in ("time", "time_bnds"):
        data[name].encoding = {"units": "days since 1990-01-01"}
    opened = source(write(tmp_path / "a.nc", data), variables=T2M)
    np.testing.assert_array_equal(
        opened.times, (DAYS + np.timedelta64(12, "h"))[: len(opened.times)]
    )
    np.testing.assert_allclose(opened.read(slice(0, 1))[0, 0], dataset()["t2m"][0], rtol=1e-6)


def test_days_stamped_at_their_end_in_a_calendar_without_leap_days(tmp_path):
    """The interval of 28 February ends on 1 March, and is a day all the same."""
    number = 365.0 * 4 + 50 + np.arange(40)
    data = stamped(number + 1, "days since 2000-01-01", "noleap", bounds="time_bnds")
    data["time_bnds"] = (("time", "nv"), np.stack([number, number + 1], axis=1))
    splits = {
        "train": ["2004-02-21", "2004-03-08"],
        "valid": ["2004-03-12", "2004-03-18"],
        "test": ["2004-03-22", "2004-03-30"],
    }
    path = write(tmp_path / "a.nc", data)
    opened = source(path, variables=T2M, gaps="split", splits=splits)
    assert [str(one)[:13] for one in opened.times[~opened.recorded]] == ["2004-02-29T12"]


def test_a_dimension_without_coordinate_is_named(tmp_path):
    path = write(tmp_path / "a.nc", dataset().drop_vars("time"))
    expected = r"the dimension 'time' of 40 fields, but the file has no coordinate of that name"
    with pytest.raises(UserError, match=expected):
        source(path, variables=T2M)
    (finding,) = [one for one in inspect_files(str(path)).findings if one.kind == "no-time"]
    assert "ds.assign_coords(time=" in finding.remedy


@pytest.mark.parametrize(
    ("name", "numbers", "expected"),
    [
        ("record", None, r"the dimension 'record' of 40 fields, but the file has no coordinate"),
        ("year", np.arange(1950, 1990), r"from 1950 to 1989 with units None: expected times, 'UNIT since DATE'"),
    ],
)  # fmt: skip
def test_a_dimension_that_says_no_times_is_named(tmp_path, name, numbers, expected):
    data = dataset().drop_vars("time").rename(time=name)
    path = write(
        tmp_path / "a.nc", data if numbers is None else data.assign_coords({name: numbers})
    )
    with pytest.raises(UserError, match=expected):
        source(path, variables=T2M)
    (finding,) = [one for one in inspect_files(str(path)).findings if one.kind == "no-time"]
    assert f"ds.assign_coords({name}=" in finding.remedy


def test_one_time_per_file_in_any_order_of_names(tmp_path):
    data = dataset()[["t2m"]]
    for number in range(12):
        write(tmp_path / f"{11 - number:03d}.nc", data.isel(time=number))
    splits = {"train": ["2001-01-01", "2001-01-04"], "valid": ["2001-01-07", "2001-01-08"],
              "test": ["2001-01-11", "2001-01-12"]}  # fmt: skip
    opened = source(tmp_path / "*.nc", variables=T2M, splits=splits)
    np.testing.assert_array_equal(opened.times, DAYS[:12])
    np.testing.assert_allclose(opened.read(slice(None))[:, 0], data["t2m"][:12], rtol=1e-6)
    found = inspect_files(str(tmp_path / "*.nc"))
    assert not found.is_fatal
    first, dots, last = found.facts["time"].split("; ")
    assert (first.count("2001-01-12"), dots, last.count("2001-01-01")) == (1, "…", 1)


def test_static_fields_may_have_a_time_of_their_own(tmp_path):
    data = dataset()
    write(tmp_path / "t.nc", data[["t2m"]])
    mask, other = data[["lsm"]], 1 - data[["lsm"]]
    other["lsm"].attrs = {"units": "1"}
    earlier = DAYS[:2] - np.timedelta64(5000, "D")
    one = mask.expand_dims(time=earlier[:1])
    two = xr.concat([mask, mask], "time").assign_coords(time=earlier)
    changing = xr.concat([mask, other], "time").assign_coords(time=earlier)
    variables = [*T2M, {"name": "land_sea_mask", "role": "static"}]
    for name, static in (("one", one), ("two", two)):
        path = write(tmp_path / f"{name}.nc", static)
        opened = source([tmp_path / "t.nc", path], variables=variables)
        np.testing.assert_array_equal(opened.read(slice(5, 6))[0, 1], data["lsm"])
    path = write(tmp_path / "changing.nc", changing)
    with pytest.raises(UserError, match=r"is static in the recipe, but its fields at .* differ"):
        source([tmp_path / "t.nc", path], variables=variables)
