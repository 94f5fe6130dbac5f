"""The hook that checks types and array shapes: the first calls of each function in each test, then one of several.

jaxtyping's own hook checks arguments and result at every call, which takes longer than many of the functions do: half
the time of a test that calls one thousands of times.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jaxtyping

ALWAYS, THEN_EVERY = 16, 64
"""Calls of a function that are checked in each test, and of how many of the others one is."""

_calls: list[list[int]] = []
"""A count for each function that was called since the test began."""


def begin_test() -> None:
    """Check the first calls of every function again."""
    for count in _calls:
        count[0] = 0
    _calls.clear()


def check_sparingly(package: str, typechecker: str) -> None:
    """Install jaxtyping's import hook for a package, with checks as the module says."""
    checked_always = jaxtyping.jaxtyped

    def jaxtyped(*, typechecker: Any) -> Callable[[Any], Any]:
        def decorate(checkable: Any) -> Any:
            decorated = checked_always(typechecker=typechecker)
            if inspect.isfunction(checkable):
                return _sparing(checkable, decorated)
            return decorated(checkable)

        return decorate

    jaxtyping.install_import_hook(package, typechecker)
    jaxtyping.jaxtyped = jaxtyped  # what the hook writes before each function and class


def _sparing(function: Callable[..., Any], decorated: Callable[[Any], Any]) -> Callable[..., Any]:
    count = [0]
    checked: Callable[..., Any] | None = None

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        number = count[0]
        count[0] = number + 1
        if not number:
            _calls.append(count)
        if number >= ALWAYS and number % THEN_EVERY:
            return function(*args, **kwargs)
        if checked is None:
            checked = decorated(function)
        return checked(*args, **kwargs)

    return called
