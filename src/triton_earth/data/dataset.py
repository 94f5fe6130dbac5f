"""The dataset: windows of a training store as pairs of States, from memory where they fit."""

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import SupportsIndex

import numpy as np

from triton_earth.core.state import State
from triton_earth.data.store import TrainingStore
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
            windows: Which windows; `windows.length` is history plus horizon.
            history: Times that a model is given.
            memory_gb: Largest amount of memory for keeping all fields of the split; 0 always reads from disk.
        """
        self.store, self.windows, self.history = store, windows, history
        fields = sum(len(segment) for segment in windows.segments) * len(store.variables)
        fits = 4 * fields * np.prod(store.grid.shape) <= memory_gb * 1e9
        self._cache: dict[Segment, np.ndarray] | None = {} if fits else None

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
        fields = np.stack([self._read(segment, start, length) for segment, start in chosen])
        valid_times = np.stack([self.store.times[start : start + length] for _, start in chosen])
        state = self.store.as_state(fields, valid_times)
        return state.at(slice(0, self.history)), state.at(slice(self.history, None))

    def batches(
        self,
        order: Iterable[Iterable[SupportsIndex]],
        horizons: Iterable[int | None] | None = None,
    ) -> Iterator[tuple[State, State]]:
        """Yield batches in the given order; a thread reads two batches ahead of what is used.

        Args:
            order: Numbers of the windows of each batch.
            horizons: States after the history in each batch; those that the windows have if not given.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader") as reader:
            upcoming = zip(
                order, itertools.repeat(None) if horizons is None else horizons, strict=False
            )
            pending = [reader.submit(self.batch, *which) for which in itertools.islice(upcoming, 2)]
            while pending:
                batch = pending.pop(0).result()
                pending.extend(
                    reader.submit(self.batch, *which) for which in itertools.islice(upcoming, 1)
                )
                yield batch

    def _read(self, segment: Segment, start: int, length: int) -> np.ndarray:
        if self._cache is None:
            return self.store.read(segment.trajectory, slice(start, start + length))
        if segment not in self._cache:
            self._cache[segment] = self.store.read(
                segment.trajectory, slice(segment.start, segment.stop)
            )
        first = start - segment.start
        return self._cache[segment][first : first + length]
