"""Values that cannot be: counted in forecasts and truth, and named in the remarks and the verdict."""

import numpy as np
import pytest
from tests.cases import case_of

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics.possible_ranges import PossibleRanges
from triton_earth.evaluation.streaming import stream
from triton_earth.evaluation.verdict.verdict import verdict

GRID = LatLonGrid((-45.0, -15.0, 15.0, 45.0), tuple(np.arange(0.0, 360.0, 30.0)))
BOTH = Variables(
    (
        Variable("sea_surface_temperature", "degC", "sea surface temperature"),
        Variable("anything", "kg", "whatever it is"),
    )
)
MASK = np.ones((2, *GRID.shape), bool)
MASK[:, 0, 0] = False


@pytest.fixture
def fields():
    """Truth of three trajectories, five times; the cell without a value holds what must not be counted."""
    values = 15 + np.random.default_rng(0).random((3, 5, 2, *GRID.shape))
    values[..., 0, 0] = -9999.0
    return values.astype(np.float32)


@pytest.fixture
def score(forecasts_of, truth_of):
    def scored(forecast, truth, variables=BOTH):
        shared = {"variables": variables, "grid": GRID}
        return evaluate_forecast(
            forecasts_of(forecast, **shared, model="net"),
            truth_of(truth, **shared, valid_mask=MASK[: len(variables)]),
            resamples=5,
        )

    return scored


def said(scores):
    return [one.kind + ": " + one.text for one in verdict(scores)["net"] if one.subject == "range"]


def test_sound_fields_are_not_spoken_of(fields, score):
    scores = score(fields[:, 1:], fields)
    assert said(scores) == []
    assert "impossible" not in scores.attrs["remarks"]
    counted = scores["impossible_values"].sel(variable="sea_surface_temperature")
    assert counted.sel(source="net") == counted.sel(source="truth") == 0
    assert np.isnan(counted.sel(source="persistence"))
    lowest = scores["lowest_value"].sel(source="truth")
    np.testing.assert_allclose(
        lowest, fields[:, 1:].min(axis=(0, 1), where=MASK, initial=99).min((1, 2))
    )
    assert scores["lowest_possible"][0] == pytest.approx(255 - 273.15)
    assert np.isnan(scores["lowest_possible"][1])


def test_a_forecast_and_the_truth_with_impossible_values(fields, score):
    forecast, truth = fields[:, 1:].copy(), fields.copy()
    forecast[1, 2, 0, 1, :3] = [60.0, -40.0, np.inf]
    forecast[2, 3, 0, 2, 2] = 80.0
    forecast[:, :, 1] = 1e9  # nobody knows what this may be
    truth[0, 2, 0, 3, 3] = 9999.0
    scores = score(forecast, truth)
    found, of_truth = said(scores)
    assert found == (
        "bad: All values are possible on Earth: no. sea surface temperature of net reaches from -40 to 80 °C: "
        "3 values are outside -18.15 to 46.85 °C, which is impossible on Earth, the first at step 3."
    )
    assert of_truth.startswith(
        "note: All values are possible on Earth, those of the truth: no. sea surface temperature of the truth "
        "reaches from 15"
    )
    assert "to 9999 °C: 1 values are outside" in of_truth
    assert of_truth.endswith("the first at step 2.")
    for sentence in said(scores):
        assert sentence.partition(": no. ")[2] in scores.attrs["remarks"].splitlines()


def test_parts_of_the_initial_conditions_are_the_whole(fields, forecasts_of, truth_of):
    forecast = fields[:, 1:].copy()
    forecast[0, 3, 0, 1, 1], forecast[2, 1, 0, 2, 2] = 77.0, -55.0
    shared = {"variables": BOTH, "grid": GRID}
    case = case_of([forecasts_of(forecast, **shared)], truth_of(fields, **shared, valid_mask=MASK))
    parts = []
    for rows in ([0, 1, 2], [0], [1, 2]):
        part = case.select(np.array(rows))
        parts.append(PossibleRanges(part))
        stream(part, parts[-1:])
    whole, first, second = parts
    merged = first.merge(second)
    for name in PossibleRanges.INIT_AXES:
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
    assert whole.impossible[0, :, 0].tolist() == [1, 0, 1]
    assert whole.first[0, :, 0].tolist() == [4, 0, 2]
    assert (whole.highest[0, 0, 0], whole.lowest[0, 2, 0]) == (77, -55)


def test_an_amount_has_no_upper_limit_and_may_undershoot(fields, score):
    amount = Variables((Variable("tracer", "mol m-3", "tracer concentration"),))
    forecast = fields[:, 1:, :1].copy()
    forecast[0, 0, 0, 1, 1] = -1.0  # a tenth of the largest is numerics
    assert said(score(forecast, fields[:, :, :1], amount)) == []
    forecast[0, 0, 0, 1, 1] = -3.0
    (sentence,) = said(score(forecast, fields[:, :, :1], amount))
    assert (
        "1 values are below 0 mol m⁻³, which is impossible on Earth, the first at step 1."
        in sentence
    )
