import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.evaluation.metrics.heat_waves.events import REACH, GrowingEvents, event_days


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 60), st.floats(0.5, 0.95))
def test_day_by_day_is_the_whole_series(seed, past, days, often):
    exceeds = np.random.default_rng(seed).random((past + days, 3, 2)) < often
    events = GrowingEvents(exceeds[:past])
    decided = [
        events.put(exceeds[day], last=day == past + days - 1) for day in range(past, past + days)
    ]
    expected = event_days(exceeds)[past : max(past, past + days - REACH)]
    np.testing.assert_array_equal(np.concatenate(decided), expected)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.floats(0.5, 0.95))
def test_what_is_decided_is_so_however_the_series_goes_on(seed, days, often):
    generator = np.random.default_rng(seed)
    exceeds = generator.random((days, 3, 2)) < often
    events = GrowingEvents(exceeds[:0])
    decided = np.concatenate(
        [events.put(exceeds[day], last=day == days - 1) for day in range(days)]
    )
    for later in (generator.random((20, 3, 2)) < often, np.ones((20, 3, 2), bool)):
        whole = event_days(np.concatenate([exceeds, later]))
        np.testing.assert_array_equal(decided, whole[: len(decided)])
    assert len(decided) == max(0, days - REACH)


def test_the_sixth_day_before_the_end_can_still_join_an_event():
    """Five days, two without, and an event that lasts for five days only if it goes on beyond the end."""
    exceeds = np.array([True] * 5 + [False] * 2 + [True] * 4)
    assert event_days(exceeds).tolist() == [True] * 5 + [False] * 6
    assert event_days(np.append(exceeds, True)).all()
    events = GrowingEvents(exceeds[:0, None])
    decided = [events.put(day[None], last=n == 10) for n, day in enumerate(exceeds)]
    assert np.concatenate(decided)[:, 0].tolist() == [True] * 5


def test_memory_does_not_grow():
    events = GrowingEvents(np.zeros((30, 4), bool))
    held = []
    for day in range(100):
        events.put(np.full(4, day % 9 < 6))
        held.append(len(events._decided) + len(events._open))
    assert max(held) <= 20
