"""Each kind of finding about several files together, provoked by one planted fault."""

import numpy as np
import pytest

from tests.gridded import dataset, write
from triton_earth.data.inspection.findings import Severity
from triton_earth.data.inspection.source_checks import inspect_files

FIRST, SECOND = slice(0, 20), slice(20, 40)


def levels(data, values=(850.0, 500.0)):
    upper = data["t2m"].expand_dims(level=[850.0, 500.0], axis=1) - 15
    upper = upper.assign_attrs(units="K").assign_coords(
        level=("level", [850.0, 500.0], {"units": "hPa"})
    )
    return data.drop_vars("t2m").assign(t=upper.sel(level=list(values)))


def inspect(folder, first, second):
    write(folder / "a.nc", first)
    write(folder / "b.nc", second)
    return inspect_files(str(folder / "*.nc"))


def pair(change=lambda data: data, second=SECOND):
    data = dataset()
    return data.isel(time=FIRST), change(data.isel(time=second))


def in_degrees(data):
    return data.assign(t2m=(data["t2m"] - 273.15).assign_attrs(units="degC"))


def other_units(data):
    return data.assign(flux=data["flux"].assign_attrs(units="K"))


def masked(data):
    return data.assign(t2m=data["t2m"].where(data["longitude"] > 10).assign_attrs(units="K"))


def interleaved(data):
    return data.assign_coords(time=data["time"] - np.timedelta64(30 * 24 - 6, "h"))


FAULTS = {
    "time-gaps": (pair(second=slice(25, 40)), Severity.FATAL),
    "time-repeated": (pair(second=slice(18, 40)), Severity.FATAL),
    "time-overlap": (pair(interleaved), Severity.FATAL),
    "units-differ": (pair(in_degrees), Severity.WARNING),
    "grid-differs": (pair(lambda d: d.assign_coords(longitude=d.longitude + 5)), Severity.FATAL),
    "variable-missing": (pair(lambda d: d.drop_vars("flux")), Severity.FATAL),
    "mask-differs": (pair(masked), Severity.FATAL),
    "level-order": (
        (levels(pair()[0]), levels(pair()[1], (500.0, 850.0))),
        Severity.NOTE,
    ),
    "levels-differ": ((levels(pair()[0]), levels(pair()[1], (850.0,))), Severity.FATAL),
}


@pytest.mark.parametrize("kind", list(FAULTS))
def test_one_planted_fault_is_one_finding(tmp_path, kind):
    files, severity = FAULTS[kind]
    found = inspect(tmp_path, *files)
    assert found.kinds == [kind]
    (finding,) = found.findings
    assert finding.severity is severity
    assert finding.message
    assert finding.remedy
    assert "b.nc" in finding.message


def test_files_that_go_together(tmp_path):
    found = inspect(tmp_path, *pair())
    assert found.findings == []
    assert found.facts["files"] == "2"
    assert found.facts["period"] == "2001-01-01 to 2001-02-09, 40 times in all"
    assert found.facts["latitude"] == "8 cells, -78.75 to 78.75"
    rows = [(row["file"], row["variable"]) for row in found.variables]
    assert len(rows) == 8
    assert rows[0] == (str(tmp_path / "a.nc"), "t2m")
    assert rows[-1] == (str(tmp_path / "b.nc"), "lsm")


def test_a_finding_names_its_file(tmp_path):
    first, second = pair()
    second["t2m"][3, 2, 2] = np.nan
    found = inspect(tmp_path, first, second)
    assert [(each.kind, each.file) for each in found.findings] == [
        ("holes", str(tmp_path / "b.nc"))
    ]
    assert f"fatal: holes 't2m' in {tmp_path / 'b.nc'}: 1 values" in found.to_text()


def test_units_that_cannot_be_converted_are_fatal(tmp_path):
    (finding,) = inspect(tmp_path, *pair(other_units)).findings
    assert finding.severity is Severity.FATAL
    assert finding.message.startswith("units are not the same: 'W m-2' in ")


def test_variables_in_files_of_their_own(tmp_path):
    data = dataset()
    found = inspect(tmp_path, data[["t2m"]], data[["flux", "sst"]])
    assert found.findings == []


def test_a_file_without_time_may_hold_what_does_not_change(tmp_path):
    data = dataset()
    found = inspect(tmp_path, data[["t2m"]], data[["lsm"]])
    assert [(each.kind, each.severity) for each in found.findings] == [("no-time", Severity.NOTE)]


def test_files_turned_the_other_way_have_one_mask(tmp_path):
    first, second = pair(lambda data: data.isel(latitude=slice(None, None, -1)))
    assert inspect(tmp_path, first, second).kinds == ["orientation"]
