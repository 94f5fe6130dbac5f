"""`triton-earth inspect`: the data doctor."""

from pathlib import Path

import zarr
import zarr.errors

from triton_earth.core.errors import UserError
from triton_earth.data.inspection.findings import Inspection
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.inspection.store_checks import inspect_store
from triton_earth.data.store import FORMAT


def inspect(path: str) -> Inspection:
    """Say what is in a training store or in files, and what is wrong with them.

    Args:
        path: Training store, file, pattern, Zarr folder or address, or ``shipped:NAME``.

    Returns:
        Facts, variables and findings.

    Raises:
        UserError: if there is nothing at the path.
    """
    if "://" in path or path.startswith("shipped:"):
        return inspect_files(path)
    local = Path(path)
    if local.exists():
        return inspect_store(local) if _is_store(local) else inspect_files(path)
    if local.with_name(local.name + ".partial").exists():
        raise UserError(f"{path} is unfinished; run the same `triton-earth prepare` with --resume.")
    if not any(character in path for character in "*?["):
        raise UserError(f"{path}: there is no such file or store.")
    return inspect_files(path)


def _is_store(path: Path) -> bool:
    """Return whether a folder is a training store, be it a damaged one."""
    if not path.is_dir():
        return False
    try:
        return bool(zarr.open_group(path, mode="r").attrs.get("format") == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False
