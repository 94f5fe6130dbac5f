import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.evaluation.metrics.heat_waves.events import GrowingEvents, event_days


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 60), st.floats(0.5, 0.95))
def test_day_by_day_is_the_whole_series(seed, past, days, often):
    exceeds = np.random.default_rng(seed).random((past + days, 3, 2)) < often
    events = GrowingEvents(exceeds[:past])
    decided = [
        events.put(exceeds[day], last=day == past + days - 1) for day in range(past, past + days)
    ]
    expected = event_days(exceeds)[past:]
    np.testing.assert_array_equal(np.concatenate(decided), expected)


def test_memory_does_not_grow():
    events = GrowingEvents(np.zeros((30, 4), bool))
    held = []
    for day in range(100):
        events.put(np.full(4, day % 9 < 6))
        held.append(len(events._decided) + len(events._open))
    assert max(held) <= 20
