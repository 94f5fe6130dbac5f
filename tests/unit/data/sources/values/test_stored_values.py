"""Converting stored values a few maps at a time, against plain formulas on all of them."""

import numpy as np
import pytest

from triton_earth.data.sources.values import stored_values
from triton_earth.data.sources.values.stored_values import (
    bits_of,
    cleared,
    converted,
    converted_limits,
)

SHAPE = (7, 2, 5, 6)


def stored(dtype):
    values = np.random.default_rng(1).normal(-3, 400, SHAPE)
    if np.dtype(dtype).kind == "f":
        values[:, :, 0, :3] = np.nan
    return values.astype(dtype)


@pytest.mark.parametrize("at_once", [1, 100, 1 << 15])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1.0, 273.15), (0.01, 0.0), (-2.5, 7.1)])
@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8", "f2", "i2"])
def test_values_and_limits_are_those_of_double_precision(
    monkeypatch, dtype, scale, offset, at_once
):
    monkeypatch.setattr(stored_values, "CELLS_AT_ONCE", at_once)
    values = stored(dtype)
    expected = values.astype(np.float64) * scale + offset
    np.testing.assert_array_equal(converted(values, scale, offset, np.float64), expected)
    single = converted(values, scale, offset, np.float32)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, expected.astype(np.float32))
    limits = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
    assert converted_limits(limits, scale, offset) == (np.nanmin(expected), np.nanmax(expected))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8"])
def test_cleared_maps_are_zero_where_there_is_no_value(dtype):
    values = stored(dtype)[:, 0]
    there = ~np.isnan(values)
    np.testing.assert_array_equal(
        cleared(values, bits_of(there, values.dtype)), np.where(there, values, 0)
    )
