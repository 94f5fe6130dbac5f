"""What cannot be right is refused where it is read, with file, variable, value, time and place."""

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, recipe_values, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.known_variables import KNOWN
from triton_earth.data.sources.values.possible_values import possible_values
from triton_earth.data.sources.values.soundness import extremes, stand_ins

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


@pytest.mark.parametrize("kind", ["f8", "f4", "f2"])
@pytest.mark.parametrize(
    "value", [999.0, 999.9, 9999.0, 9999.9, 32767.0, 99999.0, -1000.0, 1e4, -9.99e8]
)
def test_stand_ins_of_either_sign_and_any_precision(tmp_path, kind, value):
    with np.errstate(over="ignore"):
        stored = float(np.asarray(value).astype(kind))
    path = planted(tmp_path, stored, "sst", (slice(None), 7, 0))
    with pytest.raises(UnsoundDataError, match=r"variable 'sst' is .* at 2001-01-01, 78.75 N 0 E"):
        source(path, variables=["sst"]).read(EVERYTHING)
    assert {"fill-values", "infinite"} & set(inspect_files(str(path)).kinds)


@pytest.mark.parametrize("packed", [32767, -32768, -999])
def test_stand_ins_as_packed_numbers(tmp_path, packed):
    """Undeclared, and as it is stored within what is possible."""
    data = dataset()[["flux"]]
    stored = np.round(data["flux"].values / 0.001).clip(-30000, 30000).astype("i2") // 100
    stored[:, 7, 0] = packed
    data["flux"] = (data["flux"].dims, stored, {"units": "W m-2", "scale_factor": 0.01})
    data.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(UnsoundDataError, match="looks like a missing value"):
        source(tmp_path / "a.nc", variables=["flux"]).read(EVERYTHING)
    found = {one.kind: one for one in inspect_files(str(tmp_path / "a.nc")).findings}
    assert "the first at 2001-01-01, latitude 78.75, longitude 0" in found["fill-values"].message


def test_1e15_in_single_precision(tmp_path):
    path = planted(tmp_path, float(np.float32(1e15)), "flux")
    with pytest.raises(UnsoundDataError, match="looks like a missing value"):
        source(path, variables=["flux"]).read(EVERYTHING)


@pytest.mark.parametrize(
    ("values", "flagged"),
    [
        ([1.0, 5.0, 999.0], True),
        ([1.0, 700.0, 999.0], False),  # among others
        ([0.0, 0.0, 1000.0], False),  # a number of two, round
        ([0.0, 0.0, 9999.0], True),
        ([5.0, 6.0, 1000.0], True),
        ([999.0, 999.0], False),
        ([-999.0, -999.0], True),
        ([np.nan, np.nan], False),
        ([1.0, 2.0, 1234.0], False),
    ],
)
def test_what_is_a_stand_in(values, flagged):
    array = np.array(values)
    found = stand_ins(array, extremes(array), 1.0, 0.0, None)
    assert (found is not None) is flagged


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("2m_temperature", -1.5, "outside 150 to 350 K, what 2 metre temperature can be on Earth"),
        ("2m_temperature", 0.0, "outside 150 to 350 K"),
        ("2m_temperature", 420.0, "outside 150 to 350 K"),
    ],
)
def test_single_values_that_cannot_be(tmp_path, name, value, limits):
    path = planted(tmp_path, value)
    choice = [{"name": name, "source": "t2m"}]
    with pytest.raises(UnsoundDataError) as caught:
        source(path, variables=choice).read(EVERYTHING)
    text = str(caught.value)
    assert f"variable '{name}' is {value:g} K at 2001-01-06, -11.25 N 120 E (1 such values" in text
    assert limits in text
    assert f"if they are right, say data.allow_implausible=[{name}]" in text
    found = {one.kind: one for one in inspect_files(str(path)).findings}
    assert found["impossible-values"].message.startswith("1 values are outside 150 to 350 K")
    assert "at 2001-01-06, latitude -11.25, longitude 120" in found["impossible-values"].message
    allowed = source(path, variables=choice, allow_implausible=[name]).read(EVERYTHING)
    assert allowed[5, 0, 3, 4] == np.float32(value)


@pytest.mark.parametrize(
    ("attributes", "values", "why"),
    [
        ({"units": "mmol m-3", "long_name": "concentration of nitrate"}, (5.0, -3.0), "an amount"),
        ({"units": "K"}, (280.0, -1.5), "a temperature"),
        ({"units": "1", "standard_name": "snow_area_fraction"}, (0.5, 1.5), "a fraction"),
        ({"units": "degC"}, (5.0, -300.0), "a temperature"),
    ],
)  # fmt: skip
def test_amounts_fractions_and_temperatures_that_nobody_knows(tmp_path, attributes, values, why):
    usual, impossible = values
    data = dataset()
    data["thing"] = (data["flux"] * 0 + usual).assign_attrs(attributes)
    data["thing"][3, 2, 2] = usual * 0.98
    data["thing"][5, 3, 4] = impossible
    path = write(tmp_path / "a.nc", data)
    with pytest.raises(UnsoundDataError, match=f"variable 'thing' is .*{why} can"):
        source(path, variables=["thing"]).read(EVERYTHING)
    assert "impossible-values" in inspect_files(str(path)).kinds


@pytest.mark.parametrize("name", ["nitrate_anomaly", "tendency_of_nitrate"])
def test_differences_may_be_negative(tmp_path, name):
    data = dataset()
    data[name] = data["flux"].assign_attrs(units="mmol m-3", long_name="concentration of nitrate")
    path = write(tmp_path / "a.nc", data)
    assert source(path, variables=[name]).read(EVERYTHING).min() < -50


def ice(tmp_path, scale, units, name="siconc"):
    data = dataset()
    shares = np.random.default_rng(0).uniform(0, 0.95, data["flux"].shape)
    data[name] = (data["flux"].dims, scale * shares, {"units": units})
    return write(tmp_path / "a.nc", data)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("siconc", "sea_ice_concentration"),
        ("tcc", "total_cloud_cover"),
        ("r", "relative_humidity"),
    ],
)
def test_fractions_labelled_per_cent(tmp_path, name, known):
    path = ice(tmp_path, 1.0, "%", name)
    data = GriddedData.parse(recipe_values(path, variables=[known])["data"], "recipe")
    with pytest.raises(UnsoundDataError) as caught:
        prepare_gridded(data, tmp_path / "out.zarr", {}, window=2)
    assert str(caught.value) == (
        f"{path}: variable '{known}' is in '%', but the largest of all its values is 0.95 %: they look like fractions "
        'with a wrong label. Say `source_units: "1"` in data.variables; if they are right, '
        f"data.allow_implausible=[{known}]."
    )
    found = [one for one in inspect_files(str(path)).findings if one.variable == name]
    assert [one.kind for one in found] == ["units-implausible"]
    assert "its largest value is 0.95: these look like fractions" in found[0].message


@pytest.mark.parametrize(
    ("long_name", "suspect"),
    [("Sea ice concentration", True), ("something", True), ("error of something", False)],
)
def test_fractions_labelled_per_cent_of_what_nobody_knows(tmp_path, long_name, suspect):
    path = ice(tmp_path, 1.0, "%", "ice")
    with xr.open_dataset(path) as opened:
        data = opened.load()
    data["ice"].attrs["long_name"] = long_name
    (tmp_path / "a.nc").unlink()
    data.to_netcdf(path)
    assert ("units-implausible" in inspect_files(str(path)).kinds) is suspect
    opened = source(path, variables=["ice"])
    if suspect:
        with pytest.raises(UnsoundDataError, match=r"'ice' is in '%', but the largest of all"):
            opened.require_percent([slice(0, 20)])
        opened = source(path, variables=["ice"], allow_implausible=["ice"])
    opened.require_percent([slice(0, 20)])


def test_a_ratio_without_units_is_held_against_its_limits_by_inspect_too(tmp_path):
    data = dataset()
    data["huss"] = (data["flux"] * 0 + 0.01).assign_attrs(units="1")
    data["huss"][3, 2, 2] = 0.0101
    data["huss"][5, 3, 4] = -0.5
    path = write(tmp_path / "a.nc", data)
    assert "impossible-values" in inspect_files(str(path)).kinds
    with pytest.raises(UnsoundDataError, match=r"is -0\.5 kg kg-1 at .*, outside -0\.002 to 0\.06"):
        source(path, variables=["2m_specific_humidity"]).read(EVERYTHING)


def test_per_cent_that_is_rare(tmp_path):
    """Little ice at the times that are looked at first, more at others."""
    data = dataset()
    shares = np.full(data["flux"].shape, 0.5)
    shares[10, 2, 2] = 40.0
    data["siconc"] = (data["flux"].dims, shares, {"units": "%"})
    path = write(tmp_path / "a.nc", data)
    values = recipe_values(path, variables=["sea_ice_concentration"], memory_mb=0.01)["data"]
    store = prepare_gridded(
        GriddedData.parse(values, "recipe"), tmp_path / "out.zarr", {}, window=2
    )
    assert store.read(0, slice(None)).max() == np.float32(0.4)
    (tmp_path / "a.nc").unlink()
    data["siconc"] = data["siconc"] * 0 + 0.0
    write(path, data.assign(siconc=data["siconc"].assign_attrs(units="%")))
    source_ = source(path, variables=["sea_ice_concentration"])
    source_.require_percent([slice(0, 40)])  # no ice at all is no fraction


def test_per_cent_labelled_as_fractions(tmp_path):
    path = ice(tmp_path, 100.0, "1")
    with pytest.raises(
        UnsoundDataError, match=r"outside 0 to 1.01, what sea ice .*It looks like %\."
    ):
        source(path, variables=["sea_ice_concentration"]).read(EVERYTHING)
    data = dataset()
    shares = np.zeros(data["flux"].shape)
    shares[:, 7] = 80.0  # most of the map has none, so that its mean is possible
    shares[:, 7, 3:] = 0
    data["siconc"] = (data["flux"].dims, shares / 100, {"units": "1"})
    data["siconc"][4, 7, 0] = 80.0
    path = write(tmp_path / "b.nc", data)
    with pytest.raises(
        UnsoundDataError, match=r"is 80 at .*outside -0.01 to 1.02.*It looks like %\."
    ):
        source(path, variables=["sea_ice_concentration"]).read(EVERYTHING)


def test_every_known_variable_has_limits_around_those_of_its_mean():
    for known in KNOWN:
        possible = possible_values(known, known.units, ())
        assert possible is not None
        assert possible.lowest <= known.lowest
        assert possible.highest >= known.highest
