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
    original = type(waves).read_into
    monkeypatch.setattr(
        type(waves),
        "read_into",
        lambda self, *where: reads.append(where[1]) or original(self, *where),
    )
    cached = dataset(waves, 1.0)
    for _ in range(3):
        cached.batch([0, 1, 12])
    assert sorted(reads) == [0, 1]
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


@pytest.mark.parametrize("memory_gb", [0.0, 1.0])
def test_any_number_of_workers_gives_the_same_batches(waves, memory_gb):
    order = [[number % 9, (7 * number) % 18] for number in range(30)]
    horizons = [1 + number % 2 for number in range(30)]
    expected = list(dataset(waves).batches(order, horizons))
    for workers in (2, 5):
        batches = list(dataset(waves, memory_gb).batches(order, horizons, workers=workers))
        for one, other in zip(expected, batches, strict=True):
            assert all(torch.equal(a.data, b.data) for a, b in zip(one, other, strict=True))


def test_batches_for_a_gpu_are_pinned(waves, monkeypatch):
    pinned = []
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda self: pinned.append(self.shape) or self.clone()
    )
    list(dataset(waves).batches([[0, 1]], pinned=True))
    assert pinned == [(2, 2, 1, 8, 8), (2, 2, 1, 8, 8)]


@pytest.mark.parametrize("workers", [1, 3])
def test_few_batches_are_read_ahead(waves, workers):
    taken = []

    def order():
        for number in range(10):
            taken.append(number)
            yield [number]

    batches = dataset(waves).batches(order(), workers=workers)
    next(batches)
    next(batches)
    assert len(taken) <= workers + 3
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_an_error_while_reading_reaches_the_loop(waves, monkeypatch):
    def broken(self, *where):
        raise UserError("the disk is gone")

    monkeypatch.setattr(type(waves), "read_into", broken)
    with pytest.raises(UserError, match="the disk is gone"):
        next(dataset(waves).batches([[0]]))
