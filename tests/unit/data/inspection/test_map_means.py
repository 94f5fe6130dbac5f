"""Means of maps, rows and columns in few passes, against plain formulas on all values."""

import numpy as np
import pytest

from triton_earth.data.inspection.map_means import map_means
from triton_earth.data.sources.values import stored_values


def maps(offset, dtype, shape=(5, 7, 9)):
    noise = np.random.default_rng(2).standard_normal(shape)
    return (offset + noise).astype(dtype)


@pytest.mark.parametrize("at_once", [1, 30, 1 << 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 280.0, 1e6])
@pytest.mark.parametrize("mask", ["none", "common", "each"])
def test_they_are_those_of_the_values_there(monkeypatch, mask, offset, dtype, at_once):
    monkeypatch.setattr(stored_values, "CELLS_AT_ONCE", at_once)
    values = maps(offset, dtype)
    there = np.random.default_rng(5).random(values.shape) < 0.6
    if mask == "none":
        there[:] = True
    if mask == "common":
        there[:] = there[0]
        there[:, 3] = False
    values[~there] = np.nan
    exact = values.astype(np.float64)
    told = {"none": None, "common": there[:1], "each": there}[mask]
    found = map_means(values, told, (float(np.nanmin(values)), float(np.nanmax(values))))
    np.testing.assert_array_equal(found.counts, there.sum(axis=(1, 2)))
    np.testing.assert_allclose(found.means, np.nanmean(exact, axis=(1, 2)), rtol=1e-14, atol=1e-15)
    squares = there.sum(axis=(1, 2)) * np.nanvar(exact, axis=(1, 2))
    np.testing.assert_allclose(found.squares, squares, rtol=1e-9)
    for means, axis in ((found.rows, 2), (found.columns, 1)):
        count = there.sum(axis=axis)
        expected = np.nansum(exact, axis=axis) / np.maximum(count, 1)
        np.testing.assert_allclose(means, expected, rtol=1e-13, atol=1e-14)
        assert (means[count == 0] == 0).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -101325.7])
def test_maps_of_one_value_do_not_vary(value):
    values = np.full((3, 11, 13), value, dtype=np.float32)
    stored = float(values[0, 0, 0])
    found = map_means(values, None, (stored, stored))
    assert (found.squares == 0).all()
    assert (found.means == stored).all()


def test_a_map_without_values_has_no_mean_and_those_of_one_row_have_no_columns():
    values = maps(280.0, np.float32, (3, 1, 20))
    there = np.ones(values.shape, dtype=bool)
    there[1] = False
    values[1] = np.nan
    found = map_means(values, there, (270.0, 290.0))
    assert np.isnan(found.means[1])
    assert found.counts.tolist() == [20, 0, 20]
    assert found.squares[1] == 0
    assert found.columns.shape == (3, 0)
