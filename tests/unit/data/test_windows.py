import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.data.windows import Segment, Windows, batch_indices, consecutive


def test_all_windows_in_order():
    windows = Windows((Segment(3, 0, 6), Segment(8, 0, 6)), length=4)
    assert len(windows) == 6
    assert [windows[index] for index in range(len(windows))] == [
        (3, 0), (3, 1), (3, 2), (8, 0), (8, 1), (8, 2),
    ]  # fmt: skip


def test_windows_may_be_spaced():
    windows = Windows((Segment(0, 0, 10),), length=3, stride=4)
    assert [windows[index] for index in range(len(windows))] == [(0, 0), (0, 4)]


def test_windows_cross_no_gap_and_short_segments_give_none():
    segments = (Segment(0, 2, 6), Segment(0, 8, 10), Segment(0, 11, 15))
    windows = Windows(segments, length=3)
    assert [windows[index] for index in range(len(windows))] == [(0, 2), (0, 3), (0, 11), (0, 12)]
    assert windows.locate(2) == (segments[2], 11)
    with pytest.raises(IndexError):
        windows[4]


def test_runs_of_true_values():
    assert consecutive(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert consecutive(np.zeros(3, dtype=bool)) == []


def test_a_window_longer_than_a_trajectory_is_refused():
    with pytest.raises(UserError) as caught:
        Windows((Segment(0, 0, 5),), length=6)
    assert str(caught.value).startswith(
        "a window of 6 times (history × (1 + horizon)) does not fit into 5 consecutive times, the most"
    )


def test_every_epoch_has_its_own_order_and_every_seed_too():
    first, second = (batch_indices(50, 50, seed=0, step=step) for step in (0, 1))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, batch_indices(50, 50, seed=1, step=0))
    assert not np.array_equal(first, np.arange(50))


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(UserError) as caught:
        batch_indices(3, 4, seed=0, step=0)
    assert str(caught.value) == (
        "a batch of 4 needs at least as many training windows; there are 3. Lower train.batch_size or prepare more "
        "trajectories."
    )
