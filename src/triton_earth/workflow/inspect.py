"""`triton-earth inspect`: the data doctor."""

from pathlib import Path

import zarr
import zarr.errors
from zarr.storage import LocalStore

from triton_earth.core.errors import DAMAGE, UserError
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.data.inspection.archive_checks import inspect_archive
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.inspection.store_checks import inspect_store
from triton_earth.data.sources.hub import HUB
from triton_earth.data.sources.paths import in_full
from triton_earth.data.sources.shipped import SHIPPED
from triton_earth.data.store.training_store import FORMAT
from triton_earth.rollout.storage.forecast_store import FORMAT as FORECAST
from triton_earth.rollout.storage.forecast_store import ForecastStore


def inspect(path: str | Path, times: int | None = None) -> Inspection:
    """Describe a training store, a stored forecast or files, with their faults.

    Args:
        path: Training store, stored forecast, file, pattern, Zarr folder or address, ``shipped:NAME`` or
            ``hf:OWNER/DATASET/FILE``.
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
    if _format(local) == FORECAST:
        return _inspect_forecast(ForecastStore.open(local))
    if _format(local) == FORMAT:
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


def _format(path: Path) -> object:
    """Return which store of this package a folder is, be it a damaged one; None for anything else."""
    if not path.is_dir():
        return None
    try:
        return zarr.open_group(LocalStore(path), mode="r", zarr_format=3).attrs.get("format")
    except DAMAGE:
        return None


def _inspect_forecast(stored: ForecastStore) -> Inspection:
    """Describe a stored forecast; `evaluate` judges its values."""
    leads, inits = stored.lead_times, stored.init_times
    kept = "means over calendar months" if stored.every else "fields"
    trips = [] if stored.guard is None else stored.guard["trips"]
    left = len({(trip["init"], trip["member"]) for trip in trips if trip["step"] > 0})
    facts = {
        "forecast of": str(stored.provenance.get("model", "a model")),
        "grid": str(stored.grid),
        "initial times": f"{len(inits)}, {describe_time(inits.min())} to {describe_time(inits.max())}",
        "leads": f"{len(leads)}, {describe_duration(leads[0])} to {describe_duration(leads[-1])}",
        "members": str(stored.members),
        "stored": kept if stored.statistics is None else "statistics of each field",
        "guard": "there was none"
        if stored.guard is None
        else f"{left} of {len(inits) * stored.members} forecasts left the training climate",
    }
    variables = [
        {"variable": one.name, "units": one.units, "level": one.level} for one in stored.variables
    ]
    inspection = Inspection(str(stored.path), facts, variables)
    inspection.add(
        "forecast",
        Severity.NOTE,
        "this is a forecast, not data to train on.",
        f"Judge it: `triton-earth evaluate {stored.path} TRUTH --out REPORT`.",
    )
    return inspection
