"""How each of several files holds a variable: units, levels and kind are those of the file, not of the first."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files

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


@pytest.mark.parametrize(
    ("name", "attributes"),
    [("ssta", {}), ("t2m_anom", {}), ("change", {"units_metadata": "temperature: difference"})],
)
def test_an_anomaly_in_degrees_celsius_is_one_in_kelvin(tmp_path, name, attributes):
    data = dataset()
    anomaly = (data["t2m"] - 280).assign_attrs(units="degC", **attributes)
    path = write(tmp_path / "a.nc", xr.Dataset({name: anomaly}))
    opened = source(path, variables=[{"name": name, "units": "K"}])
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 0], anomaly, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("wanted", [None, "1e-3", "g kg-1", "1"])
def test_practical_salinity_without_units_stays_what_it_is(tmp_path, wanted):
    data = dataset()
    salt = (data["t2m"] - 245).assign_attrs(units="1", standard_name="sea_water_practical_salinity")
    choice = {"name": "salinity"} if wanted is None else {"name": "salinity", "units": wanted}
    opened = source(write(tmp_path / "a.nc", xr.Dataset({"s_an": salt})), variables=[choice])
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 0], salt, rtol=1e-5)
    assert opened.variables.channels[0].units == (wanted or "1e-3")


def test_currents_of_an_ocean_model_are_no_wind(tmp_path):
    data = dataset()
    current = (data["flux"] / 1e3).expand_dims(zt=[-10.0]).assign_attrs(units="m/s")
    ocean = xr.Dataset({"u": current, "v": current})
    ocean["zt"].attrs["units"] = "m"
    path = write(tmp_path / "a.nc", ocean)
    names = ["eastward_sea_water_velocity", "northward_sea_water_velocity"]
    assert source(path, variables=names).variables.names == names
    with pytest.raises(UserError, match="there is no variable 'u_component_of_wind'"):
        source(path, variables=["u_component_of_wind"])


def test_the_temperature_of_the_ground_is_not_that_of_the_sea(tmp_path):
    land = dataset()["t2m"].assign_attrs(standard_name="surface_temperature")
    path = write(tmp_path / "a.nc", xr.Dataset({"LST": land}))
    with pytest.raises(UserError, match="there is no variable 'sea_surface_temperature'"):
        source(path, variables=["sea_surface_temperature"])
    assert source(path, variables=["skin_temperature"]).variables.names == ["skin_temperature"]


def test_a_variable_that_another_names_as_its_coordinate(tmp_path):
    data = dataset()
    places = data["lsm"] * 0 + data["latitude"]
    data["lat_2d"] = places.assign_attrs(units="degrees_north")
    data = data.set_coords(["lsm", "lat_2d"])
    path = write(tmp_path / "a.nc", data)
    choice = ["2m_temperature", {"name": "land_sea_mask", "role": "static"}]
    fields = source(path, variables=choice).read(slice(None))
    np.testing.assert_array_equal(fields[0, 1], data["lsm"])
    rows = [row["variable"] for row in inspect_files(str(path)).variables]
    assert "lsm" in rows
    assert "lat_2d" not in rows
    with pytest.raises(UserError, match=r"there is no variable 'lat_2d' for 'lat_2d'; "):
        source(path, variables=["2m_temperature", {"name": "lat_2d", "role": "static"}])
