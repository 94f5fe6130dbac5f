"""The dataset: windows of a training store as pairs of States, from memory where they fit."""

import itertools
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Float32

from triton_earth.core.state import State
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment, Windows


class ForecastDataset:
    """Windows of one split: the history a model starts from and the states it should then forecast.

    Attributes:
        store: Where the fields are.
        windows: Which windows there are.
        history: Times that a model is given.
    """

    def __init__(
        self, store: TrainingStore, windows: Windows, history: int, memory_gb: float
    ) -> None:
        """Choose the windows, and read their segments into memory if they fit.

        Args:
            store: Where the fields are.
            windows: Which windows; `windows.length` is history × (1 + horizon).
            history: Times that a model is given.
            memory_gb: Largest amount of memory for keeping all fields of the split; 0 always reads from disk.
        """
        self.store, self.windows, self.history = store, windows, history
        fields = sum(len(segment) for segment in windows.segments) * len(store.variables)
        fits = 4 * fields * np.prod(store.grid.shape) <= memory_gb * 1e9
        self._cache: dict[Segment, np.ndarray] | None = {} if fits else None
        self._filling = threading.Lock()
        self._buffers = Buffers()

    def __len__(self) -> int:
        return len(self.windows)

    def batch(
        self, indices: Iterable[SupportsIndex], horizon: int | None = None
    ) -> tuple[State, State]:
        """Return windows as one batch.

        Args:
            indices: Numbers of the windows.
            horizon: States after the history; those that the windows have if not given.

        Returns:
            The history, State [batch, history, channel, y, x], and the states that follow it, [batch, horizon, …].
        """
        chosen = [self.windows.locate(int(index)) for index in indices]
        length = self.windows.length if horizon is None else self.history + horizon
        one_time = (len(self.store.variables), *self.store.grid.shape)
        fields = self._buffers.take((len(chosen), length, *one_time))
        for out, (segment, start) in zip(fields, chosen, strict=True):
            self._read_into(out, segment, start)
        valid_times = np.stack([self.store.times[start : start + length] for _, start in chosen])
        state = self.store.as_state(fields, valid_times)
        return state.at(slice(0, self.history)), state.at(slice(self.history, None))

    def batches(
        self,
        order: Iterable[Iterable[SupportsIndex]],
        horizons: Iterable[int | None] | None = None,
        *,
        workers: int = 1,
        pinned: bool = False,
    ) -> Iterator[tuple[State, State]]:
        """Yield batches in the given order; threads read ahead of what is used, one batch more than there are threads.

        Args:
            order: Numbers of the windows of each batch.
            horizons: States after the history in each batch; those that the windows have if not given.
            workers: Threads that read and decompress; the batches are the same for any number.
            pinned: Put the batches where a GPU can fetch them while it computes.
        """

        def load(*which: Any) -> tuple[State, State]:
            history, truth = self.batch(*which)
            return (history.pinned(), truth.pinned()) if pinned else (history, truth)

        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="loader") as readers:
            upcoming = zip(
                order, itertools.repeat(None) if horizons is None else horizons, strict=False
            )
            pending = deque(
                readers.submit(load, *which) for which in itertools.islice(upcoming, workers + 1)
            )
            try:
                while pending:
                    batch = pending.popleft().result()
                    pending.extend(
                        readers.submit(load, *which) for which in itertools.islice(upcoming, 1)
                    )
                    yield batch
            finally:
                readers.shutdown(cancel_futures=True)

    def _read_into(self, out: np.ndarray, segment: Segment, start: int) -> None:
        if self._cache is None:
            self.store.read_into(out, segment.trajectory, start)
            return
        with self._filling:
            if segment not in self._cache:
                self._cache[segment] = self.store.read(
                    segment.trajectory, slice(segment.start, segment.stop)
                )
        first = start - segment.start
        out[:] = self._cache[segment][first : first + len(out)]


class Buffers:
    """Arrays of one shape; one that nobody holds any longer is lent again. Any number of threads may ask.

    What is kept is as much as was lent at one time; arrays of another shape than the last one asked for are let go.
    """

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        # Its operations are atomic: an array may come back in any thread, at any moment.
        self._free: deque[np.ndarray] = deque()

    def take(self, shape: tuple[int, ...]) -> Float32[np.ndarray, "..."]:
        """Return an array of arbitrary values that belongs to whoever holds it, a view or a tensor of it."""
        if shape != self._shape:
            self._shape = shape
            self._free.clear()
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(shape, np.float32)
        # Of a buffer, not a view of `memory`: whatever is made of the array holds it, not `memory`.
        lent = np.frombuffer(memory.data, np.float32)
        weakref.finalize(lent, self._give_back, memory).atexit = False
        return lent.reshape(shape)

    def _give_back(self, memory: np.ndarray) -> None:
        if memory.shape == self._shape:
            self._free.append(memory)
