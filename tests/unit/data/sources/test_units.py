import pytest
from hypothesis import given
from hypothesis import strategies as st

from triton_earth.data.sources.known_variables import KNOWN
from triton_earth.data.sources.names import known_in_file, known_variable
from triton_earth.data.sources.values.units import (
    _BY_SPELLING,
    _LINEAR,
    canonical_units,
    conversion,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m/s", "m s-1"), ("m s**-1", "m s-1"), ("m s^-1", "m s-1"), ("m.s-1", "m s-1"), ("Kelvin", "K"),
        ("degrees_C", "degC"), ("Celsius", "degC"), ("°C", "degC"), ("W/m2", "W m-2"), ("W m**-2", "W m-2"),
        ("m**2 s**-2", "m2 s-2"), ("m2/s2", "m2 s-2"), ("kg kg**-1", "kg kg-1"), ("kg/kg", "kg kg-1"),
        ("millibars", "hPa"), ("(0 - 1)", "1"), ("", "1"), ("PSU", "1e-3"), ("furlong", "furlong"), ("km", "km"),
        ("mm/day", "mm d-1"), ("mm day-1", "mm d-1"), ("mm/d", "mm d-1"), ("mm hr-1", "mm h-1"), ("mm/hr", "mm h-1"),
        ("M/S", "m s-1"), ("DEG C", "degC"), ("METERS", "m"), ("G/KG", "g kg-1"), ("MB", "hPa"), ("FURLONG", "FURLONG"),
    ],
)  # fmt: skip
def test_spellings(text, expected):
    assert canonical_units(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("degrees C", "degC"), ("degree C", "degC"), ("deg. C", "degC"), ("deg K", "K"), ("Degrees Kelvin", "K"),
        ("Celcius", "degC"), ("degrees celsius", "degC"), ("ºC", "degC"), ("oC", "degC"), ("deg F", "degF"), ("F", "F"),
        ("meter second-1", "m s-1"), ("meters/second", "m s-1"), ("m*s-1", "m s-1"), ("m sec-1", "m s-1"),
        ("kg/(m^2 s)", "kg m-2 s-1"), ("mph", "mile h-1"), ("miles per hour", "mile h-1"),
        ("metres per second", "m s-1"), ("m/sec", "m s-1"), ("ms-1", "m s-1"), ("m s⁻¹", "m s-1"), ("[m s-1]", "m s-1"),
        ("m s^{-1}", "m s-1"), ("meter sec**-1", "m s-1"), ("1/s", "s-1"), ("/s", "s-1"), ("per second", "s-1"),
        ("mm per day", "mm d-1"), ("millimeters per hour", "mm h-1"), ("kg m^-2 sec^-1", "kg m-2 s-1"),
        ("kilogram meter-2 second-1", "kg m-2 s-1"), ("kg/m2/s", "kg m-2 s-1"), ("kg/m^2/day", "kg m-2 d-1"),
        ("W/m²", "W m-2"), ("Watts/m2", "W m-2"), ("W M-2", "W m-2"), ("joules per meter2", "J m-2"),
        ("newton meter-2", "N m-2"), ("pascal/second", "Pa s-1"), ("meter2 second-2", "m2 s-2"),
        ("percentage", "%"), ("Percent", "%"), ("0-1", "1"), ("(0-1)", "1"), ("[0-1]", "1"), ("proportion", "1"),
        ("gpdm", "dam"), ("centimeters", "cm"), ("Hectopascals", "hPa"), ("m of water equivalent", "m"),
        ("inches", "inch"), ("feet", "ft"), ("ft", "ft"), ("in/hr", "inch h-1"), ("gm/kg", "g kg-1"), ("bar", "bar"),
        ("m s^(-1)", "m s-1"), ("kg m^(-2) s^(-1)", "kg m-2 s-1"), ("m water equivalent", "m"), ("mg/m3", "mg m-3"),
        ("geopotential meters", "m"), ("fraction (0-1)", "1"), ("K m**2 kg**-1 s**-1", "K m2 kg-1 s-1"),
        ("m**3 m**-3", "m3 m-3"), ("m^3/m^3", "m3 m-3"), ("milligram m-3", "mg m-3"),
        ("Mm", "Mm"), ("m s", "m s"), ("s m-1", "s m-1"), ("mm/month", "mm/month"), ("S", "S"),
    ],
)  # fmt: skip
def test_spelled_out_and_home_made(text, expected):
    assert canonical_units(text) == expected
    assert canonical_units(expected) == expected


@given(st.sampled_from(sorted(_LINEAR)), st.sampled_from(["{}", " {} ", "[{}]", "({})"]))
def test_every_unit_is_its_own_spelling(unit, around):
    assert canonical_units(around.format(unit)) == unit


@given(st.text(max_size=20))
def test_no_text_is_too_strange(text):
    once = canonical_units(text)
    assert canonical_units(once) == once


@pytest.mark.parametrize(("units", "expected"), [("gpdm", 5500), ("km", 55000), ("gpm", 55)])
def test_geopotential_height_in_other_lengths(units, expected):
    scale, offset = known_variable("zg").conversion(units)
    assert (scale * expected / 9.80665 / {"gpdm": 10, "km": 1000, "gpm": 1}[units], offset) == (
        expected,
        0.0,
    )


def test_spellings_are_lower_case():
    for spelling in _BY_SPELLING:
        assert spelling == spelling.lower()


@pytest.mark.parametrize("unit", sorted(_LINEAR))
def test_a_unit_is_known_in_capitals_unless_it_says_otherwise(unit):
    shouted = canonical_units(unit.upper())
    assert shouted in (unit, unit.upper())


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("degC", "K", 20.0, 293.15), ("K", "degC", 273.15, 0.0), ("degF", "K", 32.0, 273.15),
        ("hPa", "Pa", 1013.25, 101325.0), ("%", "1", 50.0, 0.5), ("g kg-1", "kg kg-1", 7.0, 0.007),
        ("mm/day", "m s-1", 86.4, 1e-6), ("kg m-2 day-1", "kg m-2 s-1", 8.64, 1e-4),
        ("cm/s", "m s-1", 25.0, 0.25), ("knots", "m/s", 1.0, 0.514444), ("mph", "m/s", 1.0, 0.44704),
        ("furlong", "furlong", 3.0, 3.0),
    ],
)  # fmt: skip
def test_conversions(source, target, value, expected):
    scale, offset = conversion(source, target)
    assert scale * value + offset == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("pair", [("K", "Pa"), ("m", "K"), ("furlong", "m"), ("m s-1", "m")])
def test_no_conversion_is_guessed(pair):
    assert conversion(*pair) is None


def test_geopotential_height_becomes_geopotential():
    known = known_variable("zg")
    assert known.name == "geopotential"
    assert known.conversion("m") == (9.80665, 0.0)
    assert known.conversion("m**2 s**-2") == (1.0, 0.0)
    assert known.conversion("K") is None


@pytest.mark.parametrize(
    ("units", "value", "expected"),
    [("mm/day", 86.4, 1e-3), ("mm day-1", 86.4, 1e-3), ("m s-1", 1e-6, 1e-3), ("mm/hr", 3.6, 1e-3),
     ("kg m-2 s-1", 1e-3, 1e-3), ("kg m**-2 s**-1", 1e-3, 1e-3), ("kg m-2 day-1", 86.4, 1e-3)],
)  # fmt: skip
def test_a_millimetre_of_rain_weighs_a_kilogram(units, value, expected):
    scale, offset = known_variable("pr").conversion(units)
    assert (scale * value, offset) == (pytest.approx(expected), 0.0)


def test_an_amount_of_rain_is_no_rate():
    assert known_variable("tp").conversion("mm") == (0.001, 0.0)
    assert known_variable("tp").conversion("kg m-2") == (0.001, 0.0)
    assert known_variable("tp").conversion("mm/day") is None


@pytest.mark.parametrize("units", ["1", "", "psu", "PSU", "1e-3", "0.001", "g/kg", "g kg-1"])
def test_practical_salinity_is_a_number(units):
    for name in ("so", "sea_water_practical_salinity"):
        assert known_variable(name).conversion(units) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["ssta", "sst_anomaly", "tas_anomaly", "air_temperature_anomaly"])
def test_a_difference_has_no_offset(name):
    assert known_variable(name).conversion("degC") == (1.0, 0.0)
    assert known_variable(name).conversion("degF") == (pytest.approx(5 / 9), 0.0)


@pytest.mark.parametrize(
    ("name", "standard_name", "under_water", "expected"),
    [
        ("u", None, False, "u_component_of_wind"), ("u", None, True, "eastward_sea_water_velocity"),
        ("v", "sea_water_y_velocity", False, "northward_sea_water_velocity"), ("t", None, True, None),
        ("u", "grid_eastward_wind", False, None), ("temp", None, False, None),
        ("temp", None, True, "potential_temperature"),
        ("LST", "surface_temperature", False, "skin_temperature"), ("tas", "air_temperature", False, "2m_temperature"),
        ("x1", "air_temperature", False, "temperature"), ("x1", None, False, None),
    ],
)  # fmt: skip
def test_a_vague_name_needs_a_context(name, standard_name, under_water, expected):
    found = known_in_file(name, standard_name, under_water=under_water)
    assert (found.name if found else None) == expected


def test_every_alias_means_one_variable():
    aliases = [alias for known in KNOWN for alias in (known.name, *known.aliases)]
    assert sorted({alias for alias in aliases if aliases.count(alias) > 1}) == []
    assert all(alias == alias.lower() for known in KNOWN for alias in known.aliases)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("T2M", "2m_temperature"), ("tas", "2m_temperature"), ("thetao", "potential_temperature"),
        ("adt", "sea_surface_height"), ("psl", "mean_sea_level_pressure"), ("eastward_wind", "u_component_of_wind"),
        ("rsds", "surface_downward_shortwave_flux"), ("surface_taux", "surface_downward_eastward_stress"),
        ("cloud_area_fraction", "total_cloud_cover"), ("mlotst", "ocean_mixed_layer_thickness"),
        ("salt", "salinity"), ("skt", "skin_temperature"),
        ("siconc", "sea_ice_concentration"), ("sithick", "sea_ice_thickness"), ("usi", "eastward_sea_ice_velocity"),
        ("vsi", "northward_sea_ice_velocity"), ("bottomT", "bottom_temperature"), ("zos", "sea_surface_height"),
        ("sla", "sea_level_anomaly"), ("err_sla", "sea_level_anomaly_error"),
        ("ugosa", "surface_geostrophic_eastward_velocity_anomaly"), ("tp", "total_precipitation"),
        ("err_vgosa", "surface_geostrophic_northward_velocity_anomaly_error"), ("sp", "surface_pressure"),
        ("sea_ice_cover", "sea_ice_concentration"), ("tcwv", "total_column_water_vapour"),
        ("precip", "precipitation_flux"),
        ("surface_temperature", "skin_temperature"), ("ts", "skin_temperature"), ("huss", "2m_specific_humidity"),
        ("t_sigma835", "temperature"), ("ssta", "sea_surface_temperature_anomaly"),
    ],
)  # fmt: skip
def test_names_of_the_archives(name, expected):
    assert known_variable(name).name == expected


def test_an_unknown_name_is_nothing():
    assert known_variable("gremlins", None) is None


def test_units_that_nobody_knows_are_the_same_in_two_spellings():
    assert conversion("furlong/fortnight", "furlong fortnight-1") == (1.0, 0.0)
    assert conversion("furlong/fortnight", "furlong") is None
    assert conversion("mg m-3", "kg m-3") == (1e-6, 0.0)
    assert conversion("PVU", "K m**2 kg**-1 s**-1") == (1e-6, 0.0)
