"""Work that dies in the middle, as in a power cut."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Crash(Exception):
    """Stands for a power cut."""


@contextmanager
def dies_at_call(number: int, owner: object, name: str) -> Iterator[None]:
    """Let what is done inside die where a function is called for the time with this number; the first call is 1.

    Args:
        number: Number of the call.
        owner: Module or class that has the function.
        name: Its name there.
    """
    original, calls = getattr(owner, name), []

    def dying(*arguments, **named):
        calls.append(1)
        if len(calls) == number:
            raise Crash
        return original(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Crash):
            yield
