"""Memory of batches, used again: the first touch of new pages costs more than the fields that go into them."""

import weakref
from collections import deque

import numpy as np
from jaxtyping import Float32


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
