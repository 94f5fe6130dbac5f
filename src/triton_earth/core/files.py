"""Outputs that are whole or absent: written under a temporary name beside the final one, then renamed."""

import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triton_earth.core.errors import UserError


def partial_path(path: Path) -> Path:
    """Return the temporary name under which an output grows until it is complete."""
    return path.with_name(path.name + ".partial")


def claim_output(path: Path, *, resume: bool, overwrite: bool) -> Path:
    """Return the temporary path for a new output, or refuse to touch what is there.

    Args:
        path: Final path of the output, a file or folder.
        resume: Go on with a partial output if there is one.
        overwrite: Replace a complete output, but only once the new one is complete.

    Returns:
        The temporary path; a left-over one has been removed unless `resume`.

    Raises:
        UserError: if `path` or a partial output exists and neither option allows it, if both options are given, or if
            the folder above cannot be made or written.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other; give one of them.")
    partial = partial_path(path)
    if path.exists() and not overwrite and not resume:
        raise UserError(
            f"{path} exists already. Choose another path, or add --overwrite to replace it."
        )
    if partial.exists() and not (resume or overwrite):
        raise UserError(
            f"{partial} is an unfinished output of an earlier run. "
            "Add --resume to go on with it, or --overwrite to start again."
        )
    require_writable(path)
    if partial.exists() and not resume:
        remove(partial)
    return partial


def require_apart(out: Path, inputs: Iterable[str | Path]) -> None:
    """Refuse an output that is, holds or lies within what it is made from, which replacing it would destroy.

    Args:
        out: Final path of the output.
        inputs: Files and folders that are read; those that are not there, such as addresses, are passed over.

    Raises:
        UserError: naming the output and the input; or if the output has no name of its own, such as ``..``.
    """
    for given in inputs:
        if not Path(given).exists():
            continue
        source = Path(given).resolve()
        for target in (out.resolve(), partial_path(out.resolve())):
            if source.is_relative_to(target) or target.is_relative_to(source):
                raise UserError(
                    f"{out} is, holds or lies within {given}, which this command reads. Choose another path."
                )
    if out.name in ("", ".."):
        raise UserError(f"{out} is no name for a new output. Choose another path.")


def require_writable(path: Path) -> None:
    """Refuse a path that nothing can be written to; nothing stays on disk.

    Raises:
        UserError: if the nearest folder above that exists is no folder, or may not be written.
    """
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"{path} cannot be made: {above} is no folder. Choose another path.")
    try:
        # Permissions do not tell: the folder may be the system's own, or of a read-only disk.
        os.rmdir(tempfile.mkdtemp(dir=above))
    except OSError as error:
        raise UserError(
            f"{path} cannot be made: {above} may not be written. Choose another path."
        ) from error


def publish(partial: Path, path: Path) -> None:
    """Give a complete output its final name; an old output of that name goes away only then."""
    if path.exists():
        old = set_aside(path)
        partial.rename(path)
        remove(old)
    else:
        partial.rename(path)


def set_aside(path: Path) -> Path:
    """Rename an output to a hidden name beside it that nothing else has, and return that name."""
    names = (f".{path.name}.{os.getpid()}.{number}.old" for number in itertools.count())
    with _writing(path):
        return path.rename(next(p for name in names if not (p := path.with_name(name)).exists()))


def make_folder(path: Path) -> None:
    """Make a new folder, and those above it that are not there.

    Raises:
        UserError: if the system does not let us.
    """
    with _writing(path):
        path.mkdir(parents=True)


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed while it wrote: ours, and those of Zarr."""
    for pattern in (".*.tmp", "*.partial"):
        for left in folder.rglob(pattern):
            remove(left)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it and rename it.

    Args:
        path: The file; one that is there is replaced, a missing folder is made.
        content: All of it.

    Raises:
        UserError: if the folder cannot be made or written, or the disk is full; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Choose another place."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 under a temporary name and rename it."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, values: Any) -> None:
    """Write strict JSON (no NaN) under a temporary name and rename it."""
    write_text(path, json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file of ours.

    Args:
        path: The file.
        what: What it belongs to, for the message.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: this is not a complete {what}.") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): the {what} is damaged; make it again."
        ) from error
