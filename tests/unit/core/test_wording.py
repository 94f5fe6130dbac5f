import numpy as np
import pytest
import xarray as xr

from triton_earth.core.wording import (
    LONG_NAMES,
    axis_title,
    interval,
    number,
    one_variable,
    pretty_units,
    units_of,
    variable_title,
    variable_words,
)


@pytest.mark.parametrize(
    ("units", "printed"),
    [
        ("s-1", "s⁻¹"),
        ("m2 s-2", "m² s⁻²"),
        ("(s-1)2", "s⁻²"),
        ("(m s-1)2", "m² s⁻²"),
        ("(J/kg)2", "(J/kg)²"),
        ("1", ""),
        ("", ""),
        ("K", "K"),
        ("m**2", "m²"),
        ("m^2", "m²"),
        ("degC", "°C"),
        ("degree_Celsius", "°C"),
        ("(degC)2", "(°C)²"),
        ("degC s-1", "°C s⁻¹"),
    ],
)
def test_units(units, printed):
    assert pretty_units(units) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (0.012345, "0.0123"),
        (-3.14159, "−3.14"),
        (12345.0, "12345"),
        (0.0009999, "0.00100"),
        (4.5678e-7, "4.57 × 10⁻⁷"),
        (9.999e-8, "1.00 × 10⁻⁷"),
        (1e30, "1.00 × 10³⁰"),
        (-1e-9, "−1.00 × 10⁻⁹"),
        (float("nan"), "–"),
        (float("inf"), "not finite"),
        (5e-324, "0"),
        (1.7e308, "1.70 × 10³⁰⁸"),
    ],
)
def test_numbers(value, printed):
    assert number(value) == printed


def test_interval_is_silent_where_it_is_missing():
    assert interval(float("nan"), 1.0) == ""
    assert interval(float("inf"), float("inf")) == ""
    assert interval(1.0, float("inf")) == "1.00 to ∞"
    assert interval(1.0, 2.0) == "1.00 to 2.00"


def test_units_of_one_of_several_variables():
    array = xr.DataArray(
        np.zeros((2, 3)),
        dims=("variable", "lead_time"),
        coords={"variable": ["t", "u"]},
        attrs={"units": "K; m s-1"},
    )
    assert units_of(one_variable(array, "u")) == "m s⁻¹"
    assert array.attrs["units"] == "K; m s-1"


def test_units_from_the_coordinate_of_the_variable():
    coordinates = {"variable": ["t", "u"], "units": ("variable", ["K", "m s-1"])}
    array = xr.DataArray(np.zeros(2), dims="variable", coords=coordinates, name="truth")
    assert axis_title(array.sel(variable="t")) == "Truth (K)"


def test_variables_in_words():
    names = ["sst", "temperature_sigma835", "geopotential_500", "2m_temperature"]
    data = xr.Dataset(coords={"variable": names})
    assert variable_title(data, "2m_temperature") == "2m temperature"
    words = ["sea_surface temperature", "air temperature", "geopotential at 500 hPa", ""]
    named = data.assign_coords({LONG_NAMES: ("variable", words)})
    assert [variable_title(named, name) for name in names] == [
        "Sea surface temperature",
        "Air temperature (sigma835)",
        "Geopotential at 500 hPa",
        "2m temperature",
    ]
    assert variable_words(named, "sst") == "sea surface temperature"


def test_variables_of_the_same_long_name_are_told_apart():
    coordinates = {"variable": ["skin", "sst"], LONG_NAMES: ("variable", ["temperature"] * 2)}
    data = xr.Dataset(coords=coordinates)
    assert variable_words(data, "skin") == "temperature (skin)"
    assert variable_title(data, "sst") == "Temperature (sst)"
