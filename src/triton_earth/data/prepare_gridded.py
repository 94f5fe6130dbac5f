"""Preparing a training store from gridded files: piece by piece in bounded memory, resumable, whole or absent."""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32

from triton_earth.core.errors import UserError
from triton_earth.core.files import claim_output, publish, read_json, remove, write_json
from triton_earth.core.progress import progress
from triton_earth.data.climatology import Climatology, ClimatologyFit
from triton_earth.data.periods import split_of_times
from triton_earth.data.prepare import PROGRESS, require_same_recipe
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.gridded import GriddedSource
from triton_earth.data.store import (
    TrainingStore,
    create_store,
    finish_store,
    hash_fields,
    read_times,
    write_times,
)
from triton_earth.data.store_writer import write_climatology

logger = logging.getLogger("triton_earth")

COPIES_IN_MEMORY = 8
"""How many times a piece is in memory at the worst: as read in float64, converted, joined, compressed."""


def prepare_gridded(
    data: GriddedData,
    out: Path,
    provenance: dict[str, Any],
    *,
    window: int,
    resume: bool = False,
    overwrite: bool = False,
) -> TrainingStore:
    """Write the training store of gridded files.

    The store has one trajectory. Its valid mask is where the fields have values; it has to be the same at all times.
    After a crash `resume` checks the pieces that are there against their checksums and goes on with the rest.

    Args:
        data: What to take from where.
        out: New training store.
        provenance: How it is made; plain values.
        window: Times in a window of the model it is for, history plus horizon: the least gap between splits.
        resume: Go on with an unfinished store.
        overwrite: Replace an existing one.

    Returns:
        The finished store.

    Raises:
        UserError: naming file, variable, time and cell of what is wrong with the files; if the splits overlap or leak;
            if `out` exists and neither option allows it, or is of another recipe or of other files.
    """
    source = GriddedSource(data)
    gap = max(window, data.gap or 0)
    split = split_of_times(source.times, data.splits, gap, source.name)
    pieces = _pieces(source, data.memory_mb)
    if source.anomalies:
        source.climatology = _climatology(source, pieces, split)
    valid = _always_valid(source, pieces) if data.holes == "mask" else _valid_mask(source)
    identity: dict[str, Any] = {
        "data": data.model_dump(mode="json"),
        "files": _fingerprints(source.files),
    }
    partial = claim_output(out, resume=resume, overwrite=overwrite)
    if resume and out.exists():
        finished = TrainingStore.open(out)
        require_same_recipe(finished.provenance.get("data"), identity["data"], out)
        logger.info("%s is complete; nothing to resume.", out)
        return finished
    if not (resume and (partial / PROGRESS).exists()):
        create_store(
            partial,
            variables=source.variables,
            grid=source.grid,
            times=source.times,
            splits=split[None],
            provenance={
                **provenance,
                "data": identity["data"],
                "files": [Path(name).name for name in source.files],
            },
            valid_mask=None if valid.all() else valid,
            times_per_file=pieces[0].stop,
        )
        if source.climatology is not None:
            names = [each.variable.name for each in source.anomalies]
            write_climatology(partial, names, source.climatology, source.grid.axes)
        write_json(partial / PROGRESS, {"identity": identity, "hashes": {}})
    state = read_json(partial / PROGRESS, "unfinished training store")
    require_same_recipe(state.get("identity"), identity, partial)
    hashes: dict[str, str] = state["hashes"]
    total = hashlib.sha256()
    with progress("prepare", len(source.times)) as advance:
        for times, fields in _finished_or_read(source, pieces, partial, hashes):
            if fields is None:
                fields = _read_sound(source, valid, times, partial, data.holes)
                hashes[str(times.start)] = write_times(partial, 0, times, fields)
                write_json(partial / PROGRESS, {"identity": identity, "hashes": hashes})
            total.update(np.ascontiguousarray(fields, dtype="<f4").tobytes())
            advance(times.stop - times.start)
    finish_store(partial, [total.hexdigest()])
    (partial / PROGRESS).unlink()
    publish(partial, out)
    return TrainingStore.open(out)


def _pieces(source: GriddedSource, memory_mb: float) -> list[slice]:
    """Return slices of time so large that `COPIES_IN_MEMORY` of a piece fit into the memory."""
    native = max(source.native_cells, int(np.prod(source.grid.shape)))
    one_time = 8 * source.channels_in_memory * native
    length = int(np.clip(memory_mb * 1e6 / COPIES_IN_MEMORY / one_time, 1, len(source.times)))
    logger.info(
        "prepare: %d times of %d channels in pieces of %d; at most about %.0f MB of fields in memory",
        len(source.times),
        len(source.variables),
        length,
        length * one_time * COPIES_IN_MEMORY / 1e6,
    )
    return [
        slice(first, min(first + length, len(source.times)))
        for first in range(0, len(source.times), length)
    ]


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
    words = f"mean of the training period by time of the year ({fit.harmonics} harmonics)"
    return Climatology(fit.coefficients(), words)


def _finished_or_read(
    source: GriddedSource, pieces: list[slice], partial: Path, hashes: dict[str, str]
) -> Iterator[tuple[slice, Float32[np.ndarray, "time channel y x"] | None]]:
    """Yield each piece with the fields that are there and have their checksum, else with None."""
    for times in pieces:
        checksum = hashes.get(str(times.start))
        fields = None
        if checksum is not None:
            fields = read_times(partial, 0, times)
            if fields is None or hash_fields(fields) != checksum:
                logger.warning(
                    "%s: the piece from %s is damaged and is made again.",
                    partial,
                    source.times[times.start],
                )
                fields = None
        yield times, fields


def _read_sound(
    source: GriddedSource,
    valid: Bool[np.ndarray, "channel y x"],
    times: slice,
    partial: Path,
    holes: Literal["refuse", "mask"],
) -> Float32[np.ndarray, "time channel y x"]:
    """Read a piece; a wrong value ends the unfinished store, with which repaired files could not go on."""
    try:
        fields = source.read(times)
        if holes == "mask":
            fields = np.where(valid, fields, np.float32(np.nan))
        _require_mask(source, fields, valid, times)
    except UnsoundDataError:
        remove(partial)
        raise
    return fields


def _valid_mask(source: GriddedSource) -> Bool[np.ndarray, "channel y x"]:
    """Return where the first fields have values, after a look at the middle and last whether they agree."""
    last = len(source.times) - 1
    first = source.read(slice(0, 1))
    valid: np.ndarray = np.isfinite(first[0])
    for variable, there in zip(source.variables, valid, strict=True):
        if not there.any():
            raise UserError(
                f"{source.name}: variable '{variable.name}' has no value at all at {source.times[0]}. Leave it out, or "
                "repair the files."
            )
    for index in sorted({last // 2, last} - {0}):
        _require_mask(source, source.read(slice(index, index + 1)), valid, slice(index, index + 1))
    return valid


def _always_valid(source: GriddedSource, pieces: list[slice]) -> Bool[np.ndarray, "channel y x"]:
    """Return where fields have values at all times, and say how many cells have one at some times only."""
    always: np.ndarray | None = None
    ever: np.ndarray | None = None
    with progress("look for holes", len(source.times)) as advance:
        for times in pieces:
            there = np.isfinite(source.read(times))
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
                "%s: %d of %d cells lack a value at some times and are masked at all.",
                variable.name,
                int((one != other).sum()),
                int(other.sum()),
            )
    return always


def _require_mask(
    source: GriddedSource,
    fields: Float32[np.ndarray, "time channel y x"],
    valid: Bool[np.ndarray, "channel y x"],
    times: slice,
) -> None:
    """Refuse fields that have values elsewhere than the first ones."""
    wrong = np.isfinite(fields) != valid
    if not wrong.any():
        return
    time, channel, row, column = (int(index) for index in np.argwhere(wrong)[0])
    missing = valid[channel, row, column]
    where = f"cell ({row}, {column}) at {source.grid.y[row]:g} N {source.grid.x[column]:g} E"
    holds, held = ("no value", "one") if missing else ("a value", "none")
    raise UnsoundDataError(
        f"{source.name}: variable '{source.variables.names[channel]}' has {holds} at "
        f"{source.times[times.start + time]}, {where}, where it has {held} at {source.times[0]} "
        f"({int(wrong.sum())} such values in the piece read). Fill holes, or mask every cell that ever lacks a value "
        "with data.holes=mask."
    )


def _fingerprints(files: list[str]) -> list[list[Any]]:
    """Return name, size and time of change of each local file: those of another day are other files."""
    return [
        [
            name,
            *(
                []
                if not Path(name).exists()
                else [os.stat(name).st_size, os.stat(name).st_mtime_ns]
            ),
        ]
        for name in files
    ]
