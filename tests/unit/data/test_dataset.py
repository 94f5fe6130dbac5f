import threading

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows


def dataset(store, memory_gb=1.0, split="train", length=4):
    windows = Windows(store.segments(split), length)
    return ForecastDataset(store, windows, history=2, memory_gb=memory_gb)


def test_a_batch_is_history_and_what_follows(waves):
    history, truth = dataset(waves).batch([10, 0])
    assert history.data.shape == (2, 2, 1, 8, 8)
    assert truth.data.shape == (2, 2, 1, 8, 8)
    # 9 windows in each trajectory: window 10 is the second of trajectory 1
    window = torch.from_numpy(waves.read(1, slice(1, 5)))
    assert torch.equal(history.data[0], window[:2])
    assert torch.equal(truth.data[0], window[2:])
    np.testing.assert_array_equal(truth.valid_times[0], waves.times[3:5])


@pytest.mark.parametrize("store", ["waves", "weather"])
def test_memory_and_disk_give_the_same_bits(store, request):
    store = request.getfixturevalue(store)
    cached, read = dataset(store, 1.0), dataset(store, 0.0)
    for indices in ([0, 3, 5], [3, 2, 4]):
        for one, other in zip(cached.batch(indices), read.batch(indices), strict=True):
            assert one.data.numpy().tobytes() == other.data.numpy().tobytes()
            np.testing.assert_array_equal(one.valid_times, other.valid_times)


def test_what_fits_into_memory_is_read_once(waves, monkeypatch):
    reads = []
    original = type(waves).read
    monkeypatch.setattr(
        type(waves), "read", lambda self, *where: reads.append(where) or original(self, *where)
    )
    cached = dataset(waves, 1.0)
    for _ in range(3):
        cached.batch([0, 1, 12])
    assert sorted(trajectory for trajectory, _ in reads) == [0, 1]
    uncached = dataset(waves, 0.0)
    uncached.batch([0, 1])
    assert len(reads) == 4


def test_a_batch_is_no_view_of_the_memory(waves):
    cached = dataset(waves)
    first = cached.batch([0])[0].data.clone()
    cached.batch([0])[0].data.fill_(9.0)
    assert torch.equal(cached.batch([0])[0].data, first)


def test_batches_come_in_the_given_order(waves):
    data = dataset(waves)
    order = [[0, 5], [7, 1], [2, 2], [3, 4], [6, 0]]
    batches = list(data.batches(iter(order)))
    assert len(batches) == 5
    for indices, (history, _) in zip(order, batches, strict=True):
        assert torch.equal(history.data, data.batch(indices)[0].data)


def test_at_most_two_batches_are_read_ahead(waves):
    taken = []

    def order():
        for number in range(10):
            taken.append(number)
            yield [number]

    batches = dataset(waves).batches(order())
    next(batches)
    next(batches)
    assert len(taken) <= 4
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_an_error_while_reading_reaches_the_loop(waves, monkeypatch):
    def broken(self, *where):
        raise UserError("the disk is gone")

    monkeypatch.setattr(type(waves), "read", broken)
    with pytest.raises(UserError, match="the disk is gone"):
        next(dataset(waves).batches([[0]]))
