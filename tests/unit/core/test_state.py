import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr

from tests.builders import HUMIDITY, TEMPERATURE, random_state
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import Variables

GRID = PeriodicGrid(3, 4)
BOTH = Variables((TEMPERATURE, HUMIDITY))


def mask_of_one_cell():
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[1, 0, 0] = False
    return mask


def test_select_reorders_channels_and_their_masks():
    state = random_state(GRID, BOTH, valid_mask=mask_of_one_cell())
    swapped = state.select(["humidity", "temperature"])
    assert torch.equal(swapped.data, state.data.flip(2))
    assert torch.equal(swapped.valid_mask, state.valid_mask.flip(0))
    assert swapped.variables.names == ["humidity", "temperature"]


def test_append_and_last_keep_time_ascending():
    state = random_state(GRID, BOTH, times=3)
    start, end = state.at(slice(0, 2)), state.at(slice(2, None))
    joined = start.append(end)
    assert torch.equal(joined.data, state.data)
    np.testing.assert_array_equal(joined.valid_times, state.valid_times)
    assert torch.equal(joined.last(1).data, end.data)
    np.testing.assert_array_equal(joined.last(2).valid_times, state.valid_times[:, 1:])


def test_append_finds_the_channels_by_name():
    state = random_state(GRID, BOTH)
    newer = random_state(GRID, Variables((HUMIDITY, TEMPERATURE)), seed=1)
    assert torch.equal(state.append(newer).data[:, 1], newer.data[:, 0].flip(1))


def test_masked_has_nan_exactly_where_the_mask_is_false():
    state = random_state(GRID, BOTH, valid_mask=mask_of_one_cell())
    masked = state.masked()
    assert torch.isnan(masked.data[:, :, 1, 0, 0]).all()
    assert int(torch.isnan(masked.data).sum()) == 2
    kept = ~torch.isnan(masked.data)
    assert torch.equal(masked.data[kept], state.data[kept])


def test_without_a_mask_nothing_is_masked():
    state = random_state(GRID, BOTH)
    assert state.masked() is state


def test_values_that_are_not_finite_are_named():
    state = random_state(GRID, BOTH, times=2)
    state.data[1, 1, 0, 2, 3] = torch.inf
    state.data[1, 1, 1, 0, 0] = torch.nan
    with pytest.raises(UserError) as caught:
        state.require_finite("the first guess")
    assert str(caught.value).startswith(
        "the first guess holds 2 values that are not finite, the first in 'temperature' at time 0.1, "
        "cell (2, 3)."
    )


def test_cells_outside_the_mask_need_not_be_finite():
    state = random_state(GRID, BOTH, valid_mask=mask_of_one_cell()).masked()
    state.require_finite("masked state")
    state.data[0, 0, 0, 0, 0] = torch.nan
    with pytest.raises(UserError, match="holds 1 values that are not finite"):
        state.require_finite("masked state")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1, 3, 3, 4), "the tensor has 3 channels but 2 variables are named"),
        ((1, 1, 2, 4, 4), "fields are (4, 4) but the grid is periodic box 3 x 4"),
    ],
)
def test_a_tensor_of_another_shape_is_refused(shape, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        State(torch.zeros(shape), BOTH, GRID, np.zeros((1, 1)))


def test_valid_times_of_another_shape_are_refused():
    # In the tests the annotation speaks first; without the import hook __post_init__ does.
    with pytest.raises((TypeError, ValueError), match=r"valid_times|valid times"):
        State(torch.zeros(1, 2, 2, 3, 4), BOTH, GRID, np.zeros((1, 1)))


def lat_lon_state(valid_mask=None):
    grid = LatLonGrid((-60.0, 0.0, 60.0), (0.0, 90.0, 180.0, 270.0))
    state = random_state(grid, BOTH, times=2, valid_mask=valid_mask)
    times = np.array([["2020-01-01", "2020-01-02"]] * len(state.data), dtype="datetime64[ns]")
    return replace(state, valid_times=times)


@pytest.mark.parametrize("mask", [None, mask_of_one_cell()])
@pytest.mark.parametrize("make", [lat_lon_state, partial(random_state, GRID, BOTH, times=2)])
def test_xarray_and_back_is_the_same_state(make, mask):
    state = make(valid_mask=mask)
    again = State.from_xarray(state.to_xarray())
    assert torch.equal(again.data.nan_to_num(7.0), state.masked().data.nan_to_num(7.0))
    assert again.grid == state.grid
    assert again.variables.names == state.variables.names
    assert [one.units for one in again.variables] == [one.units for one in state.variables]
    np.testing.assert_array_equal(again.valid_times, state.valid_times)
    assert (again.valid_mask is None) == (mask is None)
    if mask is not None:
        assert torch.equal(again.valid_mask, mask)


def test_a_dataset_in_another_order_is_the_same_state():
    state = lat_lon_state()
    fields = state.to_xarray()
    west = fields.assign_coords(longitude=(fields["longitude"] + 180) % 360 - 180)
    turned = west.sortby("longitude").sortby("latitude", ascending=False)
    again = State.from_xarray(turned.transpose("longitude", "time", "latitude", "batch"))
    assert torch.equal(again.data, state.data)
    assert again.grid == state.grid


def test_a_state_survives_netcdf(tmp_path):
    state = random_state(GRID, BOTH, times=2)
    state.to_xarray().to_netcdf(tmp_path / "state.nc")
    with xr.open_dataset(tmp_path / "state.nc") as stored:
        again = State.from_xarray(stored, state.variables)
    assert torch.equal(again.data, state.data)
    assert again.grid == state.grid


def test_one_state_needs_no_batch():
    fields = lat_lon_state().to_xarray().isel(batch=0)
    assert State.from_xarray(fields).data.shape == (1, 2, 2, 3, 4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda ds: ds.drop_vars("valid_time"), "no coordinate 'time' or 'valid_time'"),
        (lambda ds: ds.rename(latitude="lat"), "no coordinates 'latitude' and 'longitude'"),
        (lambda ds: ds.rename(humidity="q"), r"lacks the variables \['humidity'\]; it has"),
        (
            lambda ds: ds.assign(humidity=ds["humidity"].assign_attrs(units="g kg-1")),
            "'humidity' is in 'g kg-1' in the dataset, but in '1' is wanted",
        ),
        (
            lambda ds: ds.assign(humidity=ds["humidity"].drop_attrs()),
            "'humidity' does not say its units",
        ),
        (
            lambda ds: ds.assign(humidity=ds["humidity"].isel(time=0)),
            "'humidity' has dimensions .* expected",
        ),
    ],
)
def test_a_dataset_that_is_no_state_is_refused(change, text):
    with pytest.raises(UserError, match=text):
        State.from_xarray(change(lat_lon_state().to_xarray()), BOTH)
