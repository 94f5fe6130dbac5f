"""Independent pieces of small tensor work side by side: one thread each, instead of all threads on each."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """As many threads as torch has, or as there are pieces; torch works with one thread inside a piece.

    Splitting one small operation over threads costs more in waiting than it saves. With a single piece nothing changes:
    it runs in the calling thread with all of torch's threads.
    """

    def __init__(self, pieces: int) -> None:
        """Start nothing yet.

        Args:
            pieces: Largest number of pieces of one call of `map`.
        """
        self._number = min(pieces, torch.get_num_threads())
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return the results in the order of `items`; the first exception is raised here."""
        if self._number < 2:
            return [function(item) for item in items]

        def piece(item: Item) -> Result:
            # A new thread takes torch's number over at its first split loop; MKL's transforms come without one, and
            # their bits depend on how many threads share them.
            torch.set_num_threads(1)
            return function(item)

        with torch_threads(1):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._number)
            return list(self._pool.map(piece, items))

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Let torch work with `number` threads inside the block; with as many as before if it is None."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
