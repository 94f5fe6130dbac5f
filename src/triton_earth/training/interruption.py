"""Stopping on request: a scheduler's signal ends a run after its present step, with everything saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "interrupted"
"""File in the folder of a run that was asked to stop: what launchers that hide exit codes can be asked by."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Interrupted(Exception):
    """A run was asked to stop; what it has done is saved, and `--resume` goes on."""

    def __init__(self, name: str, step: int) -> None:
        super().__init__(
            f"stopped by {name} after step {step}; the same command with --resume goes on."
        )


class ProcessLost(Exception):
    """Another process that shares the work has ended."""


class Request:
    """Whether a signal has come.

    Attributes:
        name: The signal's name; empty while none has come.
    """

    def __init__(self) -> None:
        self.name = ""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note a signal."""
        self.name = signal.Signals(number).name


@contextmanager
def listening() -> Iterator[Request]:
    """Note SIGTERM and SIGUSR1 in place of dying of them; outside the main thread, where Python cannot, do nothing."""
    request = Request()
    try:
        former = {number: signal.signal(number, request) for number in SIGNALS}
    except ValueError:
        yield request
        return
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
