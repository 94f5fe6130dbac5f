"""Outputs that are whole or absent: claimed, grown under a temporary name, and given their name in one step.

An output NAME grows in the folder NAME.partial, which holds a mark, ``unfinished.json``, from its first moment on. When
all of it is on the disk, the two names are exchanged, what was there before is removed, and the mark goes last. So

- NAME.partial with a mark is unfinished, and of the command that the mark tells of;
- NAME with a mark is whole, and what it replaced may still be there, under NAME.partial;
- NAME.partial without a mark is somebody else's and is left alone.

Where the system cannot exchange names, NAME is set aside under a hidden name first; if it is missing, it comes back.
"""

import errno
import glob
import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import (
    partial_path,
    read_json,
    remove,
    remove_leftovers,
    require_no_links,
    sync,
    sync_tree,
    write_json,
    writing,
)
from triton_earth.core.outputs.renames import exchange, rename_to_free
from triton_earth.core.outputs.sole_use import sole_use

MARK = "unfinished.json"

_ADDRESS = re.compile(r"(.*::)?[A-Za-z][A-Za-z0-9+.-]+:/|(hf|jcm|veros|shipped|copernicus):")
_LONGEST = 200
"""Bytes of a name, which gets additions; file systems end at 255."""


@dataclass(frozen=True)
class Kind:
    """What a verb makes, and how its outputs are told from everybody else's: no other may be replaced.

    Attributes:
        name: What it is, for messages.
        files: Each output of the kind has one of these files.
        text: What that file holds.
        resumable: Whether an unfinished one can be gone on with; else it is started again.
        working: Files that only an unfinished one has, besides the mark.
    """

    name: str
    files: tuple[str, ...]
    text: str = ""
    resumable: bool = True
    working: tuple[str, ...] = ()

    def owns(self, folder: Path) -> bool:
        """Return whether a folder is an output of this kind, or empty."""
        if not folder.is_dir():
            return False
        if not any(folder.iterdir()):
            return True
        return any(
            (folder / file).is_file()
            and (not self.text or self.text.encode() in (folder / file).read_bytes())
            for file in self.files
        )


class Claim:
    """Sole use of an output while it is made: `begin` or `goes_on`, write into `partial`, `publish`.

    Attributes:
        path: Final path.
        partial: Where it grows.
    """

    def __init__(self, path: Path, kind: Kind, *, resume: bool, overwrite: bool) -> None:
        """Name the output; entering the claim takes it.

        Args:
            path: Final path of the output, a folder.
            kind: What is made.
            resume: Go on with an unfinished output if there is one.
            overwrite: Replace a complete output, but only once the new one is complete.
        """
        self.path, self.kind = path, kind
        self._resume, self._overwrite = resume, overwrite
        self._held = ExitStack()
        self._old: list[int] | None = None

    def __enter__(self) -> "Claim":
        """Claim it, and bring what a killed process left of it into order.

        Raises:
            UserError: if another process has it, what is there may not be touched, or the folder cannot be written.
        """
        if self._resume and self._overwrite:
            raise UserError("--resume and --overwrite exclude each other; give one of them.")
        self.path = own_path(self.path, resume=self._resume)
        self.partial = partial_path(self.path)
        with ExitStack() as held:
            held.enter_context(sole_use(self.path))
            with writing(self.path):
                settle(self.path, self.kind.working)
                self._require_free()
                self._old = which(self.path) if self.path.exists() else None
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._held:
            if error is not None and not (self.kind.resumable and self.is_created):
                self.discard()

    def goes_on(self, require_same: Callable[[Any, Path], None]) -> bool:
        """Return whether there is an unfinished output of this command to go on with, ready for it.

        Args:
            require_same: Raises a UserError where what `begin` was given is not what this command would give.

        Raises:
            UserError: if what is there is of another command and nothing complete is.
        """
        if not self._resume or not is_begun(self.partial):
            return False
        try:
            require_same(read_mark(self.partial).get("identity"), self.partial)
        except UserError:
            if self.path.exists():
                return False
            raise
        require_no_links(self.partial)
        remove_leftovers(self.partial)
        return True

    @property
    def identity(self) -> Any:
        """What `begin` was given of the unfinished output that is there."""
        return read_mark(self.partial).get("identity")

    @property
    def is_complete(self) -> bool:
        """Whether a complete output is there that was to be gone on with."""
        return self._resume and self.path.exists()

    @property
    def is_created(self) -> bool:
        """Whether `created` was called of the unfinished output that is there."""
        return is_begun(self.partial) and bool(read_mark(self.partial).get("created"))

    def begin(self, identity: Any = None) -> Path:
        """Begin a new output, and return the folder that it grows in.

        Args:
            identity: What tells whether another command would make the same; plain values.
        """
        begin_folder(self.partial, {"kind": self.kind.name, "identity": identity})
        return self.partial

    def clear(self) -> None:
        """Remove all but the mark of an unfinished output, so that it can be created afresh."""
        _clear(self.partial)

    @property
    def notes(self) -> dict[str, Any]:
        """What `created` was given."""
        return dict(read_mark(self.partial).get("notes", {}))

    def created(self, **notes: Any) -> None:
        """Note that the unfinished output can be gone on with, and plain values for then."""
        _change_mark(self.partial, created=True, notes=notes)

    def discard(self) -> None:
        """Remove the unfinished output."""
        if is_begun(self.partial):
            _remove_begun(self.partial)

    def publish(self) -> None:
        """Give the output its name, once all of it is on the disk; what had the name goes away only then.

        Raises:
            UserError: if the system does not let us; what is there stays.
        """
        with writing(self.path):
            sync_tree(self.partial)
            replace(self.partial, self.path, self._old)
            settle(self.path, self.kind.working)

    def _require_free(self) -> None:
        path, partial = self.path, self.partial
        require_ours(partial)
        if is_begun(partial):
            found = read_mark(partial).get("kind", self.kind.name) if self._resume else None
            if self._resume and found != self.kind.name:
                raise UserError(
                    f"{partial} is an unfinished {found}, no {self.kind.name}. Choose another path."
                )
        if path.exists() and not (self._overwrite or self._resume):
            raise UserError(
                f"{path} exists already. Choose another path, or add --overwrite to replace it."
            )
        if path.exists() and self._overwrite and not self.kind.owns(path):
            raise UserError(
                f"{path} is no {self.kind.name}, and --overwrite replaces nothing else. Remove it yourself, or choose "
                "another path."
            )
        may_go = self._resume or self._overwrite or not self.kind.resumable
        if not may_go and read_mark(partial).get("created"):
            raise UserError(
                f"{partial} is an unfinished output of an earlier run. "
                "Add --resume to go on with it, or --overwrite to start again."
            )


def begin_folder(partial: Path, mark: dict[str, Any]) -> None:
    """Make the folder that an output grows in; it never is without its mark.

    Args:
        partial: The folder; one that is there, and has a mark or is empty, is removed.
        mark: What its mark tells.
    """
    with writing(partial):
        fresh = partial.with_name(f".{partial.name}.{os.getpid()}.tmp")
        fresh.mkdir()
        write_json(fresh / MARK, mark)
        if is_begun(partial):
            _remove_begun(partial)
        fresh.rename(partial)  # an empty folder gives way
        # What is written into it from now on shall not come back under the name that it had before.
        sync(partial.parent)


def _remove_begun(partial: Path) -> None:
    """Remove an unfinished output, its mark last: a part that a killed process leaves has its mark, or is empty."""
    _clear(partial)
    remove(partial)


def _clear(partial: Path) -> None:
    for path in partial.iterdir():
        if path.name != MARK:
            remove(path)


def is_begun(partial: Path) -> bool:
    """Return whether a folder is an unfinished output: it has the mark."""
    return not partial.is_symlink() and (partial / MARK).is_file()


def require_ours(partial: Path) -> None:
    """Refuse to touch what has the name of an unfinished output and is none; an empty folder may go.

    Raises:
        UserError: naming it.
    """
    if not os.path.lexists(partial) or is_begun(partial):
        return
    if partial.is_symlink() or not partial.is_dir() or any(partial.iterdir()):
        raise UserError(
            f"{partial} is in the way: it is no unfinished output of ours (no {MARK}). Move it, or choose another path."
        )


def read_mark(folder: Path) -> dict[str, Any]:
    """Return the content of an output's mark; nothing where there is no mark.

    Raises:
        UserError: if it is damaged.
    """
    if not (folder / MARK).exists():
        return {}
    told = read_json(folder / MARK, "unfinished output")
    if not isinstance(told, dict):
        raise UserError(f"{folder / MARK} is damaged; start again with --overwrite.")
    return told


def replace(new: Path, path: Path, old: list[int] | None) -> None:
    """Give a marked folder a name; what has the name gets that of the folder, or the hidden one, and the mark tells.

    Args:
        new: The folder.
        path: The name.
        old: What `which` gave of what has the name and may be replaced; None if nothing had it.

    Raises:
        OSError: if the system does not let us, or somebody else has taken the name; what is there stays.
    """
    if old is None:
        rename_to_free(new, path)
    else:
        if which(path) != old:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        _change_mark(new, replaces=old)
        if not exchange(new, path):
            path.rename(hidden_path(path))
            new.rename(path)
    sync(path.parent)


def settle(path: Path, working: Sequence[str] = ()) -> None:
    """Bring what a killed process left of an output into order; the output must be claimed.

    Args:
        path: Final path.
        working: Files that only an unfinished output has, besides the mark.
    """
    come_back(path)
    if not is_begun(path):
        return
    for replaced in replaced_by(path):
        remove(replaced)
    for name in (*working, MARK):
        remove(path / name)


def come_back(path: Path) -> None:
    """Give an output that was set aside, and that nothing has replaced, its name again; remove what was not begun."""
    partial = partial_path(path)
    for left in path.parent.glob(f".{glob.escape(partial.name)}.*.tmp"):
        names = os.listdir(left) if left.is_dir() and not left.is_symlink() else ["?"]
        if all(re.fullmatch(rf"{MARK}|\.{MARK}\.[0-9]+\.tmp", name) for name in names):
            remove(left)
    if hidden_path(path).exists() and not os.path.lexists(path):
        rename_to_free(hidden_path(path), path)


def replaced_by(path: Path) -> list[Path]:
    """Return where what a marked output replaced is, if it is still there."""
    told = read_mark(path).get("replaces")
    candidates = (partial_path(path), hidden_path(path))
    return [one for one in candidates if os.path.lexists(one) and which(one) == told]


def hidden_path(path: Path) -> Path:
    """Return the name under which an output is set aside where names cannot be exchanged."""
    return path.with_name(f".{path.name}.triton-earth.old")


def which(path: Path) -> list[int]:
    """Return the numbers that identify a file or folder under any name."""
    status = path.lstat()
    return [status.st_dev, status.st_ino]


def _change_mark(folder: Path, **values: Any) -> None:
    write_json(folder / MARK, {**read_mark(folder), **values})


def own_path(path: Path, *, resume: bool) -> Path:
    """Return the path that is written, or refuse one that is none.

    Raises:
        UserError: if it is an address, has no name or one that is too long, or is a link that would be replaced.
    """
    if _ADDRESS.match(str(path)):
        raise UserError(f"{path}: outputs are folders of this machine, no addresses. Give a path.")
    if path.name in ("", "..") or "\0" in str(path):
        raise UserError(f"{path} is no name for a new output. Choose another path.")
    if len(os.fsencode(path.name)) > _LONGEST:
        raise UserError(
            f"{path.name[:40]}... has {len(os.fsencode(path.name))} bytes; the name of an output has at most "
            f"{_LONGEST}. Choose a shorter one."
        )
    with writing(path):
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return path
        if not stat.S_ISLNK(status.st_mode):
            return path
        target = path.resolve()
        if resume and target.exists():
            return target
    raise UserError(
        f"{path} is a link, and outputs replace no links. Give the path that it stands for, or another one."
    )
