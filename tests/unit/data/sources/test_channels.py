"""How each of several files holds a variable: units, levels and kind are those of the file, not of the first."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError

EVERYTHING = slice(None)


def with_levels(data, levels, units="hPa"):
    """Temperature t that is 50 K colder at each following level of 850, 500 and 300 hPa."""
    colder = {850.0: 0.0, 500.0: 50.0, 300.0: 100.0}
    fields = xr.concat([data["t2m"] - colder[level] for level in levels], "level")
    scale = 100.0 if units == "Pa" else 1.0
    fields = fields.assign_coords(level=("level", scale * np.array(levels), {"units": units}))
    return xr.Dataset({"t": fields.assign_attrs(units="K")})


def halves(tmp_path, first, second):
    """Write the first and last 20 days of two data sets into a folder of their own."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    write(folder / "1.nc", first.isel(time=slice(0, 20)))
    write(folder / "2.nc", second.isel(time=slice(20, None)))
    return folder / "[12].nc"


def test_each_file_has_its_own_units(tmp_path):
    data = dataset()
    celsius = data.assign(t2m=(data["t2m"] - 273.15).assign_attrs(units="degC"))
    opened = source(halves(tmp_path, data, celsius), variables=["2m_temperature"])
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 0], data["t2m"], rtol=1e-6)


def test_an_unknown_variable_keeps_the_units_of_the_first_file(tmp_path):
    data = dataset().rename(t2m="soil")
    celsius = data.assign(soil=(data["soil"] - 273.15).assign_attrs(units="degC"))
    opened = source(halves(tmp_path, data, celsius), variables=["soil"])
    assert opened.variables.channels[0].units == "K"
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 0], data["soil"], rtol=1e-6)
    foreign = data.assign(soil=data["soil"].assign_attrs(units="Pa"))
    with pytest.raises(UserError, match=r"2\.nc: variable 'soil' is in 'Pa', which cannot be"):
        source(halves(tmp_path, data, foreign), variables=["soil"])


@pytest.mark.parametrize("units", ["hPa", "Pa"])
def test_each_file_has_its_own_order_and_units_of_levels(tmp_path, units):
    data = dataset()
    files = halves(
        tmp_path, with_levels(data, [850.0, 500.0]), with_levels(data, [300.0, 500.0, 850.0], units)
    )
    opened = source(files, variables=[{"name": "temperature", "levels": [500, 850]}])
    fields = opened.read(EVERYTHING)
    np.testing.assert_allclose(fields[:, 0], data["t2m"] - 50, rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], data["t2m"], rtol=1e-6)


def test_a_file_without_a_level_is_named(tmp_path):
    data = dataset()
    choice = [{"name": "temperature", "levels": [500]}]
    both, one = with_levels(data, [850.0, 500.0]), with_levels(data, [850.0])
    with pytest.raises(
        UserError, match=r"2\.nc: variable 't': level 500 is not there; 'level' has 850"
    ):
        source(halves(tmp_path, both, one), variables=choice)
    flat = both.isel(level=0, drop=True)
    with pytest.raises(UserError, match=r"2\.nc: variable 't' has no levels \(dimensions"):
        source(halves(tmp_path, both, flat), variables=choice)


def test_single_levels_have_to_be_the_same(tmp_path):
    data = dataset()
    files = halves(tmp_path, with_levels(data, [850.0]), with_levels(data, [500.0]))
    with pytest.raises(
        UserError, match=r"2\.nc: variable 't' is at level 500.0, but in .*1\.nc at 850"
    ):
        source(files, variables=["temperature"])


def test_a_file_in_which_the_variable_is_text_is_named(tmp_path):
    data = dataset()
    text = data.assign(t2m=(data["t2m"].dims, np.full(data["t2m"].shape, "x")))
    with pytest.raises(
        UserError, match=r"2\.nc: variable 't2m' is of type .* which holds no numbers"
    ):
        source(halves(tmp_path, data, text), variables=["2m_temperature"])


def test_a_static_variable_in_one_file_only_has_no_time(tmp_path):
    data = dataset()[["t2m", "flux"]]
    static = data.assign(flux=data["flux"].isel(time=0, drop=True))
    choices = ["2m_temperature", {"name": "flux", "role": "static"}]
    with pytest.raises(
        UserError, match=r"2\.nc: variable 'flux' has no time, but in .*1\.nc it has"
    ):
        source(halves(tmp_path, data, static), variables=choices)


def test_levels_that_are_text(tmp_path):
    data = with_levels(dataset(), [850.0, 500.0]).assign_coords(level=["low", "high"])
    choice = [{"name": "temperature", "levels": [500]}]
    with pytest.raises(UserError, match=r"level 'level' holds \['low', 'high'\] and no numbers"):
        source(write(tmp_path / "a.nc", data), variables=choice)


def test_units_that_are_several_numbers_say_nothing(tmp_path):
    data = dataset()
    data["t2m"].attrs["units"] = np.array([1.0, 2.0])
    with pytest.raises(UserError, match="'t2m' does not say its units; expected K"):
        source(write(tmp_path / "a.nc", data))
