import re

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation.alignment import align

TEMPERATURE = Variable("temperature", "K")


def _fields(*shape):
    return np.zeros((*shape, 1, 4, 4))


def test_leads_and_starts(forecasts_of, truth_of):
    truth = truth_of(_fields(3, 10))
    forecast = forecasts_of(
        _fields(3, 6), init_times=np.array([0.0, 2.0, 3.0]), trajectories=np.array([0, 2, 2])
    )
    found = align(forecast, truth)
    assert found.starts.tolist() == [0, 4, 6]
    assert found.offsets.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.leads.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.available.sum(axis=1).tolist() == [6, 5, 3]


def test_leads_beyond_the_truth_are_left_out(forecasts_of, truth_of):
    found = align(forecasts_of(_fields(2, 20)), truth_of(_fields(2, 5)))
    assert found.leads.tolist() == [0, 1, 2, 3]
    assert found.available.all()


def test_leads_at_times_without_a_state_are_not_scored(forecasts_of, truth_of):
    truth = truth_of(_fields(2, 5))
    truth.recorded[3] = False
    starts = {"init_times": np.array([0.0, 0.5]), "trajectories": np.array([0, 1])}
    found = align(forecasts_of(_fields(2, 4), **starts), truth)
    assert found.available.tolist() == [[True, True, False, True], [True, False, True, False]]


def test_forecast_with_a_longer_step_meets_every_other_time(forecasts_of, truth_of):
    found = align(forecasts_of(_fields(1, 4), time_step=1.0), truth_of(_fields(1, 8)))
    assert found.offsets.tolist() == [2, 4, 6]
    assert found.leads.tolist() == [0, 1, 2]


def test_forecast_with_a_shorter_step_is_scored_where_there_is_truth(forecasts_of, truth_of):
    found = align(forecasts_of(_fields(1, 7), time_step=0.25), truth_of(_fields(1, 8)))
    assert found.offsets.tolist() == [1, 2, 3]
    assert found.leads.tolist() == [1, 3, 5]


def test_calendar_times(forecasts_of, truth_of):
    times = np.arange("2020-01-01", "2020-01-09", dtype="datetime64[D]").astype("datetime64[ns]")
    truth = truth_of(_fields(1, 8), times=times)
    forecast = forecasts_of(
        _fields(2, 3),
        init_times=times[[2, 5]],
        trajectories=np.zeros(2, int),
        time_step=np.timedelta64(24, "h"),
    )
    found = align(forecast, truth)
    assert found.starts.tolist() == [2, 5]
    assert found.available.tolist() == [[True, True, True], [True, True, False]]


def test_variables_of_the_forecast_are_found_by_name(forecasts_of, truth_of):
    other = Variable("salinity", "1")
    truth = truth_of(
        np.zeros((1, 3, 3, 4, 4)), variables=Variables((other, VORTICITY, TEMPERATURE))
    )
    forecast = forecasts_of(
        np.zeros((1, 2, 2, 4, 4)), variables=Variables((TEMPERATURE, VORTICITY))
    )
    assert align(forecast, truth).channels == [2, 1]


def _refusals():
    times = np.arange("2020-01-01", "2020-01-04", dtype="datetime64[D]")
    return {
        "grid": (
            {"grid": PeriodicGrid(4, 4, 1.0, 1.0)},
            {},
            "the forecast is on the grid 'periodic box 4 x 4, sides 1 x 1' but the truth on 'periodic box 4 x 4, sides "
            "6.283 x 6.283'. Evaluate against a store prepared on the forecast's grid.",
        ),
        "kind of grid": (
            {"grid": LatLonGrid((0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0, 3.0))},
            {},
            "the forecast is on the grid 'latitude-longitude 4 x 4",
        ),
        "variable": (
            {"variables": Variables((TEMPERATURE,))},
            {},
            "the truth lacks the forecast's variables ['temperature']; it has ['vorticity']. "
            "Evaluate against a store that holds every variable of the forecast.",
        ),
        "units": (
            {"variables": Variables((Variable("vorticity", "d-1"),))},
            {},
            "'vorticity' is in 'd-1' in the forecast but in 's-1' in the truth. Prepare the truth with the units",
        ),
        "trajectory": (
            {"trajectories": np.array([0, 5])},
            {},
            "the forecast starts from trajectories [5], which the truth does not have: it has 3. Evaluate against",
        ),
        "initial time": (
            {"init_times": np.array([0.6, 0.7])},
            {},
            "initial times [0.6, 0.7] of the forecast are not in the truth, which has times 0 to 1 in steps",
        ),
        "kind of time": (
            {},
            {"times": times},
            "the forecast's times are model times (numbers) but the truth's are calendar times. Evaluate against",
        ),
        "no overlap": (
            {"init_times": np.array([1.0, 1.0])},
            {},
            "no lead time of the forecast has a truth: the first is 0.5 after an initial time, and the truth has steps "
            "of 0.5 until 1. Forecast from earlier initial times, or prepare a truth that goes on for longer.",
        ),
        "no common step": (
            {"time_step": 0.13},
            {},
            "no lead time of the forecast has a truth: the first is 0.13 after an initial time",
        ),
    }


@pytest.mark.parametrize("case", _refusals())
def test_refusals(case, forecasts_of, truth_of):
    of_forecast, of_truth, message = _refusals()[case]
    with pytest.raises(UserError, match=re.escape(message)):
        align(forecasts_of(_fields(2, 2), **of_forecast), truth_of(_fields(3, 3), **of_truth))


def test_more_than_a_few_absent_times_are_cut_short(forecasts_of, truth_of):
    forecast = forecasts_of(_fields(9, 2), init_times=0.125 + np.arange(9) / 64)
    with pytest.raises(UserError, match=r"\[0.125, 0.140625, 0.15625, 0.171875, 0.1875, …\]"):
        align(forecast, truth_of(_fields(9, 3)))
