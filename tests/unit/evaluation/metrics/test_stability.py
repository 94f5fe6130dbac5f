import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.evaluation.metrics.error_sums import ErrorSums, error_sums
from triton_earth.evaluation.metrics.stability import (
    StabilityBands,
    departures,
    first_departure,
    ratio_to_truth,
)

LEADS = np.arange(1, 5)
WAVE = np.broadcast_to(np.sin(np.arange(16) * 2 * np.pi / 16), (16, 16))


def _stability(forecasts, ratios=None, available=None, bands=None):
    """Stability of one initial condition at four leads against a truth that does not change."""
    truth = np.stack([WAVE] * 4)[:, None]
    sums = error_sums(np.stack(forecasts)[:, None], truth, np.ones((16, 16)))
    one = ErrorSums(*sums.to_array()[:, None])
    outside = departures(one, ["vorticity"], ratios or {}, bands or StabilityBands())
    there = np.ones((1, 4), bool) if available is None else available
    return first_departure(outside, there, LEADS)


def test_the_truth_is_stable():
    found = _stability([WAVE] * 4)
    assert found.horizon.tolist() == [np.inf]
    assert found.stable.tolist() == [True]
    assert found.criterion == ["none"]


@pytest.mark.parametrize(
    ("spoil", "criterion"),
    [
        (lambda wave: np.where(wave > 0.9, np.nan, wave), "not finite"),
        (lambda wave: np.where(wave > 0.9, np.inf, wave), "not finite"),
        (lambda wave: wave + 0.11 * np.sqrt(0.5), "mean of vorticity"),
        (lambda wave: wave - 0.11 * np.sqrt(0.5), "mean of vorticity"),
        (lambda wave: 1.23 * wave, "variance of vorticity"),
        (lambda wave: 0.81 * wave, "variance of vorticity"),
    ],
)
def test_first_departure_and_its_criterion(spoil, criterion):
    found = _stability([WAVE, WAVE, spoil(WAVE), WAVE])
    assert found.horizon.tolist() == [3.0]
    assert found.stable.tolist() == [False]
    assert found.criterion == [criterion]


def test_just_inside_the_bands():
    inside = [WAVE + 0.09 * np.sqrt(0.5), 1.22 * WAVE, 0.82 * WAVE, WAVE]
    assert _stability(inside).stable.tolist() == [True]


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("energy", 1.49, 1.51),
        ("energy", 0.67, 0.66),
        ("small_scale_enstrophy", 1.99, 2.01),
        ("small_scale_enstrophy", 0.51, 0.49),
        ("small_scale_enstrophy", 1.0, np.inf),
    ],
)
def test_ratios(name, inside, outside):
    found = _stability([WAVE] * 4, {name: np.array([[1.0, inside, np.nan, outside]])})
    assert found.horizon.tolist() == [4.0]
    assert found.criterion == [name.replace("small_scale_", "small-scale ")]


def test_nothing_trips_where_there_is_no_truth():
    spoilt = [WAVE, WAVE, 3 * WAVE, 3 * WAVE]
    found = _stability(spoilt, available=np.array([[True, True, False, False]]))
    assert found.stable.tolist() == [True]


def test_only_not_finite_is_named_for_a_forecast_that_is_not_finite():
    ratios = {"energy": np.array([[1.0, np.nan, np.nan, np.nan]])}
    found = _stability([WAVE, WAVE * np.nan, WAVE, WAVE], ratios)
    assert found.criterion == ["not finite"]


def test_ratio_is_undefined_where_the_truth_has_nothing():
    quantity = np.array([[1.0, 2.0, np.nan]])
    truth = np.array([[2.0, 1e-14, 1.0]])
    np.testing.assert_array_equal(
        ratio_to_truth(quantity, truth, np.ones((1, 3))), [[0.5, np.nan, np.nan]]
    )


def test_a_mean_as_close_as_that_of_the_climatology_is_not_judged():
    truth = np.stack([WAVE] * 4)[:, None]
    one = np.ones((16, 16))

    def sums(offset):
        found = error_sums(truth + offset, truth, one)
        return ErrorSums(*found.to_array()[:, None])

    def left(offset, climatology):
        found = departures(
            sums(offset), ["sst"], {}, StabilityBands(), climatology=sums(climatology)
        )
        return bool(found["mean of sst"].any())

    assert left(0.5, 0.0)
    assert not left(0.5, -0.6)
    assert left(0.5, -0.4)


def test_bands_of_the_user():
    wide = StabilityBands.parse({"variance": {"lower": 0.1, "upper": 10}}, "recipe.yaml")
    assert _stability([2 * WAVE] * 4, bands=wide).stable.tolist() == [True]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variances": 1}, "unknown key 'variances'; did you mean 'variance'?"),
        ({"energy": {"lower": 1.5, "upper": 2}}, "key 'energy.lower'"),
        ({"energy": {"lower": 0.5, "upper": 0.9}}, "key 'energy.upper'"),
        ({"mean_drift": 0}, "key 'mean_drift'"),
        ({"mean_drift": float("inf")}, "key 'mean_drift': Input should be a finite number"),
    ],
)
def test_bands_that_are_refused(values, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        StabilityBands.parse(values, "recipe.yaml")
