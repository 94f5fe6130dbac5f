"""`triton-earth inspect`: the data doctor."""

from pathlib import Path

import zarr
import zarr.errors
from zarr.storage import LocalStore

from triton_earth.core.errors import DAMAGE, UserError
from triton_earth.data.inspection.archive_checks import inspect_archive
from triton_earth.data.inspection.findings import Inspection
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.inspection.store_checks import inspect_store
from triton_earth.data.sources.hub import HUB
from triton_earth.data.sources.paths import in_full
from triton_earth.data.sources.shipped import SHIPPED
from triton_earth.data.store.training_store import FORMAT


def inspect(path: str | Path, times: int | None = None) -> Inspection:
    """Say what is in a training store or in files, and what is wrong with them.

    Args:
        path: Training store, file, pattern, Zarr folder or address, ``shipped:NAME`` or ``hf:OWNER/DATASET/FILE``.
        times: How many times of each file to look at, evenly spread; if not given all, or of large files as many as
            are read in a while.

    Returns:
        Facts, variables and findings.

    Raises:
        UserError: if there is nothing at the path, or some times are wanted of a training store, whose checksums and
            leaks need all of them.

    Example:
        inspection = triton_earth.inspect("truth.zarr")
        inspection.is_fatal, [finding.kind for finding in inspection.findings]
    """
    path = str(path)
    if path.startswith(HUB):
        return inspect_archive(path, times)
    if "://" in path or path.startswith(SHIPPED):
        return inspect_files(path, times)
    local = Path(in_full(path))
    if local.is_file() and local.suffix in (".pt", ".npy"):
        return inspect_archive(str(local), times)
    if _is_store(local):
        if times is not None:
            raise UserError(
                f"{path}: a training store is read whole, for its checksums. Leave out --times."
            )
        return inspect_store(local)
    if local.exists():
        return inspect_files(path, times)
    if local.with_name(local.name + ".partial").exists():
        raise UserError(f"{path} is unfinished; run the same `triton-earth prepare` with --resume.")
    if not any(character in path for character in "*?[~$"):
        raise UserError(f"{path}: there is no such file or store.")
    return inspect_files(path, times)


def _is_store(path: Path) -> bool:
    """Return whether a folder is a training store, be it a damaged one."""
    if not path.is_dir():
        return False
    try:
        return bool(
            zarr.open_group(LocalStore(path), mode="r", zarr_format=3).attrs.get("format") == FORMAT
        )
    except DAMAGE:
        return False
