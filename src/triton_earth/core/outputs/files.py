"""Files that are whole or absent: written under a temporary name beside the final one, then renamed."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triton_earth.core.errors import UserError

_TEMPORARY = re.compile(r"\..*\.[0-9]+\.tmp|.*\.[0-9a-f]{32}\.partial", re.DOTALL)
"""Names of temporary files: those of `write_bytes`, those of Zarr."""


SYNCED_AT_ONCE = 16
"""Files that the disk is asked for at once: it writes those that are asked for together by one turn."""


def partial_path(path: Path) -> Path:
    """Return the temporary name under which an output grows until it is complete."""
    return path.with_name(path.name + ".partial")


def require_apart(out: Path, inputs: Iterable[str | Path]) -> None:
    """Refuse an output that is, holds or lies within what it is made from, which replacing it would destroy.

    Args:
        out: Final path of the output.
        inputs: Files and folders that are read; those that are not there, such as addresses, are passed over.

    Raises:
        UserError: naming the output and the input; or if the output has no name of its own, such as ``..``.
    """
    if out.name in ("", ".."):
        raise UserError(f"{out} is no name for a new output. Choose another path.")
    with writing(out):
        final = out.resolve()
    for given in inputs:
        if not Path(given).exists():
            continue
        source = Path(given).resolve()
        for target in (final, partial_path(final)):
            if source.is_relative_to(target) or target.is_relative_to(source):
                raise UserError(
                    f"{out} is, holds or lies within {given}, which this command reads. Choose another path."
                )


def require_zarr_name(out: Path, remedy: str) -> None:
    """Refuse the name of a NetCDF or HDF5 file for a new output that is a Zarr folder.

    Args:
        out: Final path of the output.
        remedy: What else to do.

    Raises:
        UserError: naming the ending.
    """
    if out.suffix in (".nc", ".nc4", ".h5", ".hdf5") and not out.exists():
        raise UserError(
            f"{out}: expected the name of a Zarr folder, found that of a file ({out.suffix}). Choose "
            f"{out.with_suffix('.zarr')}. {remedy}"
        )


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path, *, below: bool = True) -> None:
    """Remove the temporary files of a process that was killed while it wrote: ours, and those of Zarr.

    Args:
        folder: Where to look.
        below: Look in the folders in it too.
    """
    for above, folders, files in os.walk(folder):
        for name in files:
            if _TEMPORARY.fullmatch(name):
                remove(Path(above, name))
        if not below:
            folders.clear()


def require_no_links(folder: Path) -> None:
    """Refuse a folder that holds links: what is written through them changes what lies elsewhere.

    Raises:
        UserError: naming the first.
    """
    for above, below, files in os.walk(folder):
        for name in (*below, *files):
            if Path(above, name).is_symlink():
                raise UserError(
                    f"{Path(above, name)} is a link, and nothing is written through links. Replace it by what it "
                    "stands for, or start again with --overwrite."
                )


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before anything that is done later."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that does not know it of folders
            raise
    finally:
        os.close(descriptor)


def sync_all(paths: Sequence[Path]) -> None:
    """Have some files, or the names in some folders, on the disk, in any order."""
    if len(paths) < 2:
        for path in paths:
            sync(path)
        return
    with ThreadPoolExecutor(min(SYNCED_AT_ONCE, len(paths)), thread_name_prefix="sync") as threads:
        for _ in threads.map(sync, paths):
            pass


def sync_tree(folder: Path) -> None:
    """Have all files below a folder on the disk, then the names in it and below."""
    files, folders = [], []
    for above, _, names in os.walk(folder, topdown=False):
        files += [Path(above, name) for name in names]
        folders.append(Path(above))
    sync_all(files)
    sync_all(folders)


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
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            sync(path.parent)
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line what the system has against writing a path.

    Raises:
        UserError: in place of an OSError.
    """
    try:
        yield
    except (
        OSError,
        RuntimeError,
    ) as error:  # pathlib says of a loop of links that it is a RuntimeError
        if isinstance(error, RuntimeError) and "loop" not in str(error):
            raise
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be written ({reason}). Choose another place.") from error


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
