"""How a command ends: exit codes, and what is said of errors that nobody expected."""

import errno
import os
import tempfile
import traceback
from pathlib import Path

from triton_earth.core.errors import UserError, first_line

FINDING = 1
"""`inspect` found something fatal."""
USER = 2
"""A mistake of the user's, or a limit of the machine."""
UNEXPECTED = 70
"""A mistake of ours (EX_SOFTWARE)."""
REQUEUE = 75
"""Asked to stop, all is saved: the same command goes on (EX_TEMPFAIL)."""
LOST = 76
"""Another process of the same run has ended; its own exit code says why."""
INTERRUPTED = 130
"""Ctrl-C."""
PIPE = 141
"""The reader of the output has gone."""

DEBUG = "TRITON_EARTH_DEBUG"
"""Environment variable: with 1, unexpected errors show where they come from."""

_THE_MACHINE = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the quota is used up: make room",
    errno.EROFS: "it lies on a read-only disk: choose another path",
    errno.EACCES: "permission denied: change it, or choose another path",
    errno.EPERM: "not permitted: choose another path",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.ELOOP: "a loop of links: give the path of the file itself",
    errno.ENOENT: "no such file: another process may have removed it",
    errno.ENOTDIR: "a part of the path is no folder: correct it",
    errno.EISDIR: "a folder, where a file is expected: correct the path",
    errno.EFBIG: "the file would be larger than is allowed: choose another disk",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.EIO: "the disk does not answer: choose another one",
    errno.ESTALE: "the network disk has changed meanwhile: repeat the command",
}
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")


def explain(error: BaseException) -> UserError | None:
    """Return in one line what the machine has against it, or None where an error is ours.

    Args:
        error: What a command ended with.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.errno in _THE_MACHINE:
        where = f"{error.filename or 'the output'}: "
        return UserError(f"{where}{_THE_MACHINE[error.errno]}.")
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY):
        return UserError(
            f"memory does not suffice ({first_line(error)[:200]}). `triton-earth plan` says what training takes; take "
            "smaller batches, fewer members or a smaller grid."
        )
    return None


def report(error: BaseException) -> str:
    """Return one line on an error of ours, and where its traceback is: a file, or with `DEBUG` the line's end.

    Args:
        error: What a command ended with.
    """
    text = "".join(traceback.format_exception(error))
    what = f"unexpected {type(error).__name__}: {first_line(error)[:300]}"
    line = str(UserError(what))
    if os.environ.get(DEBUG) == "1":
        return f"{line}\n{text.rstrip()}"
    try:
        descriptor, name = tempfile.mkstemp(prefix="triton-earth-", suffix=".txt")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        kept = f"what led to it is in {Path(name)}, please send it with your report"
    except OSError:
        kept = "no traceback could be written"
    return f"{line}. This is a bug: {kept} ({DEBUG}=1 shows it here)."
