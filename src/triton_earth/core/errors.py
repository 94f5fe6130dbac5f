"""The one exception of the package for what a user can put right."""

import difflib
import re
from collections.abc import Iterable

DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
)
"""What libraries raise on files that are damaged, foreign, out of reach, or say that they are larger than memory."""

_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


class UserError(ValueError):
    r"""A mistake of the user's that a changed command, file or recipe puts right.

    Its text says what was expected, what was found and what to do, in one line. The command line prints that line
    without a traceback and exits with 2. Line breaks in names that it quotes are written as ``\n``.

    Example:
        try:
            triton_earth.open_store("nowhere.zarr")
        except triton_earth.UserError as error:
            message = str(error)
    """

    def __init__(self, message: object) -> None:
        super().__init__(_CONTROL.sub(lambda found: repr(found[0])[1:-1], str(message)))


def first_line(error: BaseException) -> str:
    """Return a library's error in one line, without advice to run code that is not trusted."""
    text = str(error)
    if isinstance(error, KeyError):
        return f"{text} is missing"
    if "weights_only" in text:  # torch advises to run it all the same
        return "it holds more than tensors and numbers"
    said = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return said or type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name most like `name` as a hint, or all known names where none is like it.

    Args:
        name: What the user wrote.
        known: The names that would have been right.

    Returns:
        A clause for an error message, for example ``did you mean 'batch_size'?``.
    """
    known = list(known)
    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if matches:
        return f"did you mean '{matches[0]}'?"
    return f"known are {', '.join(sorted(known))}."
