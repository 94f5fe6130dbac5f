"""Sole use of a folder: of two processes that would write into one, the second is refused."""

import fcntl
import os
from pathlib import Path

from triton_earth.core.errors import UserError


class SoleUse:
    """Folders that no other process may claim until the block ends, however this one ends.

    File systems without locks refuse nobody. A folder that is renamed stays claimed.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], int] = {}

    def claim(self, folder: Path) -> None:
        """Claim a folder; one that is claimed here already stays so.

        Raises:
            UserError: if another process has it.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        status = os.fstat(descriptor)
        which = status.st_dev, status.st_ino
        if which in self._held:
            os.close(descriptor)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UserError(
                f"{folder}: another process is writing into it. Wait for its end, stop it, or choose another folder."
            ) from None
        except OSError:
            pass  # network file systems may have no locks for folders
        self._held[which] = descriptor

    def __enter__(self) -> "SoleUse":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()
