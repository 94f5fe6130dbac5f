import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.data.preparation.periods import (
    PeriodSplits,
    first_moment,
    gaps_between_splits,
    last_moment,
    split_of_times,
)

DAYS = np.datetime64("2001-01-01", "ns") + np.arange(365) * np.timedelta64(1, "D")
SOUND = {
    "train": ["2001-01-01", "2001-06-30"],
    "valid": ["2001-07-10", "2001-08-31"],
    "test": ["2001-09-10", "2001-12-31"],
}


def split(gap=3, **changes):
    return split_of_times(DAYS, PeriodSplits.parse({**SOUND, **changes}, "recipe"), gap, "a.nc")


def test_every_time_has_the_split_of_its_period():
    found = split()
    assert (found[:181] == "train").all()
    assert (found[181:190] == "").all()
    assert (found[190:243] == "valid").all()
    assert (found[252:] == "test").all()
    assert gaps_between_splits(found) == [(180, 190), (242, 252)]


def test_several_periods_make_one_split():
    found = split(train=[["2001-01-01", "2001-02-10"], ["2001-03-01", "2001-06-30"]])
    assert (found == "train").sum() == 41 + 122
    assert gaps_between_splits(found) == [(180, 190), (242, 252)]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2001", "2001-01-01", "2002-01-01"),
        ("2001-02", "2001-02-01", "2001-03-01"),
        ("2001-02-28", "2001-02-28", "2001-03-01"),
    ],
)
def test_an_end_belongs_to_its_period(text, first, last):
    assert first_moment(text) == np.datetime64(first)
    assert last_moment(text) == np.datetime64(last) - np.timedelta64(1, "ns")
    assert last_moment("2001-02-28T06") == np.datetime64("2001-02-28T06")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"valid": ["2001-06-01", "2001-08-31"]}, "overlaps train; a model would be judged on what it was trained on"),
        ({"valid": ["2001-07-02", "2001-08-31"]}, "are 1 unused times; a gap of 3, one window of the model"),
        ({"valid": ["2001-07-02", "2001-08-31"]}, "Start it at 2001-07-04 or later"),
        ({"test": ["2002-01-05", "2002-03-01"]}, "no time lies in the test period 2002-01-05 to 2002-03-01"),
        ({"test": ["2001-10-01", "2002-12-31"]}, "reaches beyond the times there are, 2001-01-01 to 2001-12-31"),
        ({"train": [1990, "2001-06-30"]}, "the train period 1990 to 2001-06-30 reaches beyond"),
        ({"test": ["2001-12-31", "2001-10-01"]}, "period test ends at 2001-10-01 before it starts at 2001-12-31"),
        ({"train": ["soon", "2001-06-30"]}, "'soon' is no time; write a year, month or day"),
        ({"train": ["1066", "2001-06-30"]}, "'1066' lies outside 1678 to 2261"),
        ({"train": []}, "key 'train'"),
        ({"train": ["2001"]}, "key 'train"),
    ],
)  # fmt: skip
def test_refusals(changes, expected):
    with pytest.raises(UserError) as caught:
        split(**changes)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_order_of_splits_is_free():
    found = split(train=["2001-07-10", "2001-12-31"], valid=["2001-05-01", "2001-06-20"],
                  test=["2001-01-01", "2001-04-20"])  # fmt: skip
    assert [found[before] for before, _ in gaps_between_splits(found)] == ["test", "valid"]
