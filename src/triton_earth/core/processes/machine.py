"""What the machine has left, and the refusal of work that cannot fit, before it starts."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from triton_earth.core.errors import UserError


@dataclass(frozen=True)
class Needs:
    """What some work takes at least.

    Attributes:
        memory: Bytes of memory.
        disk: Bytes of disk.
    """

    memory: float
    disk: float


def free_memory() -> float:
    """Return the bytes of memory that can be had, of the machine or of the group of processes this one is in."""
    free = [float("inf")]
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free.append(1024.0 * int(line.split()[1]))
    group = Path("/sys/fs/cgroup")
    limit, used = (_lines(group / name) for name in ("memory.max", "memory.current"))
    if limit and used and limit[0].isdecimal():
        free.append(float(limit[0]) - float(used[0]))
    return min(free)


def free_disk(path: Path) -> float:
    """Return the free bytes of the disk that a new path will lie on; infinite where its size is not told."""
    above = next(folder for folder in path.absolute().parents if folder.is_dir())
    usage = shutil.disk_usage(above)
    return float(usage.free) if usage.total else float("inf")


def require_fits(
    what: str, *, memory: float = 0.0, disk: float = 0.0, path: Path | None = None, advice: str
) -> None:
    """Refuse work that cannot fit.

    Args:
        what: The work, for the message.
        memory: Bytes of memory that it takes.
        disk: Bytes of disk.
        path: Where these are written.
        advice: How to take less.

    Raises:
        UserError: with the numbers.
    """
    needs = [("memory", memory, free_memory())]
    if path is not None:
        needs.append((f"disk at {path}", disk, free_disk(path)))
    for kind, needed, free in needs:
        if needed > free:
            raise UserError(
                f"{what} takes {in_bytes(needed)} of {kind}, and {in_bytes(free)} are free. {advice} "
                "--force goes on anyway."
            )


def require_workers(workers: int) -> None:
    """Refuse more processes than make sense here.

    Raises:
        UserError: if there are more than four for each processor.
    """
    most = 4 * (os.cpu_count() or 1)
    if workers > most:
        raise UserError(
            f"--workers: expected at most {most}, four for each processor of this machine; found {workers}."
        )


def in_bytes(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size / 1e3:.3g} kB"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
