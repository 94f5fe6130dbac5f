"""Times in equal steps, with times without a state where the files have none."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.sources.times.steps import regular_times

DAYS = np.datetime64("2001-01-01", "ns") + np.arange(12) * np.timedelta64(1, "D")


@pytest.mark.parametrize(
    ("step", "expected"),
    [(None, [0, 1, 2, -1, 3, 4, -1, -1, 5, 6, 7, 8]), ("2 d", [0, 2, 3, -1, 5, 7]), ("3 d", [0, -1, -1, 6])],
)  # fmt: skip
def test_missing_times_are_filled_in(step, expected):
    there = DAYS[[0, 1, 2, 4, 5, 8, 9, 10, 11]]
    indices, times = regular_times(there, step, "a.nc")
    every = 1 if step is None else int(step[0])
    np.testing.assert_array_equal(times, DAYS[::every])
    np.testing.assert_array_equal(indices, expected)


def test_missing_months_are_filled_in():
    months = np.array(["2001-01", "2001-02", "2001-05"], dtype="datetime64[M]")
    indices, times = regular_times(months.astype("datetime64[ns]"), "month", "a.nc")
    np.testing.assert_array_equal(indices, [0, 1, -1, -1, 2])
    assert (np.diff(times) == times[1] - times[0]).all()
    with pytest.raises(UserError, match=r"2001-01-21.* does not come one month after 2001-01-01"):
        regular_times(DAYS[[0, 1]] + np.array([0, 19], "timedelta64[D]"), "month", "a.nc")


def test_uneven_times_are_refused():
    times = DAYS.copy()
    times[5] += np.timedelta64(1, "h")
    with pytest.raises(UserError, match="2 of 11 steps between times are no multiple of the usual"):
        regular_times(times, None, "a.nc")


def test_fields_lie_at_their_times(tmp_path):
    data = dataset().isel(time=[day for day in range(40) if day not in (4, 21, 22)])
    write(tmp_path / "1.nc", data.isel(time=slice(0, 9)))
    write(tmp_path / "2.nc", data.isel(time=slice(9, None)))
    opened = source(tmp_path / "*.nc", variables=["2m_temperature"])
    np.testing.assert_array_equal(np.flatnonzero(~opened.recorded), [4, 21, 22])
    expected = dataset()["t2m"].values
    expected[[4, 21, 22]] = np.nan
    np.testing.assert_allclose(opened.read(slice(None))[:, 0], expected, rtol=1e-6)
    every_other = source(tmp_path / "*.nc", variables=["2m_temperature"], step="2 d")
    np.testing.assert_allclose(every_other.read(slice(1, 15))[:, 0], expected[2:30:2], rtol=1e-6)


def test_a_calendar_without_leap_days_has_none_on_29_february(tmp_path):
    data = dataset(start="2004-02-10").convert_calendar("noleap", use_cftime=True)
    path = write(tmp_path / "a.nc", data)
    splits = {"train": ["2004-02-10", "2004-03-01"], "valid": ["2004-03-05", "2004-03-08"],
              "test": ["2004-03-12", "2004-03-20"]}  # fmt: skip
    opened = source(path, splits=splits)
    assert opened.times[~opened.recorded].astype("datetime64[D]").astype(str) == ["2004-02-29"]
    assert opened.times[-1] == np.datetime64("2004-03-20")
    march = int(np.flatnonzero(opened.times == np.datetime64("2004-03-01"))[0])
    np.testing.assert_allclose(
        opened.read(slice(march, march + 1))[0, 0], data["t2m"][19], rtol=1e-6
    )


def test_the_remedy_for_months_of_30_days_works(tmp_path):
    data = (
        dataset(90).drop_vars("sst").convert_calendar("360_day", use_cftime=True, align_on="date")
    )
    path = write(tmp_path / "a.nc", data)
    with pytest.raises(
        UserError,
        match="in the calendar '360_day', which has other days than ours from 2001-02-01 on",
    ):
        source(path, variables=["2m_temperature"])
    with xr.open_dataset(path) as opened:
        ours = opened.interp_calendar(xr.date_range("2001-01-01", "2001-02-28", freq="D"))
        ours["lsm"] = opened["lsm"]
        write(tmp_path / "b.nc", ours)
    fields = source(tmp_path / "b.nc", variables=["2m_temperature"]).read(slice(None))
    assert np.isfinite(fields).all()
    assert fields.shape[0] == 40
