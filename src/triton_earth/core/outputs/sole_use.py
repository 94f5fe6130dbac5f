"""Sole use of an output: of two processes that would write it, on one machine or several, the second is refused."""

import fcntl
import os
import shlex
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triton_earth.core.errors import UserError

_MAGIC = "triton-earth"


def lock_path(path: Path) -> Path:
    """Return the file beside an output by whose lock it is claimed."""
    return path.with_name(f".{path.name}.{_MAGIC}.lock")


@contextmanager
def sole_use(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Claim an output until the block or the process ends, however it ends; nothing need be there yet.

    The claim is a lock (flock) of a file beside the output, which goes away with the claim. What a killed process
    leaves of it claims nothing. Where a file system has no locks nobody is refused. Folders above that are not there
    are made, and go away again if nothing is written into them.

    Args:
        path: File or folder that is written, by whatever name.
        shared: Share it with others who say so too, such as the parts of one work.

    Raises:
        UserError: saying who has it, or why the folder above cannot be written.
    """
    made = _make_parents(path)
    lock = lock_path(path.parent.resolve() / path.name)
    try:
        descriptor = _locked(path, lock, shared=shared)
        try:
            yield
        finally:
            try:
                if not shared or _is_last(descriptor):
                    lock.unlink(missing_ok=True)
            finally:
                os.close(descriptor)
    finally:
        for folder in made:
            try:
                folder.rmdir()
            except OSError:
                break  # it holds something


def _make_parents(path: Path) -> list[Path]:
    """Make the folders above a path and return those that were not there, the lowest first."""
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    above = path.absolute().parents[len(missing)]
    if not above.is_dir():
        raise UserError(f"{path} cannot be made: {above} is no folder. Choose another path.")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be made: {above} may not be written ({error.strerror}). Choose another path."
        ) from error
    return missing


def _is_last(descriptor: int) -> bool:
    """Return whether nobody else shares a lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


def _locked(path: Path, lock: Path, *, shared: bool) -> int:
    """Return an open descriptor of the lock file that holds its lock."""
    while True:
        try:
            descriptor = os.open(
                lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666
            )
        except OSError as error:
            raise UserError(
                f"{path} cannot be made: {lock.parent} may not be written ({error.strerror}). Choose another path."
            ) from error
        kept = False
        try:
            _lock(descriptor, path, lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            # Who had it before may have removed the file that we opened.
            kept = lock.exists() and os.path.samestat(os.fstat(descriptor), lock.lstat())
            if kept:
                _sign(descriptor)
                return descriptor
        finally:
            if not kept:
                os.close(descriptor)


def _lock(descriptor: int, path: Path, lock: Path, how: int) -> None:
    content = b""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        content = os.pread(descriptor, 4096, 0)
    # After a power cut its end, or all of it, may be zeros.
    begins = content.rstrip(b"\0")[: len(_MAGIC)]
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not _MAGIC.encode().startswith(begins):
        raise UserError(f"{lock} is in the way and is not ours. Remove it, or choose another path.")
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        who = content.decode("utf-8", "replace").removeprefix(_MAGIC).strip()
        raise UserError(
            f"{path}: another process is writing it ({who or 'it has just begun'}). Wait for its end, stop it, or "
            "choose another path."
        ) from None
    except OSError:
        pass  # a file system without locks


def _sign(descriptor: int) -> None:
    """Write into the lock file who has it."""
    words = " ".join(map(shlex.quote, sys.argv[1:]))[:500]
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"{_MAGIC} process {os.getpid()} on {socket.gethostname()} since {since}: {words}\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("utf-8", "replace"), 0)
