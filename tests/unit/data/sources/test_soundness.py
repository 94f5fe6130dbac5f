"""What cannot be right is refused where it is read, with file, variable, value, time and place."""

import numpy as np
import pytest

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.sources.errors import UnsoundDataError

EVERYTHING = slice(None)


def planted(tmp_path, value, name="t2m", where=(5, 3, 4)):
    data = dataset()
    data[name][where] = value
    path = tmp_path / "a.nc"
    data.to_netcdf(path, encoding={each: {"_FillValue": None} for each in data.variables})
    return path


@pytest.mark.parametrize("value", [-999.0, -9999.0, -32768.0, -99999.0])
def test_an_undeclared_fill_value_is_refused(tmp_path, value):
    path = planted(tmp_path, value)
    with pytest.raises(UnsoundDataError) as caught:
        source(path, variables=["2m_temperature"]).read(EVERYTHING)
    text = str(caught.value)
    assert text.startswith(
        f"{path}: variable '2m_temperature' is {value:g} at 2001-01-06, -11.25 N 120 E (1 such"
    )
    assert (
        "Set its attribute _FillValue (NCO: ncatted). If it is a value, say data.allow_implausible="
        in text
    )


def test_a_fill_value_is_looked_for_in_the_units_of_the_file(tmp_path):
    with pytest.raises(
        UnsoundDataError, match=r"variable 'sst' is -725.85 at 2001-01-06, -11.25 N 240 E"
    ):
        source(planted(tmp_path, -999.0, "sst", (5, 3, 8)), variables=["sst"]).read(EVERYTHING)


def test_a_fill_value_in_every_cell(tmp_path):
    with pytest.raises(UnsoundDataError, match=r"\(3840 such values in the piece read\)"):
        source(planted(tmp_path, -999.0, "flux", ...), variables=["flux"]).read(EVERYTHING)


def test_a_value_among_others_is_no_fill_value(tmp_path):
    data = dataset()
    data["flux"] = data["flux"] * 20  # −3000 … 3000
    data["flux"][5, 3, 4] = float(np.float32(-9999))
    data["flux"][6, 3, 4] = -8000.0
    data["flux"][7, 3, 4] = 4000.0
    path = tmp_path / "a.nc"
    data["flux"].attrs["units"] = "W m-2"
    data.to_netcdf(path, encoding={each: {"_FillValue": None} for each in data.variables})
    fields = source(path, variables=["flux"]).read(EVERYTHING)
    assert fields[5, 0, 3, 4] == -9999


def test_celsius_labelled_kelvin_is_refused(tmp_path):
    data = dataset()
    data["t2m"] = (data["t2m"] - 273.15).assign_attrs(units="K")
    path = write(tmp_path / "a.nc", data)
    with pytest.raises(UnsoundDataError) as caught:
        source(path).read(EVERYTHING)
    text = str(caught.value)
    assert text.startswith(f"{path}: variable '2m_temperature' has a mean over the map of ")
    assert (
        "K at 2001-01-01, outside 180 to 330 K, what 2 metre temperature can have on Earth. It looks like degC"
        in text
    )
    assert "say data.allow_implausible=[2m_temperature]" in text
    fields = source(path, allow_implausible=["2m_temperature"]).read(EVERYTHING)
    np.testing.assert_allclose(fields[:, 0], data["t2m"], rtol=1e-4, atol=1e-4)


def test_the_mean_is_checked_in_the_units_of_the_recipe(tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    celsius = source(path, variables=[{"name": "2m_temperature", "units": "degC"}])
    np.testing.assert_allclose(
        celsius.read(EVERYTHING)[:, 0], dataset()["t2m"] - 273.15, rtol=1e-4, atol=1e-4
    )


def test_salinity_in_parts_of_one_is_refused(tmp_path):
    salt = dataset()
    salt["so"] = ((salt["t2m"] - 245) / 1000).assign_attrs(units="1")
    path = write(tmp_path / "a.nc", salt)
    with pytest.raises(UnsoundDataError, match=r"outside 0\.5 to 45 1e-3, what sea water salinity"):
        source(path, variables=["so"]).read(EVERYTHING)
    right = source(path, variables=[{"name": "so", "source_units": "kg kg-1"}])
    np.testing.assert_allclose(right.read(EVERYTHING)[:, 0], salt["so"] * 1000, rtol=1e-5)


def test_a_variable_allowed_by_mistake_is_named(tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    with pytest.raises(
        UserError, match=r"allow_implausible: 'sstt' is not among data\.variables; did you"
    ):
        source(path, allow_implausible=["sstt"])
