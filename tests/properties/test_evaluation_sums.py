"""Sums over parts add up to the sums over the whole; masked cells never matter."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.metrics.error_sums import error_sums

SHAPE = (3, 2, 6, 5)
VALUES = st.floats(-1e4, 1e4, width=32)
FIELDS = arrays(np.float32, SHAPE, elements=VALUES)
WEIGHTS = arrays(np.float64, SHAPE[2:], elements=st.floats(0.125, 4.0))
MASKS = arrays(bool, SHAPE[1:], elements=st.booleans())
# Sums of 30 terms of at most 1e4² · 4: rounding stays below 30 · 1e-16 of that.
ROUNDING = {"rtol": 1e-12, "atol": 1e-5}

fast = settings(max_examples=60, deadline=None)


@fast
@given(FIELDS, FIELDS, WEIGHTS, MASKS, st.integers(0, 6))
def test_rows_in_two_pieces(forecast, truth, weights, mask, cut):
    whole = error_sums(forecast, truth, weights, mask)
    above, below = slice(None, cut), slice(cut, None)
    pieces = [
        error_sums(forecast[:, :, rows], truth[:, :, rows], weights[rows], mask[:, rows])
        for rows in (above, below)
    ]
    total = pieces[0] + pieces[1]
    np.testing.assert_allclose(total.to_array(), whole.to_array(), **ROUNDING)


@fast
@given(FIELDS, FIELDS, WEIGHTS, st.integers(0, 3))
def test_pooled_initial_conditions_in_two_batches(forecast, truth, weights, cut):
    whole = error_sums(forecast, truth, weights).pooled(0)
    parts = [
        error_sums(forecast[rows], truth[rows], weights).pooled(0)
        for rows in (slice(None, cut), slice(cut, None))
    ]
    np.testing.assert_allclose((parts[0] + parts[1]).to_array(), whole.to_array(), **ROUNDING)


@fast
@given(FIELDS, FIELDS, WEIGHTS, MASKS, st.sampled_from([np.nan, np.inf, 1e30, -7.0]))
def test_masked_cells_never_matter(forecast, truth, weights, mask, rubbish):
    clean = error_sums(forecast, truth, weights, mask)
    forecast = np.where(mask, forecast, np.float32(rubbish))
    truth = np.where(mask, truth, np.float32(rubbish))
    np.testing.assert_array_equal(
        error_sums(forecast, truth, weights, mask).to_array(), clean.to_array()
    )


@fast
@given(FIELDS, FIELDS, WEIGHTS)
def test_bounds_of_the_metrics(forecast, truth, weights):
    sums = error_sums(forecast, truth, weights)
    values = {name: metric.of_one(sums) for name, metric in METRICS.items()}
    assert (values["mse"] >= 0).all()
    assert (np.abs(np.nan_to_num(values["correlation"])) <= 1).all()
    assert (values["bias"] ** 2 <= values["mse"] * (1 + 1e-9) + 1e-6).all()


@fast
@given(FIELDS, WEIGHTS, MASKS)
def test_perfect_forecast(field, weights, mask):
    sums = error_sums(field, field, weights, mask)
    for name, perfect in (("mse", 0.0), ("bias", 0.0), ("relative_l2", 0.0), ("correlation", 1.0)):
        value = METRICS[name].of_one(sums)
        defined = ~np.isnan(value)
        np.testing.assert_allclose(value[defined], perfect, atol=1e-9)
