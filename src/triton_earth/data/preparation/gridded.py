"""Preparing a training store from gridded files: piece by piece in bounded memory, resumable, whole or absent."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import Claim
from triton_earth.core.outputs.files import require_apart, write_json
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.processes.progress import progress
from triton_earth.core.processes.tasks import Tasks, tasks
from triton_earth.core.time import describe_time
from triton_earth.data.preparation.fingerprints import fingerprints, without_folders
from triton_earth.data.preparation.periods import split_of_times
from triton_earth.data.preparation.pieces import (
    Piece,
    PieceWork,
    finish_piece,
    pieces_of,
    require_mask,
)
from triton_earth.data.preparation.trajectories import (
    PROGRESS,
    TRAINING_STORE,
    complete_store,
    create_where_needed,
    publish_store,
    require_same_recipe,
    written,
)
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.gridded import GriddedSource
from triton_earth.data.statistics.climatology import Climatology, ClimatologyFit
from triton_earth.data.store.training_store import TrainingStore, create_store, finish_store
from triton_earth.data.store.writer import Compression, hash_digests, write_climatology

logger = logging.getLogger("triton_earth")


def split_of_source(source: GriddedSource, data: GriddedData, window: int) -> np.ndarray:
    """Return the split of each time of a source, as `split_of_times` does.

    Args:
        source: The opened files, or what stands in for them.
        data: What a recipe says of them.
        window: Times in a window of the model: the least gap between splits, if the recipe wants no larger one.

    Raises:
        UserError: if two periods overlap, are too close to each other, hold no time, lack one, or reach beyond the
            times.
    """
    return split_of_times(
        source.times,
        data.splits,
        max(window, data.gap or 0),
        source.name,
        recorded=source.recorded,
        breaks=data.gaps == "split",
        lead_in=source.lead_in,
    )


def prepare_gridded(
    data: GriddedData,
    out: Path,
    provenance: dict[str, Any],
    *,
    window: int,
    resume: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    force: bool = False,
) -> TrainingStore:
    """Write the training store of gridded files.

    Pieces are read, checked and written by one process after the other or by many at once; the bytes are the same. What
    has to be known beforehand, a climatology or where holes are, is read by one.

    The store has one trajectory. Its valid mask is where the fields have values; it has to be the same at all times.
    After a crash `resume` checks the pieces that are there against their checksums and goes on with the rest.

    Args:
        data: What to take from where.
        out: New training store.
        provenance: How it is made; plain values.
        window: Times in a window of the model it is for, history × (1 + horizon): the least gap between splits.
        resume: Go on with an unfinished store.
        overwrite: Replace an existing one.
        workers: Processes on this machine.
        cluster: Address of a Dask scheduler whose workers do the work instead; they see the same files.
        force: Go on though the disk does not suffice.

    Returns:
        The finished store.

    Raises:
        UserError: naming file, variable, time and cell of what is wrong with the files; if the splits overlap or leak;
            if `out` exists and neither option allows it, or is of another recipe or of other files, or is, holds or
            lies within one of the files.
    """
    with tasks(workers, cluster) as place:
        source = GriddedSource(data)
        require_apart(out, source.files)
        split = split_of_source(source, data, window)
        missing = int((~source.recorded).sum())
        if missing:
            logger.info("prepare: %d of %d times have no state", missing, len(source.times))
        if not force:
            cells = math.prod(source.grid.shape)
            require_fits(
                f"{out}: the training store",
                disk=4.0 * len(source.times) * len(source.variables) * cells,
                path=out,
                advice="Take fewer variables, a shorter period or a coarser grid.",
            )
        pieces = pieces_of(source, data.memory_mb, place.processes)
        if data.holes == "fill":
            for name, count in source.find_holes(pieces).items():
                logger.info("%s: %d holes are filled.", name, count)
        if source.anomalies:
            source.climatology = _climatology(source, pieces, split)
        valid = _always_valid(source, pieces) if data.holes == "mask" else _valid_mask(source)
        source.require_percent(pieces)
        identity: dict[str, Any] = {
            "data": data.model_dump(mode="json"),
            "files": fingerprints(source.files),
        }
        files = without_folders(identity["files"])
        origin = {**provenance, "data": identity["data"], "files": files}
        if source.regridding is not None:
            origin["regridding"] = source.regridding

        def require_same(found: Any, path: Path) -> None:
            require_same_recipe(found, identity, path)

        with Claim(out, TRAINING_STORE, resume=resume, overwrite=overwrite) as claim:
            if not claim.goes_on(require_same):
                if claim.is_complete:
                    shown = {"data": identity["data"], "files": files}
                    return complete_store(claim.path, ("data", "files"), shown)
                claim.begin(identity)
            create_where_needed(
                claim,
                lambda partial: _create(
                    partial,
                    source,
                    split,
                    valid,
                    origin,
                    pieces[0].stop,
                    data.compression,
                ),
            )
            work = PieceWork(
                data,
                identity["files"],
                source.climatology,
                source.ever,
                valid,
                claim.partial,
                source,
            )
            try:
                digests = _finish_pieces(place, work, pieces)
            except UnsoundDataError:
                claim.discard()  # with which repaired files could not go on
                raise
            finish_store(claim.partial, [hash_digests(digests)])
            publish_store(claim)
    return TrainingStore.open(out)


def _create(
    partial: Path,
    source: GriddedSource,
    split: np.ndarray,
    valid: Bool[np.ndarray, "channel y x"],
    provenance: dict[str, Any],
    times_per_file: int,
    compression: Compression,
) -> None:
    """Write the empty store."""
    create_store(
        partial,
        variables=source.variables,
        grid=source.grid,
        times=source.times,
        splits=split[None],
        provenance=provenance,
        valid_mask=None if valid.all() else valid,
        times_per_file=times_per_file,
        recorded=None if source.recorded.all() else source.recorded,
        compression=compression,
    )
    if source.climatology is not None:
        names = [each.variable.name for each in source.anomalies]
        write_climatology(partial, names, source.climatology, source.grid.axes)


def _finish_pieces(place: Tasks, work: PieceWork, pieces: list[slice]) -> list[bytes]:
    """Verify the pieces that are there, make the others, and return the digest of each time."""
    hashes = written(work.partial)
    todo = [Piece(times, hashes.get(str(times.start))) for times in pieces]
    digests: list[bytes] = []
    with progress("prepare", pieces[-1].stop) as advance:
        for piece, done in zip(todo, place.map(finish_piece, work, todo), strict=True):
            if done.was_damaged:
                when = describe_time(work.source().times[piece.times.start])
                logger.warning(
                    "%s: the piece from %s is damaged and is made again.", work.partial, when
                )
            checksum = hash_digests(done.digests)
            if checksum != piece.checksum:
                hashes[str(piece.times.start)] = checksum
                write_json(work.partial / PROGRESS, {"hashes": hashes})
            digests += done.digests
            advance(piece.times.stop - piece.times.start)
    return digests


def _climatology(source: GriddedSource, pieces: list[slice], split: np.ndarray) -> Climatology:
    """Fit the climatology that anomalies are taken from, to the training period only."""
    training = split == "train"
    fit = ClimatologyFit(source.times[training], (len(source.anomalies), *source.grid.shape))
    with progress("climatology", len(source.times)) as advance:
        for times in pieces:
            inside = training[times]
            if inside.any():
                fit.add(source.times[times][inside], source.before_anomalies(times)[inside])
            advance(times.stop - times.start)
    return fit.climatology("training period")


def _valid_mask(source: GriddedSource) -> Bool[np.ndarray, "channel y x"]:
    """Return where the first fields have values, after a look at the middle and last whether they agree."""
    recorded = np.flatnonzero(source.recorded)
    first = source.read(slice(0, 1))
    valid: np.ndarray = np.isfinite(first[0])
    for variable, there in zip(source.variables, valid, strict=True):
        if not there.any():
            raise UserError(
                f"{source.name}: variable '{variable.name}' has no value at all at {describe_time(source.times[0])}. "
                f"Leave it out, or "
                "repair the files."
            )
    for index in sorted({int(recorded[(len(recorded) - 1) // 2]), int(recorded[-1])} - {0}):
        require_mask(source, source.read(slice(index, index + 1)), valid, slice(index, index + 1))
    return valid


def _always_valid(source: GriddedSource, pieces: list[slice]) -> Bool[np.ndarray, "channel y x"]:
    """Return where fields have values at all times, and say how many cells have one at some times only."""
    always: np.ndarray | None = None
    ever: np.ndarray | None = None
    with progress("look for holes", len(source.times)) as advance:
        for times in pieces:
            there = np.isfinite(source.read(times))[source.recorded[times]]
            if not len(there):
                continue
            always = there.all(axis=0) if always is None else always & there.all(axis=0)
            ever = there.any(axis=0) if ever is None else ever | there.any(axis=0)
            advance(times.stop - times.start)
    assert always is not None
    assert ever is not None
    for variable, one, other in zip(source.variables, always, ever, strict=True):
        if not one.any():
            raise UserError(
                f"{source.name}: no cell of variable '{variable.name}' has a value at all times, so nothing is left "
                "with data.holes=mask. Leave the variable out, or repair the files."
            )
        if (one != other).any():
            logger.info(
                "%s: %d of %d cells lack a value at some times and are masked at all times.",
                variable.name,
                int((one != other).sum()),
                int(other.sum()),
            )
    return always
