"""A model of a disk that loses its power: what a command has done to names, and which contents are on the disk.

`record` notes, in the process of a command, every change of a name below a folder and every fsync. After the process
has been killed `cut` makes of the folder what a power cut at that moment could have left:

- names: changes are lost from some moment on, which is after the last one before an fsync of a folder that it concerns.
  They survive in the order in which they were made, as file systems with a journal have it.
- contents: of a file that has changed since its last fsync anything survives: all of it, nothing, a beginning, zeros in
  place of the end. What a later fsync of another file does for it is not counted on.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHADOW = "shadow"
"""Beside the journal: links to files that have lost their names, so that they can get them back."""


def record(journal: Path, root: Path) -> None:
    """Note in a file what this process does below a folder from now on."""
    note = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    shadow = journal.with_name(SHADOW)
    shadow.mkdir(exist_ok=True)
    before = f"{root}{os.sep}"
    kept = 0
    link, put = os.link, os.write

    def write(**values: Any) -> None:
        put(note, json.dumps(values).encode() + b"\n")

    def full(path: Any, folder: int | None = None) -> str:
        above = os.getcwd() if folder is None else os.readlink(f"/proc/self/fd/{folder}")
        return os.path.normpath(os.path.join(above, os.fsdecode(path)))

    def ours(*paths: str) -> bool:
        return any(path.startswith(before) or path == str(root) for path in paths)

    def keep(path: str) -> str | None:
        """Keep a file that is about to lose its name."""
        nonlocal kept
        if not os.path.lexists(path) or os.path.isdir(path):
            return None
        kept += 1
        name = str(shadow / f"{os.getpid()}_{kept}")
        link(path, name, follow_symlinks=False)
        return name

    def rename(call: Callable[..., None]) -> Callable[..., None]:
        def renamed(one: Any, other: Any, **options: Any) -> None:
            source = full(one, options.get("src_dir_fd"))
            target = full(other, options.get("dst_dir_fd"))
            over = None
            if ours(source, target):
                over = keep(target)
                write(do="rename", source=source, target=target, over=over)
            call(one, other, **options)

        return renamed

    def removed(call: Callable[..., None]) -> Callable[..., None]:
        def unlink(path: Any, *, dir_fd: int | None = None) -> None:
            name = full(path, dir_fd)
            if ours(name) and os.path.lexists(name):
                write(do="unlink", target=name, over=keep(name))
            call(path, dir_fd=dir_fd)

        return unlink

    def folder(call: Callable[..., None], what: str) -> Callable[..., None]:
        def changed(path: Any, *arguments: Any, **options: Any) -> None:
            name = full(path, options.get("dir_fd"))
            call(path, *arguments, **options)
            if ours(name):
                write(do=what, target=name)

        return changed

    fsync = os.fsync

    def synced(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        fsync(number)
        name = os.readlink(f"/proc/self/fd/{number}")
        if ours(name):
            status = os.fstat(number)
            seen = None if os.path.isdir(name) else _digest(f"/proc/self/fd/{number}")
            write(do="sync", target=name, file=status.st_ino, seen=seen)

    def opened(event: str, arguments: tuple) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes):
            return
        name = full(arguments[0])
        creates = isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if creates and ours(name) and not os.path.lexists(name):
            write(do="create", target=name)

    os.rename, os.replace = rename(os.rename), rename(os.replace)
    os.unlink, os.remove = removed(os.unlink), removed(os.remove)
    # What shutil knows of them was found when it was imported.
    shutil._use_fd_functions = False  # type: ignore[attr-defined]

    def linked(source: Any, target: Any, **options: Any) -> None:
        link(source, target, **options)
        if ours(full(target)):
            write(do="create", target=full(target))

    os.link = linked
    os.mkdir, os.rmdir = folder(os.mkdir, "mkdir"), folder(os.rmdir, "rmdir")
    os.fsync = synced

    def two_names(call: Callable[..., Any], what: str) -> Callable[..., Any]:
        def changed(one: Path, other: Path) -> Any:
            source, target = full(one), full(other)
            if ours(source, target):
                write(do=what, source=source, target=target, file=os.lstat(one).st_ino, over=None)
            return call(one, other)

        return changed

    # Calls of the system that Python has no function for.
    for name in ("triton_earth.core.outputs.claim", "triton_earth.workflow.running.run_folder"):
        module: Any = sys.modules.get(name)
        for call, what in (("exchange", "exchange"), ("rename_to_free", "rename")):
            if hasattr(module, call):
                setattr(module, call, two_names(getattr(module, call), what))
    sys.addaudithook(opened)


def known_contents(folder: Path) -> dict[int, set[str]]:
    """Return what is on the disk of the files below a folder before a command starts."""
    return {
        path.lstat().st_ino: {_digest(path)}
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def cut(journal: Path, folder: Path, known: dict[int, set[str]], chance: random.Random) -> str:
    """Make of a folder what a power cut could have left of it, and say what was lost.

    Args:
        journal: What `record` wrote; the last change need not have been made.
        folder: The folder.
        known: What `known_contents` gave before the command.
        chance: Chooses what is lost.
    """
    notes = [json.loads(line) for line in journal.read_text().splitlines()]
    durable = {number: set(seen) for number, seen in known.items()}
    kept, changes = 0, []
    for note in notes:
        if note["do"] != "sync":
            changes.append(note)
        elif note["seen"] is not None:
            durable.setdefault(note["file"], set()).add(note["seen"])
        else:
            for place in range(len(changes), kept, -1):
                if note["target"] in _folders(changes[place - 1]):
                    kept = place
                    break
    survive = chance.randint(kept, len(changes)) if chance.random() < 0.7 else len(changes)
    said = [f"{len(changes) - survive} of {len(changes)} changes of names"]
    for change in reversed(changes[survive:]):
        _undo(change)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            if _digest(path) in durable.get(path.lstat().st_ino, ()):
                continue
            how = _tear(path, chance)
            if how:
                said.append(f"{path.relative_to(folder)} {how}")
    return "; ".join(said)


def _folders(change: dict[str, Any]) -> set[str]:
    return {os.path.dirname(change[key]) for key in ("source", "target") if key in change}


def _undo(change: dict[str, Any]) -> None:
    """Take back one change, as far as it was made."""
    target = Path(change["target"])
    if change["do"] == "create":
        target.unlink(missing_ok=True)
    elif change["do"] == "mkdir":
        shutil.rmtree(target, ignore_errors=True)
    elif change["do"] == "rmdir":
        target.mkdir(exist_ok=True)
    elif change["do"] == "exchange":
        source, between = Path(change["source"]), target.with_name("between two names")
        if target.lstat().st_ino != change["file"]:
            return
        source.rename(between)
        target.rename(source)
        between.rename(target)
    else:
        if change["do"] == "rename" and not os.path.lexists(change["source"]) and target.exists():
            target.rename(change["source"])
        if change["over"] is not None and not os.path.lexists(target):
            os.link(change["over"], target)


def _tear(path: Path, chance: random.Random) -> str:
    """Damage a file as a power cut could; say how."""
    size = path.stat().st_size
    how = chance.choice(["", "empty", "cut off", "ends in zeros"])
    if how == "empty":
        os.truncate(path, 0)
    elif how == "cut off":
        os.truncate(path, chance.randint(0, size))
    elif how:
        content = bytearray(path.read_bytes())
        first = chance.randint(0, size)
        content[first:] = bytes(size - first)
        path.unlink()
        path.write_bytes(content)
    return how


def _digest(path: Any) -> str:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
    return ""
