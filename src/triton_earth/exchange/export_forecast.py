"""Write a stored forecast in the layout of another tool: start after start, to go on with after a crash."""

import math
from pathlib import Path
from typing import Any

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.outputs.claim import Claim, Kind
from triton_earth.core.outputs.files import (
    read_json,
    require_apart,
    sync_all,
    sync_tree,
    write_json,
)
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.processes.progress import progress
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.exchange.cmip import Cmip
from triton_earth.exchange.exported import Exported, Layout
from triton_earth.exchange.oceanbench import OceanBench
from triton_earth.exchange.plain_netcdf import PlainNetCDF
from triton_earth.exchange.weatherbench import WeatherBench
from triton_earth.rollout.storage.forecast_store import ForecastStore

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (WeatherBench(), OceanBench(), Cmip(), PlainNetCDF())
}
"""Layouts by name."""

DONE, ABOUT = "written.json", "export.json"
EXPORT = Kind("export", (ABOUT, ".zattrs"), '"layout"', working=(DONE,))
"""What `export_forecast` makes."""


def export_forecast(
    forecast: str | Path,
    out: str | Path,
    *,
    layout: str,
    initial: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
) -> Path:
    """Write a stored forecast in the layout of another tool.

    Values are the same bits, but where the layout wants other units (OceanBench's temperatures, CMIP's heights).
    Memory holds one lead of one initial condition.

    Args:
        forecast: Forecast store.
        out: New folder. For ``weatherbench`` it is the Zarr itself, and its name should end in ``.zarr``.
        layout: ``weatherbench``, ``oceanbench``, ``cmip`` or ``netcdf``.
        initial: Store with the initial states, which become lead 0; None: the first lead is the first step.
        resume: Go on with an unfinished export.
        overwrite: Replace an existing export.
        force: Go on though memory or disk do not suffice.

    Returns:
        The folder.

    Raises:
        UserError: if the layout is unknown or cannot hold the forecast, an initial state is not in the store, or
            memory or disk do not suffice.
    """
    out = Path(out)
    if layout not in LAYOUTS:
        raise UserError(f"--layout: unknown '{layout}'; {nearest(layout, LAYOUTS)}")
    chosen = LAYOUTS[layout]
    inputs = [forecast] if initial is None else [forecast, initial]
    require_apart(out, inputs)
    store = ForecastStore.open(forecast)
    if store.statistics is not None:
        raise UserError(
            f"{forecast}: holds statistics only, no fields; make the forecast without --statistics-only."
        )
    if store.every is not None:
        raise UserError(
            f"{forecast}: its fields are means over each {store.every}, for which these layouts have no place; they "
            "open with xarray. Make the forecast without --every."
        )
    truth = None if initial is None else TrainingStore.open(Path(initial))
    exported = Exported(store, truth)
    if truth is not None:
        _require_states(exported, truth)
    chosen.check(exported)
    if not force:
        _require_fits(exported, out)
    identity = _identity(exported, layout)

    def require_same(found: Any, partial: Path) -> None:
        if found != identity:
            raise UserError(
                f"{partial} is an unfinished export of another forecast or layout. Choose another path, or add "
                "--overwrite to start again."
            )

    with Claim(out, EXPORT, resume=resume, overwrite=overwrite) as claim:
        goes_on = claim.goes_on(require_same)
        if not goes_on and claim.is_complete:
            return claim.path
        if goes_on and claim.is_created:
            done = int(read_json(claim.partial / DONE, "progress of an export"))
        else:
            claim.begin(identity)
            chosen.create(claim.partial, exported)
            if layout != WeatherBench.name:  # whose folder is a Zarr, and says so itself
                write_json(claim.partial / ABOUT, identity)
            write_json(claim.partial / DONE, 0)
            sync_tree(claim.partial)
            claim.created()
            done = 0
        with progress("exporting", exported.inits) as advance:
            advance(done)
            for init in range(done, exported.inits):
                written = chosen.write(claim.partial, exported, init)
                # Only what is on the disk may be said to be written.
                sync_all(list(written))
                sync_all(sorted({path.parent for path in written}))
                write_json(claim.partial / DONE, init + 1)
                advance()
        chosen.finish(claim.partial, exported)
        claim.publish()
        return claim.path


def _require_fits(exported: Exported, out: Path) -> None:
    """Refuse an export that does not fit; what compression saves is not counted on."""
    forecast = exported.forecast
    lead = 4.0 * exported.members * len(forecast.variables) * math.prod(exported.grid.shape)
    require_fits(
        f"{out}: the export of {exported.inits} forecasts of {len(exported.lead_times)} leads",
        memory=2 * lead,
        disk=exported.inits * len(exported.lead_times) * lead,
        path=out,
        advice="Export a forecast with fewer variables, leads or initial times.",
    )


def _require_states(exported: Exported, truth: TrainingStore) -> None:
    """Refuse a store of initial states on another grid or without the variables."""
    forecast = exported.forecast
    missing = [name for name in forecast.variables.names if name not in truth.variables]
    if missing:
        raise UserError(
            f"--initial {truth.path}: lacks the forecast's variables {missing}; it has {truth.variables.names}. Name "
            "the store that the forecast started from."
        )
    if truth.grid != forecast.grid:
        raise UserError(
            f"--initial {truth.path}: is on the grid {truth.grid}, the forecast on {forecast.grid}. Name the store "
            "that the forecast started from."
        )


def _identity(exported: Exported, layout: str) -> dict[str, Any]:
    forecast = exported.forecast
    return {
        "layout": layout,
        "forecast": forecast.provenance,
        "variables": forecast.variables.names,
        "inits": [str(time) for time in forecast.init_times],
        "leads": [str(time) for time in exported.lead_times],
        "initial": None if exported.initial is None else exported.initial.content_hash,
    }
