import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.time import (
    day_fraction,
    decode_duration,
    describe_duration,
    describe_time,
    same_duration,
    steps_in,
    uniform_step,
)


def test_the_step_of_model_time():
    assert uniform_step(4.5 + 0.055 * np.arange(100)) == pytest.approx(0.055, rel=1e-12)


@pytest.mark.parametrize("unit", ["ns", "s", "h", "6h"])
def test_the_step_of_calendar_time_in_any_unit(unit):
    times = np.arange("2000-01-01", "2000-01-03", 6, dtype="datetime64[h]")
    step = uniform_step(times.astype(f"datetime64[{unit}]"))
    assert step == np.timedelta64(6, "h")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.array([1.0]), "a time axis needs at least two times to have a step; found 1."),
        (
            np.array([0.0, 1.0, 2.0, 4.0, 5.0]),
            "times must ascend in equal steps; the step after 2 is 2.0 where the usual one is 1.0.",
        ),
        (np.array([2.0, 1.0, 0.0]), "times must ascend in equal steps"),
        (
            np.array([0, 1, 3, 4], dtype="datetime64[D]"),
            "the step after 1970-01-02 is 2 days where the usual one is 1 days",
        ),
    ],
)
def test_uneven_times_are_refused(times, expected):
    with pytest.raises(UserError) as caught:
        uniform_step(times)
    assert expected in str(caught.value)


def test_spans_are_the_same_to_rounding_and_of_one_kind():
    assert same_duration(0.1, 0.1 * (1 + 1e-8))
    assert not same_duration(0.1, 0.1001)
    assert same_duration(np.timedelta64(1, "D"), np.timedelta64(24, "h"))
    assert not same_duration(np.timedelta64(1, "s"), 1.0)


def test_an_unknown_form_of_span_is_refused():
    with pytest.raises(UserError, match=r"expected a time step in nanoseconds or model_time"):
        decode_duration({"fortnights": 1})


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0.055, "0.055"),
        (np.timedelta64(2, "D"), "2 d"),
        (np.timedelta64(36, "h"), "36 h"),
        (np.timedelta64(6, "h"), "6 h"),
        (np.timedelta64(90, "s"), "90 s"),
        (np.timedelta64(1500, "ms"), "1.5 s"),
    ],
)
def test_spans_in_words(span, words):
    assert describe_duration(span) == words


def test_day_fraction():
    times = np.array(["2001-01-01", "2001-01-01T06", "1960-02-29T18:00"], "M8[ns]")
    np.testing.assert_array_equal(day_fraction(times), [0, 0.25, 0.75])


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (4.555, "4.555"),
        (np.datetime64("2005-04-01", "ns"), "2005-04-01"),
        (np.datetime64("2005-04-01T12", "h"), "2005-04-01T12:00"),
        (np.datetime64("2005-04-01T12:00:30", "ns"), "2005-04-01T12:00:30"),
        (np.datetime64("2005-04-01T12:00:30.5", "ms"), "2005-04-01T12:00:30.500"),
    ],
)
def test_a_time_is_told_briefly(time, words):
    assert describe_time(time) == words


@pytest.mark.parametrize(
    ("length", "hours", "steps"),
    [
        ("365d", 24, 365),
        ("1y", 24, 365),
        ("10y", 24, 3652),
        ("1y", 6, 1460),
        ("36h", 24, 1),
        ("4 w", 24, 28),
        ("30min", 0.5, 1),
    ],
)
def test_a_length_holds_whole_steps(length, hours, steps):
    assert steps_in(length, np.timedelta64(round(hours * 3600), "s")) == steps


def test_a_year_holds_twelve_mean_months():
    month = np.timedelta64(2629746, "s")
    assert (steps_in("1y", month), steps_in("10y", month), steps_in("6mo", month)) == (12, 120, 6)


def test_a_length_without_a_calendar_is_a_number():
    assert steps_in("5.5", 0.055) == 100


@pytest.mark.parametrize(
    ("length", "step", "text"),
    [
        ("1y", 0.1, "length '1y': expected a number, as the model has no calendar"),
        ("12", np.timedelta64(1, "D"), "length '12': expected a length such as 36h, 365d"),
        ("soon", np.timedelta64(1, "D"), "length 'soon': expected a length such as"),
        ("6h", np.timedelta64(1, "D"), "length '6h' is shorter than one step of 1 d"),
    ],
)
def test_what_is_no_length_is_refused(length, step, text):
    with pytest.raises(UserError, match=text):
        steps_in(length, step)
