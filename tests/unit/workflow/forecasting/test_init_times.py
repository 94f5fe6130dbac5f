import copy
import warnings

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.workflow.forecasting.init_times import initial_times


def test_times_lists_and_ranges(weather):
    """Ten times, six hours apart, from 2000-01-01."""
    assert initial_times(["2000-01-01T06"], weather, 1) == [1]
    assert initial_times(["2000-01-01T06,2000-01-02", "2000-01-01T06"], weather, 1) == [1, 4]
    assert initial_times(["2000-01-01..2000-01-02/12h"], weather, 1) == [0, 2, 4, 6]
    assert initial_times(["2000-01-01..2000-01-03/1D"], weather, 1) == [0, 4, 8]
    assert initial_times(["2000-01-01T12..2000-01-02T00"], weather, 2) == [2, 3, 4]


def test_a_range_passes_over_a_gap_of_the_record_and_says_so(weather, caplog):
    gappy = copy.copy(weather)
    gappy.recorded = np.arange(10) != 4
    assert initial_times(["2000-01-01..2000-01-03/1D"], gappy, 1) == [0, 8]
    assert "has no state at 1 of these 3 times, the first at 2000-01-02; they are" in caplog.text
    with pytest.raises(UserError, match="--init 2000-01-02: not a time of"):
        initial_times(["2000-01-02"], gappy, 1)


def test_ranges_of_model_time(waves):
    assert initial_times(["0.2..0.8/0.3"], waves, 1) == [2, 5, 8]
    assert initial_times(["0.2..0.4"], waves, 1) == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2000-01-01..2000-01-05/1D", "--init 2000-01-04.*: not a time of .* with 1 states"),
        ("2000-01-02..2000-01-01/1D", "the range ends before it begins"),
        ("2000-01-01..2000-01-02/fast", "not a step; expected TIME"),
        ("2000-01-01..2000-01-02/0D", "not a step"),
        ("2000-01-01..2000-01-02/1h", "--init 2000-01-01T01.*: not a time of"),
    ],
)
def test_what_is_no_initial_time_is_refused(weather, text, message):
    with pytest.raises(UserError, match=message):
        initial_times([text], weather, 1)


def test_a_step_with_a_unit_needs_a_calendar(waves):
    with pytest.raises(UserError, match="the store's times are numbers, and so is their step"):
        initial_times(["0.2..0.8/5D"], waves, 1)
    assert waves.times.dtype == np.float64


@pytest.mark.parametrize("text", ["..", "", "nat", "2000-01-01..", "nan", ",,"])
def test_what_numpy_takes_for_no_time_is_refused_without_a_warning(weather, waves, text):
    for store in (weather, waves):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserError, match="not a time"):
                initial_times([text], store, 1)
