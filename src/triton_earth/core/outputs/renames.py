"""Renames that the system does in one step: exchanging two names, and taking one that nobody has."""

import ctypes
import errno
import os
from pathlib import Path

_HERE = -100  # AT_FDCWD
_NO_REPLACE, _EXCHANGE = 1, 2
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP)


def exchange(one: Path, other: Path) -> bool:
    """Exchange what two names stand for; at no moment does either name stand for nothing.

    Source: renameat2(2) with RENAME_EXCHANGE, Linux 3.15.

    Returns:
        Whether system and file system can.

    Raises:
        OSError: if they can, but it failed.
    """
    return _renameat2(one, other, _EXCHANGE)


def rename_to_free(path: Path, name: Path) -> None:
    """Rename a file or folder to a name that nobody has.

    Raises:
        FileExistsError: if somebody has it; nothing is changed.
        OSError: if it failed.
    """
    if not _renameat2(path, name, _NO_REPLACE):
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(name))
        path.rename(name)


def _renameat2(one: Path, other: Path, flags: int) -> bool:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), ctypes.c_uint(flags)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(one))
