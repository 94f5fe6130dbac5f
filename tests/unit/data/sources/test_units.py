import pytest

from triton_earth.data.sources.names import KNOWN, known_variable
from triton_earth.data.sources.units import canonical_units, conversion


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m/s", "m s-1"), ("m s**-1", "m s-1"), ("m s^-1", "m s-1"), ("m.s-1", "m s-1"), ("Kelvin", "K"),
        ("degrees_C", "degC"), ("Celsius", "degC"), ("°C", "degC"), ("W/m2", "W m-2"), ("W m**-2", "W m-2"),
        ("m**2 s**-2", "m2 s-2"), ("m2/s2", "m2 s-2"), ("kg kg**-1", "kg kg-1"), ("kg/kg", "kg kg-1"),
        ("millibars", "hPa"), ("(0 - 1)", "1"), ("", "1"), ("PSU", "1e-3"), ("furlong", "furlong"), ("km", "km"),
        ("M/S", "m s-1"), ("DEG C", "degC"), ("METERS", "m"), ("G/KG", "g kg-1"), ("MB", "hPa"), ("FURLONG", "FURLONG"),
    ],
)  # fmt: skip
def test_spellings(text, expected):
    assert canonical_units(text) == expected


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("degC", "K", 20.0, 293.15), ("K", "degC", 273.15, 0.0), ("degF", "K", 32.0, 273.15),
        ("hPa", "Pa", 1013.25, 101325.0), ("%", "1", 50.0, 0.5), ("g kg-1", "kg kg-1", 7.0, 0.007),
        ("cm/s", "m s-1", 25.0, 0.25), ("knots", "m/s", 1.0, 0.514444), ("furlong", "furlong", 3.0, 3.0),
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
        ("t_sigma835", "temperature"), ("ssta", "sea_surface_temperature_anomaly"),
    ],
)  # fmt: skip
def test_names_of_the_archives(name, expected):
    assert known_variable(name).name == expected


def test_an_unknown_name_is_nothing():
    assert known_variable("gremlins", None) is None
