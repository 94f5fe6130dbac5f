"""Maps of errors and errors of single starts: the plain formulas, in one piece or several."""

import numpy as np
import pytest
from tests.cases import case_of

from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.evaluation.metrics.error_maps import ErrorMaps, mapped_variables
from triton_earth.evaluation.streaming import stream

MASK = np.ones((1, 16, 16), bool)
MASK[0, :3, :5] = False


@pytest.fixture
def judged(flow, forecasts_of, truth_of):
    fields = 0.5 * flow[:, 1:]
    models = [forecasts_of(fields), forecasts_of(fields + 1.0)]
    scores = evaluate_forecasts(models, truth_of(flow, valid_mask=MASK), resamples=20).scores
    return scores, fields, flow[:, 1:]


def test_maps_are_means_over_starts(judged):
    scores, fields, truth = judged
    assert scores["map_lead_time"].values.tolist() == [0.5, 2.0, 3.5]
    error = (fields + 1.0 - truth)[:, [0, 3, 6], 0].astype(np.float64)
    bias, rmse = error.mean(axis=0), np.sqrt((error**2).mean(axis=0))
    own = scores.sel(variable="vorticity").isel(model=1)
    np.testing.assert_allclose(own["map_bias"], np.where(MASK[0], bias, np.nan), rtol=1e-5)
    np.testing.assert_allclose(own["map_rmse"], np.where(MASK[0], rmse, np.nan), rtol=1e-5)
    assert own["map_rmse"].attrs["units"] == "s-1"


def test_errors_of_single_starts_add_up_to_those_of_all(judged):
    scores, _, _ = judged
    assert scores["initial_rmse"].dims == ("forecast", "variable", "initial_lead_time", "init")
    assert scores["initial_lead_time"].values.tolist() == [0.5, 1.5, 2.5, 3.5]
    together = np.sqrt((scores["initial_rmse"] ** 2).mean("init"))
    whole = scores["rmse"].isel(lead_time=[0, 2, 4, 6])
    np.testing.assert_allclose(together.values, whole.values, rtol=1e-12)


def test_pieces_add_up(flow, forecasts_of, truth_of):
    case = case_of([forecasts_of(0.5 * flow[:, 1:])], truth_of(flow))

    def kept(rows):
        part = case.select(np.asarray(rows))
        found = ErrorMaps(part)
        stream(part, [found])
        return found

    whole, merged = kept(range(6)), kept(range(4)).merge(kept(range(4, 6)))
    assert merged.count.tolist() == whole.count.tolist() == [6, 6, 6]
    np.testing.assert_allclose(merged.squares, whole.squares, rtol=1e-6)
    np.testing.assert_allclose(merged.errors, whole.errors, rtol=1e-6, atol=1e-6)


def test_a_forecast_that_is_not_finite_has_no_value_there(flow, forecasts_of, truth_of):
    fields = 0.5 * flow[:, 1:]
    fields[2, -1, 0, 4, 4] = np.inf
    fields[3, -1, 0, 5, 5] = np.nan
    scores = evaluate_forecasts([forecasts_of(fields)], truth_of(flow), resamples=20).scores
    there = np.isfinite(scores["map_rmse"].isel(model=0, variable=0).values)
    assert there[:2].all()
    assert np.argwhere(~there[2]).tolist() == [[4, 4], [5, 5]]


def test_large_grids_have_maps_of_fewer_variables():
    assert mapped_variables(1, 69, 64 * 32) == 8
    assert mapped_variables(1, 4, 64 * 32) == 4
    assert mapped_variables(1, 69, 721 * 1440) == 5
    assert mapped_variables(3, 69, 8 * 721 * 1440) == 1
