"""The one exception of the package for what a user can put right."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake of the user's that a changed command, file or recipe puts right.

    Its text says what was expected, what was found and what to do, in one line. The command line prints that line
    without a traceback and exits with 2.
    """


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
