"""Paths in recipes: which files, folders and addresses they mean."""

import glob
import os
import re
from pathlib import Path
from typing import Any

from triton_earth.core.errors import UserError, nearest
from triton_earth.data.formats.remote_files import matching_files
from triton_earth.data.simulated.speedy import JCM
from triton_earth.data.simulated.veros_ocean import VEROS
from triton_earth.data.sources.hub import COPERNICUS
from triton_earth.data.sources.shipped import SHIPPED, shipped_data


def matching(path: str, storage_options: dict[str, Any]) -> list[str]:
    """Return the files, folders and addresses that a recipe's path means.

    Args:
        path: One of them, a pattern, or ``shipped:NAME``; ``~`` is the home folder, ``$NAME`` a variable of the
            environment. Brackets are brackets where a folder of that very name is there.
        storage_options: Options for remote storage.

    Raises:
        UserError: if there is none.
    """
    if path.startswith(SHIPPED):
        name, shipped = path.removeprefix(SHIPPED), shipped_data()
        if name not in shipped:
            raise UserError(
                f"{path}: no data of that name comes with the package; {nearest(name, shipped)}"
            )
        return [str(shipped[name])]
    if path.startswith((COPERNICUS, JCM, VEROS)):
        return [path]
    if "://" in path:
        return matching_files(path, storage_options) if "*" in path else [path]
    expanded = in_full(path)
    if Path(expanded).exists():
        return [expanded]
    unset = re.search(r"\$\w+|\$\{\w+\}", expanded)
    if unset:
        raise UserError(
            f"{path}: the variable {unset[0]} is not set in the environment. Set it, or correct data.path."
        )
    if glob.has_magic(expanded):
        found = sorted(glob.glob(_pattern(expanded), recursive=True))
        if found:
            return found
        raise UserError(
            f"{path}: no file matches the pattern{_seen_as(path, expanded)} (from {Path.cwd()}). Correct data.path."
        )
    raise UserError(
        f"{path}: there is no such file or folder{_seen_as(path, expanded)} (from {Path.cwd()}). Correct data.path."
    )


def are_here(path: str) -> bool:
    """Return whether a recipe's path means files or folders on this machine that are there."""
    if "://" in path:
        return False
    full = in_full(path)
    return Path(full).exists() or (glob.has_magic(full) and bool(glob.glob(_pattern(full))))


def in_full(path: str) -> str:
    """Return a path with the home folder for ``~`` and variables of the environment, unless one is called so."""
    if Path(path).exists():
        return path
    return os.path.expandvars(os.path.expanduser(path))


def _pattern(path: str) -> str:
    """Return a pattern in which brackets are brackets, where a folder of that very name is there."""
    literal = Path(path)
    while not literal.exists():
        literal = literal.parent
    rest = Path(path).relative_to(literal)
    return str(Path(glob.escape(str(literal)), rest))


def _seen_as(path: str, expanded: str) -> str:
    return "" if path == expanded else f" {expanded}"
