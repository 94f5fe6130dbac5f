"""How fast training goes, how long it waits for data, and the memory it needs."""

import resource
import sys
import time
from collections.abc import Iterator
from typing import TypeVar

import torch

Item = TypeVar("Item")


class Meter:
    """A stopwatch over the steps of one process start.

    Attributes:
        samples: Windows learned from so far, over all processes.
        waited: Seconds spent waiting for data.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.samples = 0
        self.waited = 0.0
        self._started = time.monotonic()

    def waiting(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items, counting the time that each takes to come."""
        while True:
            before = time.monotonic()
            try:
                item = next(items)
            except StopIteration:
                return
            self.waited += time.monotonic() - before
            yield item

    @property
    def samples_per_second(self) -> float:
        """Windows per second since the start."""
        return self.samples / (time.monotonic() - self._started)

    @property
    def waiting_share(self) -> float:
        """Part of the time spent waiting for data."""
        return self.waited / (time.monotonic() - self._started)

    @property
    def memory_gb(self) -> float:
        """Peak memory of the GPU, or of the process where there is none, in 10⁹ bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e9
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024) / 1e9

    def note(self, loss: float) -> str:
        """Return the words of the progress bar beside a step."""
        return (
            f"loss {loss:.3g}, {self.samples_per_second:.3g} samples/s, "
            f"{self.waiting_share:.0%} waiting for data, {self.memory_gb:.1f} GB"
        )
