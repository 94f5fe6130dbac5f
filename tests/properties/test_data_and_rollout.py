"""Windows stay within trajectories, epochs are exact partitions, rollouts can be cut anywhere."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders import TEMPERATURE, tiny_forecaster

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.core.variables import Variables
from triton_earth.data.preparation.periods import PeriodSplits, split_of_times
from triton_earth.data.statistics.normalization import compute_normalizer
from triton_earth.data.windows import Segment, Windows, batch_indices, consecutive
from triton_earth.rollout.rollout import rollout


@settings(derandomize=True, deadline=None)
@given(
    trajectories=st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True),
    times=st.integers(1, 30),
    length=st.integers(1, 30),
    stride=st.integers(1, 5),
)
def test_windows_are_all_within_trajectories_and_none_is_missed(
    trajectories, times, length, stride
):
    length = min(length, times)
    windows = Windows((Segment(number, 0, times) for number in trajectories), length, stride)
    found = [windows[index] for index in range(len(windows))]
    expected = [
        (trajectory, start)
        for trajectory in trajectories
        for start in range(0, times, stride)
        if start + length <= times
    ]
    assert found == expected


@settings(derandomize=True, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 25), min_size=3, max_size=3),
    gaps=st.lists(st.integers(0, 8), min_size=2, max_size=2),
    order=st.permutations(["train", "valid", "test"]),
    length=st.integers(1, 6),
)
def test_splits_by_period_are_refused_or_share_no_time_of_any_window(lengths, gaps, order, length):
    """Whatever the periods: either the gap holds a window, or the split says no."""
    starts = np.cumsum([0, lengths[0] + gaps[0], lengths[1] + gaps[1]])
    day = np.datetime64("2001-01-01")
    periods = {
        name: [str(day + int(start)), str(day + int(start) + size - 1)]
        for name, start, size in zip(order, starts, lengths, strict=True)
    }
    days = np.arange(int(starts[2]) + lengths[2]) * np.timedelta64(1, "D")
    times = day.astype("datetime64[ns]") + days
    splits = PeriodSplits.parse(periods, "recipe")
    if min(gaps) < length or len(times) < 2:
        if len(times) >= 2:
            with pytest.raises(UserError, match=r"keeps .* unseen"):
                split_of_times(times, splits, length, "files")
        return
    split = split_of_times(times, splits, length, "files")
    touched: dict[str, set[int]] = {}
    for name, size in zip(order, lengths, strict=True):
        runs = consecutive(split == name)
        assert len(runs) == 1
        if size >= length:
            windows = Windows((Segment(0, *runs[0]),), length)
            starts_of = [windows[index][1] for index in range(len(windows))]
            touched[name] = {start + lead for start in starts_of for lead in range(length)}
            assert touched[name] == set(range(*runs[0]))
    for one, other in itertools.combinations(touched.values(), 2):
        assert min(abs(a - b) for a in one for b in other) > length


@settings(derandomize=True, deadline=None)
@given(
    samples=st.integers(1, 60),
    batch_size=st.integers(1, 60),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_an_epoch_uses_every_sample_at_most_once_and_leaves_less_than_a_batch(
    samples, batch_size, seed, epoch
):
    batch_size = min(batch_size, samples)
    batches = samples // batch_size
    steps = range(epoch * batches, (epoch + 1) * batches)
    used = np.concatenate([batch_indices(samples, batch_size, seed, step) for step in steps])
    assert len(set(used.tolist())) == len(used) == batches * batch_size
    assert set(used.tolist()) <= set(range(samples))


@settings(derandomize=True, deadline=None)
@given(samples=st.integers(4, 40), seed=st.integers(0, 5), steps=st.permutations(list(range(12))))
def test_the_batch_of_a_step_does_not_depend_on_what_was_asked_before(samples, seed, steps):
    in_order = [batch_indices(samples, 4, seed, step) for step in range(12)]
    for step in steps:
        np.testing.assert_array_equal(batch_indices(samples, 4, seed, step), in_order[step])


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    cuts=st.lists(st.integers(2, 6), min_size=1, max_size=5),
    offset=st.sampled_from([0.0, 1e5, -1e7]),
    seed=st.integers(0, 100),
)
def test_statistics_do_not_depend_on_how_times_are_cut_into_trajectories(cuts, offset, seed):
    generator = np.random.default_rng(seed)
    blocks = [
        (offset + 10 * generator.normal(size=(times, 1, 3, 4))).astype(np.float32) for times in cuts
    ]
    apart = compute_normalizer(blocks, Variables((TEMPERATURE,)))
    together = compute_normalizer([np.concatenate(blocks)], Variables((TEMPERATURE,)))
    assert apart.mean == pytest.approx(together.mean, rel=1e-14, abs=1e-12)
    assert apart.std == pytest.approx(together.std, rel=1e-9)
    # Only increments do: there is none from one trajectory to the next.
    increments = np.concatenate([np.diff(block.astype(float), axis=0) for block in blocks])
    assert apart.increment_std[0] == pytest.approx(np.sqrt(np.mean(increments**2)), rel=1e-12)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    first=st.integers(1, 4),
    second=st.integers(1, 4),
    history=st.sampled_from([1, 2]),
    kind=st.sampled_from(["waves", "weather"]),
)
def test_a_rollout_can_be_cut_anywhere_between_applications(first, second, history, kind, request):
    store = request.getfixturevalue(kind)
    forecaster = tiny_forecaster(store, history=history)
    first, second = history * first, history * second
    if kind == "weather":
        first, second = history, history * min(second // history, 2)
    initial = store.windows([1, 4], [0, 1], history)

    def forcings(start, steps):
        if not len(forecaster.forcing):
            return None
        return [
            store.windows([1, 4], [start + n, 1 + start + n], history)
            for n in range(history, history + steps, history)
        ]

    def run(window, start, steps):
        with torch.no_grad():
            return list(rollout(forecaster, window, forcings(start, steps), steps))

    whole = run(initial, 0, first + second)
    head = run(initial, 0, first)
    window: State = initial.select(forecaster.prognostic.names)
    for state in head:
        window = window.append(state).last(history)
    tail = run(window, first, second)
    assert len(whole) == len(head) + len(tail)
    for one, other in zip(whole, [*head, *tail], strict=True):
        assert one.data.numpy().tobytes() == other.data.numpy().tobytes()
        if kind == "weather":
            assert np.array_equal(one.valid_times, other.valid_times)
        else:
            np.testing.assert_allclose(one.valid_times, other.valid_times, rtol=1e-12)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(shift_y=st.integers(0, 7), shift_x=st.integers(0, 7))
def test_on_a_periodic_box_a_shifted_state_gives_the_shifted_forecast(shift_y, shift_x, waves):
    # The network halves the map once, so shifts by whole coarse cells commute with it.
    forecaster = tiny_forecaster(waves)
    window = waves.windows([1], [3], 1)
    shifts = (2 * (shift_y // 2), 2 * (shift_x // 2))
    moved = dataclasses.replace(window, data=window.data.roll(shifts, dims=(3, 4)))
    with torch.no_grad():
        expected = forecaster(window).data.roll(shifts, dims=(3, 4))
        torch.testing.assert_close(forecaster(moved).data, expected, rtol=1e-4, atol=1e-5)
