"""Files that are there whole or not at all."""

import os
from pathlib import Path

from triton_earth.core.errors import UserError


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name beside it, then give it its name.

    Args:
        path: The file; one that is there is replaced, a missing folder is made.
        content: All of it.

    Returns:
        The path.

    Raises:
        UserError: if the folder cannot be made or written; then nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Choose another place."
        ) from error
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return path
