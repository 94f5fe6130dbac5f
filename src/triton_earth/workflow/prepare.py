"""`triton-earth prepare`: from a recipe to a training store."""

from pathlib import Path

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import require_apart, require_zarr_name
from triton_earth.data.preparation.archive import ArchiveData, prepare_archive
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.preparation.trajectories import prepare_store
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.workflow.device import Device, resolve_device
from triton_earth.workflow.provenance import provenance
from triton_earth.workflow.recipes.recipe import find_recipe, load_recipe


def prepare(
    recipe: str | Path,
    out: str | Path,
    overrides: list[str] | None = None,
    *,
    device: Device = "auto",
    resume: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    dask: str | None = None,
    force: bool = False,
) -> TrainingStore:
    """Make the training store of a recipe.

    Args:
        recipe: Recipe file, or name of a shipped recipe.
        out: New training store.
        overrides: Dotted assignments to the recipe.
        device: Where to compute.
        resume: Go on with an unfinished store.
        overwrite: Replace an existing one.
        workers: Processes that read and write gridded data on this machine.
        dask: Address of a Dask scheduler whose workers do so instead.
        force: Go on though memory or disk do not suffice.

    Returns:
        The store.

    Raises:
        UserError: if the recipe is wrong, `out` exists and neither option allows it, or is, holds or lies within what
            is read, or memory or disk do not suffice.

    Example:
        tiny = [
            "data.source.grid=16",
            "data.source.simulation_grid=32",
            "data.source.time_step=0.05",
            "data.source.warm_up=0.5",
            "data.source.snapshots=8",
            "data.splits={train: 4, valid: 2, test: 2}",
            "data.batch_size=4",
            "model.network.widths=[8]",
            "model.network.temporal_hidden_dim=8",
            "model.network.num_temporal_layers=2",
            "train.steps=4",
            "train.batch_size=4",
            "train.warmup_steps=2",
            "train.validate_every=4",
            "train.report=false",
            "forecast.steps=5",
        ]
        store = triton_earth.prepare("turbulence_small", "truth.zarr", tiny)
    """
    out = Path(out)
    resolved = load_recipe(recipe, overrides)
    require_zarr_name(out, "`xarray.open_zarr` opens it.")
    require_apart(out, [find_recipe(recipe)])
    origin = provenance(recipe=str(recipe))
    if isinstance(resolved.data, GriddedData):
        return prepare_gridded(
            resolved.data,
            out,
            origin,
            window=resolved.window,
            resume=resume,
            overwrite=overwrite,
            workers=workers,
            cluster=dask,
            force=force,
        )
    if workers != 1 or dask is not None:
        raise UserError(
            f"{recipe}: only gridded data is prepared in several processes. Leave out --workers and --dask."
        )
    if isinstance(resolved.data, ArchiveData):
        return prepare_archive(resolved.data, out, origin, resume=resume, overwrite=overwrite)
    return prepare_store(
        resolved.data,
        out,
        origin,
        device=resolve_device(device),
        resume=resume,
        overwrite=overwrite,
        force=force,
    )
