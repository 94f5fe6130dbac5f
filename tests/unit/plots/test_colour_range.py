import numpy as np
import xarray as xr

from triton_earth.plots.colour_range import error_range, field_range


def test_fields_of_both_signs_are_symmetric_about_zero():
    colours = field_range(xr.DataArray([-1.0, 0.5, 2.0]))
    assert colours.low == -colours.high
    assert 1.9 < colours.high <= 2.0


def test_fields_of_one_sign_use_their_range():
    colours = field_range(xr.DataArray(np.linspace(270.0, 300.0, 5000)))
    assert 270 <= colours.low < 271
    assert 299 < colours.high <= 300


def test_a_blow_up_widens_the_error_to_twice_the_field_at_most():
    field = field_range(xr.DataArray([-1.0, 1.0]))
    assert error_range(xr.DataArray([1e30, np.inf, np.nan]), field).high == 2 * field.high
    assert error_range(xr.DataArray([0.1, -0.1]), field).high == 0.1


def test_constant_and_empty_fields_still_have_a_range():
    for values in ([0.0, 0.0], [5.0, 5.0], [np.nan, np.nan]):
        colours = field_range(xr.DataArray(values))
        assert colours.high > colours.low


def test_arrows_of_the_colour_bar():
    colours = field_range(xr.DataArray([-1.0, 1.0]))
    assert colours.extends(np.array([0.0, np.nan, np.inf])) == "neither"
    assert colours.extends(np.array([-3.0])) == "min"
    assert colours.extends(np.array([3.0])) == "max"
    assert colours.extends(np.array([-3.0, 3.0])) == "both"
