"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger("triton_earth")

SECONDS_BETWEEN_LINES = 15.0


class Advance(Protocol):
    """What `progress` hands out: call it after each piece of work."""

    def __call__(self, pieces: int = 1, note: str = "") -> None:
        """Say that `pieces` more are done; `note` is shown beside them."""
        ...


@contextmanager
def progress(description: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Show how far a piece of long work has come.

    Args:
        description: What is being done.
        total: Pieces of work altogether.
        done: Pieces that an earlier run has done already.

    Yields:
        A function to call after each piece.
    """
    if not logger.isEnabledFor(logging.INFO):
        yield _silent
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(description, total=total, completed=done, note="")

            def advance_bar(pieces: int = 1, note: str = "") -> None:
                bar.update(task, advance=pieces, note=note)

            yield advance_bar
    else:
        yield _Lines(description, total, done)


def _silent(pieces: int = 1, note: str = "") -> None:
    """Show nothing."""


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


class _Lines:
    """Log a line at the start, at the end and every `SECONDS_BETWEEN_LINES` between."""

    def __init__(self, description: str, total: int, done: int) -> None:
        self.description, self.total, self.done = description, total, done
        self.first_done = done
        self.started = self.last_line = time.monotonic()

    def __call__(self, pieces: int = 1, note: str = "") -> None:
        self.done += pieces
        now = time.monotonic()
        if self.done < self.total and now - self.last_line < SECONDS_BETWEEN_LINES:
            return
        self.last_line = now
        elapsed = now - self.started
        left = elapsed / (self.done - self.first_done) * (self.total - self.done)
        logger.info(
            "%s: %d/%d, %.0f s, %.0f s left%s",
            self.description,
            self.done,
            self.total,
            elapsed,
            left,
            f", {note}" if note else "",
        )
