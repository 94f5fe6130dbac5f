"""Preparing a training store from a simulation: batch by batch, resumable, whole or absent."""

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import Claim, Kind
from triton_earth.core.outputs.files import read_json, sync_tree, write_json
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.processes.progress import progress
from triton_earth.data.simulated.simulations import AnySimulation
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.store.groups import create_again, is_sealed, seal
from triton_earth.data.store.training_store import (
    FORMAT,
    TrainingStore,
    create_store,
    finish_store,
    hash_fields,
    read_trajectory,
    write_trajectory,
)
from triton_earth.data.store.writer import FIELDS, Compression

logger = logging.getLogger("triton_earth")

PROGRESS = "progress.json"

TRAINING_STORE = Kind("training store", ("zarr.json",), FORMAT, working=(PROGRESS,))
"""What `prepare` makes."""


class Splits(StrictConfig):
    """How many trajectories each split gets, in this order: train, then valid, then test.

    Splits by trajectory cannot leak: trajectories have independent random initial states.

    Attributes:
        train: Trajectories for training, and for the normaliser's statistics.
        valid: Trajectories for choosing the checkpoint.
        test: Trajectories that only evaluation sees.
    """

    train: int = Field(ge=1, le=10_000_000)
    valid: int = Field(ge=1, le=10_000_000)
    test: int = Field(ge=1, le=10_000_000)

    def names(self) -> list[str]:
        """Return the split of each trajectory."""
        return ["train"] * self.train + ["valid"] * self.valid + ["test"] * self.test


class SimulationData(StrictConfig):
    """A training store that is simulated.

    Attributes:
        kind: Tag by which a recipe says that its data is of this class; may be left out.
        source: The simulation; its `kind` says which.
        splits: Trajectories in each split.
        batch_size: Trajectories that are simulated together.
        compression: How the store's fields are packed, ``none`` or ``lz4``.
    """

    kind: Literal["simulation"] = "simulation"
    source: AnySimulation
    splits: Splits
    batch_size: int = Field(default=16, ge=1)
    compression: Compression = "none"


def prepare_store(
    data: SimulationData,
    out: Path,
    provenance: dict[str, Any],
    *,
    device: torch.device | str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
) -> TrainingStore:
    """Simulate the trajectories of a training store and write them.

    The store grows under a temporary name. After a crash `resume` checks the trajectories that are there against their
    checksums and goes on with the rest.

    Args:
        data: What to simulate.
        out: New training store.
        provenance: How it is made; plain values.
        device: Where to simulate.
        resume: Go on with an unfinished store.
        overwrite: Replace an existing one.
        force: Go on though memory or disk do not suffice.

    Returns:
        The finished store.

    Raises:
        UserError: if `out` exists and neither option allows it, the store there is of another recipe, a trajectory
            would have a single snapshot, or memory or disk do not suffice.
    """
    source = data.source
    if not force:
        _require_fits(data, out)
    splits = data.splits.names()
    wanted = data.model_dump(mode="json", exclude={"kind"})
    if source.snapshots < 2:
        raise UserError(
            f"data.source.snapshots: expected at least two, so that there is something to forecast; found "
            f"{source.snapshots}."
        )

    def create(partial: Path) -> None:
        remarks = source.remarks(device=device)
        for remark in remarks.values():
            logger.info("%s", remark)
        create_store(
            partial,
            variables=source.variables,
            grid=source.stored_grid,
            times=source.snapshot_times,
            time_units=source.time_units,
            splits=splits,
            provenance={**provenance, "data": wanted, **remarks},
            compression=data.compression,
        )

    def trajectories(numbers: list[int]) -> np.ndarray:
        return source.fields(numbers, device=device).numpy()

    return prepare_trajectories(
        out,
        wanted,
        count=len(splits),
        batch_size=data.batch_size,
        create=create,
        trajectories=trajectories,
        resume=resume,
        overwrite=overwrite,
    )


def _require_fits(data: SimulationData, out: Path) -> None:
    """Refuse a simulation whose batch does not fit into memory, or whose store does not fit onto the disk."""
    source, counts = data.source, data.splits
    trajectory = (
        4.0 * len(source.variables) * math.prod(source.stored_grid.shape) * source.snapshots
    )
    count = counts.train + counts.valid + counts.test
    require_fits(
        f"{out}: the simulation",
        memory=2 * min(data.batch_size, count) * trajectory,
        disk=count * trajectory,
        path=out,
        advice="Take fewer snapshots or trajectories (data.splits), or a smaller data.batch_size.",
    )


def prepare_trajectories(
    out: Path,
    wanted: dict[str, Any],
    *,
    count: int,
    batch_size: int,
    create: Callable[[Path], None],
    trajectories: Callable[[list[int]], np.ndarray],
    resume: bool,
    overwrite: bool,
) -> TrainingStore:
    """Write a training store trajectory by trajectory; after a crash, verify what is there and go on.

    Args:
        out: New training store.
        wanted: What says whether an unfinished store is of the same recipe; plain values.
        count: Number of trajectories.
        batch_size: Trajectories that are made together.
        create: Writes the empty store at a path.
        trajectories: Gives the fields [trajectory, time, channel, y, x] of some trajectories.
        resume: Go on with an unfinished store.
        overwrite: Replace an existing one.

    Returns:
        The finished store.

    Raises:
        UserError: if `out` exists and neither option allows it, or the store there is of another recipe.
    """

    def require_same(found: Any, path: Path) -> None:
        require_same_recipe(found, wanted, path)

    with Claim(out, TRAINING_STORE, resume=resume, overwrite=overwrite) as claim:
        partial = claim.partial
        if not claim.goes_on(require_same):
            if claim.is_complete:
                return complete_store(claim.path, ("data",), {"data": wanted})
            claim.begin(wanted)
        create_where_needed(claim, create)
        hashes = _verified(partial)
        missing = [number for number in range(count) if number not in hashes]
        try:
            with progress("prepare", count, done=len(hashes)) as advance:
                for batch in _same_batches(missing, count, batch_size):
                    for number, fields in zip(batch, trajectories(batch), strict=True):
                        hashes[number] = write_trajectory(partial, number, fields)
                    write_json(partial / PROGRESS, {"hashes": hashes})
                    advance(len(batch))
        except UserError as error:
            if isinstance(error, UnsoundDataError) or not hashes:
                claim.discard()  # repaired files could not go on with it, or there is nothing to go on with
            raise
        finish_store(partial, [hashes[number] for number in range(count)])
        publish_store(claim)
    return TrainingStore.open(out)


def create_where_needed(claim: Claim, create: Callable[[Path], None]) -> None:
    """Write the empty store of a claim, or what is lost or damaged of its description.

    Args:
        claim: An output that was begun.
        create: Writes the empty store at a path.
    """
    partial = claim.partial
    if not claim.is_created:
        claim.clear()
        create(partial)
        write_json(partial / PROGRESS, {"hashes": {}})
    elif not is_sealed(partial, claim.notes.get("seal")):
        logger.warning("%s: its description is damaged and is made again.", partial)
        create_again(partial, FIELDS, create)
    else:
        return
    sync_tree(partial)
    claim.created(seal=seal(partial, FIELDS))


def complete_store(path: Path, keys: Sequence[str], wanted: dict[str, Any]) -> TrainingStore:
    """Return a complete store that a command was to go on with.

    Args:
        path: The store.
        keys: What of its provenance tells how it was made.
        wanted: What this command would write there.

    Raises:
        UserError: if it was made in another way.
    """
    finished = TrainingStore.open(path)
    require_same_recipe({key: finished.provenance.get(key) for key in keys}, wanted, path)
    logger.info("%s is complete; nothing to resume.", path)
    return finished


def publish_store(claim: Claim) -> None:
    """Give a finished store its name, after it has been opened under its temporary one.

    Raises:
        UserError: if a part of it is lost or damaged; the same command without `--resume` makes it again.
    """
    TrainingStore.open(claim.partial)
    claim.publish()


def _same_batches(missing: list[int], total: int, batch_size: int) -> list[list[int]]:
    """Return the batches of an uninterrupted run that have trajectories missing, so that all bits are the same."""
    batches = [
        list(range(first, min(first + batch_size, total))) for first in range(0, total, batch_size)
    ]
    return [batch for batch in batches if set(batch) & set(missing)]


def _verified(partial: Path) -> dict[int, str]:
    """Return the checksums of the trajectories whose values still have them."""
    verified = {}
    for number, checksum in written(partial).items():
        fields = read_trajectory(partial, int(number))
        if fields is not None and hash_fields(np.asarray(fields)) == checksum:
            verified[int(number)] = checksum
        else:
            logger.warning("%s: trajectory %s is damaged and is made again.", partial, number)
    return verified


def written(partial: Path) -> dict[str, str]:
    """Return the checksums of what an unfinished store holds, by the number of its first time or of its trajectory.

    Raises:
        UserError: if they are damaged.
    """
    state = read_json(partial / PROGRESS, "unfinished training store")
    try:
        return {str(int(number)): str(checksum) for number, checksum in state["hashes"].items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UserError(
            f"{partial / PROGRESS} is damaged: the unfinished training store is made again with --overwrite."
        ) from error


def require_same_recipe(found: Any, wanted: dict[str, Any], path: Path) -> None:
    """Refuse to go on with a store that was begun with another recipe, or from other files.

    Raises:
        UserError: if `found` is not `wanted`.
    """
    if found != wanted:
        raise UserError(
            f"{path}: the store there is of another recipe, or of files that have changed since. Repeat its own recipe "
            "with --resume, or start again with --overwrite."
        )
