"""Each kind of finding about files, provoked by one planted fault."""

import shutil

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.findings import Severity
from triton_earth.data.inspection.source_checks import inspect_files


def value(data, name, where, new):
    changed = data[name].copy()
    changed[where] = new
    return data.assign({name: changed})


def times(data, change):
    values = data["time"].values.copy()
    change(values)
    return data.assign_coords(time=values)


def repeat(values):
    values[7] = values[6]


def swap(values):
    values[[6, 7]] = values[[7, 6]]


def leave_out(values):
    values[10:] += np.timedelta64(1, "D")


def dead(data):
    changed = data["t2m"].copy()
    changed[:, 2, 3] = 280.0
    return data.assign(t2m=changed)


def jump(data):
    changed = data["flux"].copy()
    changed[20:] += 500
    return data.assign(flux=changed)


FAULTS = {
    "no-time": lambda d: d.isel(time=0, drop=True),
    "time-repeated": lambda d: times(d, repeat),
    "time-order": lambda d: times(d, swap),
    "time-gaps": lambda d: times(d, leave_out),
    "time-units": lambda d: d.assign_coords(time=np.arange(40.0)),
    "calendar": lambda d: d.convert_calendar("360_day", use_cftime=True, align_on="date"),
    "no-latitude": lambda d: d.drop_vars("latitude").rename(latitude="row"),
    "no-longitude": lambda d: d.drop_vars("longitude").rename(longitude="column"),
    "latitude": lambda d: d.assign_coords(latitude=("latitude", d.latitude.values * 10)),
    "longitude": lambda d: d.isel(longitude=[1, 0, *range(2, 12)]),
    "orientation": lambda d: d.isel(latitude=slice(None, None, -1)),
    "repeated-meridian": lambda d: xr.concat(
        [d, d.isel(longitude=0).assign_coords(longitude=360.0)], "longitude", data_vars="minimal"
    ),
    "units-missing": lambda d: d.assign(t2m=d["t2m"].drop_attrs()),
    "units-foreign": lambda d: d.assign(t2m=d["t2m"].assign_attrs(units="Pa")),
    "units-implausible": lambda d: d.assign(t2m=(d["t2m"] - 273.15).assign_attrs(units="K")),
    "other-dimension": lambda d: d.assign(
        t2m=d["t2m"].expand_dims(member=2, axis=1).assign_attrs(units="K")
    ),
    "no-numbers": lambda d: d.assign(note=(("time", "latitude", "longitude"), np.full((40, 8, 12), "x"))),
    "no-values": lambda d: d.assign(t2m=(d["t2m"] * np.nan).assign_attrs(units="K")),
    "holes": lambda d: value(d, "t2m", (5, 3, 4), np.nan),
    "infinite": lambda d: value(d, "t2m", (5, 3, 4), np.inf),
    "fill-values": lambda d: value(d, "flux", (5, 3, 4), -999.0),
    "outlier": lambda d: value(d, "flux", (5, 3, 4), 5000.0),
    "constant": lambda d: d.assign(flux=(d["flux"] * 0 + 3.0).assign_attrs(units="W m-2")),
    "dead-cells": dead,
    "repeated-fields": lambda d: value(d, "t2m", 9, d["t2m"][8].values),
    "jump": jump,
}  # fmt: skip


def test_sound_files_give_no_finding(tmp_path):
    found = inspect_files(str(write(tmp_path / "a.nc", dataset())))
    assert found.findings == []
    assert found.facts == {
        "period": "2001-01-01 to 2001-02-09, 40 times",
        "step": "1 d",
        "latitude": "8 cells, -78.75 to 78.75",
        "longitude": "12 cells, 0 to 330, global",
    }
    rows = {row["variable"]: row for row in found.variables}
    assert list(rows) == ["t2m", "sst", "flux", "lsm"]
    data = dataset()
    assert rows["t2m"]["mean"] == pytest.approx(float(data["t2m"].mean()), rel=1e-6)
    assert rows["t2m"]["std"] == pytest.approx(float(data["t2m"].std()), rel=1e-5)
    assert rows["flux"]["highest"] == pytest.approx(float(data["flux"].max()), rel=1e-6)
    assert rows["sst"]["masked"] == pytest.approx(9 / 96)
    assert not found.is_fatal


@pytest.mark.parametrize("kind", list(FAULTS))
def test_one_planted_fault_is_one_finding(tmp_path, kind):
    found = inspect_files(str(write(tmp_path / "a.nc", FAULTS[kind](dataset()))))
    assert found.kinds == [kind]
    (finding,) = found.findings
    assert finding.message
    assert finding.remedy
    assert "\n" not in finding.message + finding.remedy
    warnings = {
        "units-missing", "other-dimension", "no-numbers", "outlier", "constant", "dead-cells",
        "repeated-fields", "jump",
    }  # fmt: skip
    notes = {"orientation", "repeated-meridian"}
    expected = (
        Severity.WARNING if kind in warnings else Severity.NOTE if kind in notes else Severity.FATAL
    )
    assert finding.severity is expected
    assert found.is_fatal == (expected is Severity.FATAL)


def test_findings_say_where(tmp_path):
    found = inspect_files(str(write(tmp_path / "a.nc", FAULTS["holes"](dataset()))))
    assert found.findings[0].message == (
        "1 values are missing, or there, where it is otherwise at the first time; first at "
        "2001-01-06, latitude -11.25, longitude 120."
    )
    assert found.findings[0].variable == "t2m"
    found = inspect_files(str(write(tmp_path / "b.nc", FAULTS["units-implausible"](dataset()))))
    assert found.findings[0].message.endswith("It looks like degC.")


def test_a_letter_may_stand_for_anything(tmp_path):
    data = dataset().rename(flux="q")
    assert inspect_files(str(write(tmp_path / "a.nc", data))).findings == []


def test_unreadable_files(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"CDF")
    found = inspect_files(str(tmp_path / "a.nc"))
    assert found.kinds == ["unreadable"]
    assert found.is_fatal
    (finding,) = found.findings
    assert finding.message.endswith(").")
    assert finding.remedy.startswith("The file is damaged or of another format; fetch it again")


def test_missing_chunks(tmp_path):
    path = tmp_path / "a.zarr"
    encoding = {"t2m": {"chunks": (10, 8, 12)}}
    dataset().to_zarr(path, zarr_format=3, consolidated=False, encoding=encoding)
    assert inspect_files(str(path)).kinds == []
    shutil.rmtree(path / "t2m" / "c" / "1")
    (finding,) = inspect_files(str(path)).findings
    assert finding.kind == "missing-chunks"
    assert finding.remedy.startswith("Fetch them, or, if the writer")


def test_months_have_no_gaps(tmp_path):
    months = np.arange("1999-01", "2002-05", dtype="datetime64[M]").astype("datetime64[ns]")[:40]
    found = inspect_files(str(write(tmp_path / "a.nc", dataset().assign_coords(time=months))))
    assert found.facts["step"] == "month"
    assert found.kinds == ["month-ambiguous"]
    assert "may be the month that begins there or the one that ends" in found.findings[0].message
    middles = dataset().assign_coords(time=months + np.timedelta64(14, "D"))
    assert inspect_files(str(write(tmp_path / "b.nc", middles))).findings == []


def humidity(small=1e-6):
    """A variable on two levels, of which the upper one is small."""
    data = dataset()[["t2m"]]
    noise = np.random.default_rng(1).normal(1, 0.1, (2, *data["t2m"].shape))
    fields = np.stack([1e-2 * noise[0], small * noise[1]], axis=1)
    dims = ("time", "level", "latitude", "longitude")
    coordinate = ("level", [850.0, 500.0], {"units": "hPa"})
    return data.assign_coords(level=coordinate).assign(q=(dims, fields, {"units": "kg kg-1"}))


def test_each_level_has_its_row(tmp_path):
    found = inspect_files(str(write(tmp_path / "a.nc", humidity())))
    assert found.findings == []
    rows = [(row["variable"], row["level"], row["level_units"]) for row in found.variables]
    assert rows == [("t2m", None, None), ("q", 850.0, "hPa"), ("q", 500.0, "hPa")]
    assert found.variables[2]["highest"] < 2e-6 < 5e-3 < found.variables[1]["lowest"]
    table = found.to_text()
    assert "role" not in table  # files have none
    assert "500    hPa" in table


def test_a_value_that_is_wrong_on_its_level_only(tmp_path):
    data = humidity()
    data["q"][5, 1, 3, 4] = 1e-3
    found = inspect_files(str(write(tmp_path / "a.nc", data)))
    assert {finding.variable for finding in found.findings} == {"q_500"}
    outlier = next(finding for finding in found.findings if finding.kind == "outlier")
    assert outlier.message.startswith("0.001 at 2001-01-06, latitude -11.25, longitude 120 is ")


def test_some_times_of_a_long_file(tmp_path, monkeypatch):
    data = dataset()
    data["t2m"][5, 3, 4] = np.nan
    path = str(write(tmp_path / "a.nc", data))
    found = inspect_files(path, 4)
    assert found.facts["sampled"] == (
        "values of 4 of 40 times, evenly spread; `--times 40` reads them all"
    )
    assert found.findings == []  # of days 0, 13, 26 and 39
    taken = data["flux"].values[[0, 13, 26, 39]]
    row = next(row for row in found.variables if row["variable"] == "flux")
    assert row["mean"] == pytest.approx(taken.mean(), rel=1e-5)
    assert inspect_files(path, 40).kinds == inspect_files(path).kinds == ["holes"]
    one = 3 * 8 * 8 * 12
    monkeypatch.setattr("triton_earth.data.inspection.sampling.MOST_BYTES", 5 * one)
    assert inspect_files(path).facts["sampled"].startswith("values of 5 of 40 times")


def test_the_original_channel_arrays(tmp_path):
    fields = np.random.default_rng(0).normal(size=(20, 3, 8, 12)).astype(np.float32)
    fields[4, 1, 2, 2] = np.inf
    dims = ("phony_dim_0", "phony_dim_1", "phony_dim_2", "phony_dim_3")
    xr.Dataset({"fields": (dims, fields)}).to_netcdf(tmp_path / "a.h5")
    found = inspect_files(str(tmp_path / "a.h5"))
    assert found.facts["layout"].startswith("fields[time, channel, y, x], 20 x 3 x 8 x 12")
    assert [row["variable"] for row in found.variables] == ["fields[0]", "fields[1]", "fields[2]"]
    assert [(each.kind, each.variable) for each in found.findings] == [
        ("nameless-channels", "fields"),
        ("infinite", "fields[1]"),
    ]
    assert "data.array with name: fields, channels," in found.findings[0].remedy


@pytest.mark.parametrize("files", [1, 2])
def test_points_are_named_once(tmp_path, files):
    """Whatever the number of variables and files, and values are looked at all the same."""
    points = dataset(30).isel(
        latitude=slice(0, 8), longitude=xr.DataArray(np.arange(8), dims="cell")
    )
    points = points.isel(latitude=xr.DataArray(np.arange(8), dims="cell"))
    points["t2m"][3, 5] = 9999.0
    for number in range(files):
        part = points.isel(time=slice(15 * number, 15 * (number + 1)))
        write(tmp_path / f"{number}.nc", part.assign(other=part["t2m"] + 1))
    found = inspect_files(str(tmp_path / "*.nc"))
    (named,) = [one for one in found.findings if "points of an unstructured grid" in one.message]
    assert named.kind == "points"
    assert not {"unreadable", "latitude", "longitude"} & set(found.kinds)
    (fill,) = [one for one in found.findings if one.kind == "fill-values" and one.variable == "t2m"]
    assert "2001-01-04, point 5" in fill.message
    with pytest.raises(UserError, match="'latitude' and 'longitude' both lie along 'cell'"):
        source(tmp_path / "*.nc", variables=["2m_temperature"])


def test_a_mesh_is_named_once(tmp_path):
    data = dataset(30).rename(latitude="y", longitude="x")
    rows, columns = np.meshgrid(data["y"], data["x"], indexing="ij")
    places = {
        "lat": (("y", "x"), rows * 0.9 + 0.01 * columns, {"units": "degrees_north"}),
        "lon": (("y", "x"), columns + 0.1 * rows, {"units": "degrees_east"}),
    }
    data = data.drop_vars(["y", "x"]).assign_coords(places)
    for number in range(2):
        write(tmp_path / f"{number}.nc", data.isel(time=slice(15 * number, 15 * (number + 1))))
    for path in (tmp_path / "0.nc", tmp_path / "*.nc"):
        assert inspect_files(str(path)).kinds.count("curvilinear") == 1
