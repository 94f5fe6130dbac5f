"""Pieces of a training store from gridded files: verified where they are there, else read, checked and written."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from triton_earth.data.climatology import Climatology
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.gridded import GriddedSource
from triton_earth.data.store_writer import hash_digests, read_times, time_digests, write_times


@dataclass(frozen=True)
class PieceWork:
    """What every piece is made from, whichever process makes it.

    Attributes:
        data: What to take from where.
        files: `fingerprints` of the files.
        climatology: What anomalies are taken from, or None.
        ever: Where channels with holes to fill have a value at some time.
        valid: Where each channel has values.
        partial: The unfinished store.
        opened: The opened files; another process opens them itself.
    """

    data: GriddedData
    files: list[dict[str, Any]]
    climatology: Climatology | None
    ever: dict[str, Bool[np.ndarray, "row column"]]
    valid: Bool[np.ndarray, "channel y x"]
    partial: Path
    opened: GriddedSource | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "opened": None}

    def source(self) -> GriddedSource:
        """Return the opened files; a process opens them once."""
        if self.opened is not None:
            return self.opened
        source = _opened(self.data.model_dump_json(), json.dumps(self.files))
        source.climatology, source.ever = self.climatology, self.ever
        return source


@dataclass(frozen=True)
class Piece:
    """Consecutive times of the store.

    Attributes:
        times: Which.
        checksum: What `hash_digests` gave when it was written, or None if it is still to be made.
    """

    times: slice
    checksum: str | None


@dataclass(frozen=True)
class Finished:
    """A piece that is there.

    Attributes:
        digests: SHA-256 of the values at each of its times.
        was_damaged: Whether it had been written before, and was not what had been written.
    """

    digests: list[bytes]
    was_damaged: bool


@functools.lru_cache(maxsize=1)
def _opened(data: str, files: str) -> GriddedSource:
    """Open the source; `files` is there so that other files of the same names are opened anew."""
    return GriddedSource(GriddedData.model_validate_json(data))


def finish_piece(work: PieceWork, piece: Piece) -> Finished:
    """Verify a piece that is there, or make it.

    Raises:
        UserError: naming variable, time and cell, if a value is wrong or a file damaged; if the disk is full.
    """
    if piece.checksum is not None:
        there = read_times(work.partial, 0, piece.times)
        digests = [] if there is None else time_digests(there)
        if hash_digests(digests) == piece.checksum:
            return Finished(digests, was_damaged=False)
    source = work.source()
    fields = source.read(piece.times)
    if work.data.holes == "mask":
        fields = np.where(work.valid, fields, np.float32(np.nan))
    require_mask(source, fields, work.valid, piece.times)
    write_times(work.partial, 0, piece.times, fields)
    return Finished(time_digests(fields), was_damaged=piece.checksum is not None)


def require_mask(
    source: GriddedSource,
    fields: Float32[np.ndarray, "time channel y x"],
    valid: Bool[np.ndarray, "channel y x"],
    times: slice,
) -> None:
    """Refuse fields that have values elsewhere than the first ones; times without a state are none.

    Raises:
        UnsoundDataError: naming the first such cell.
    """
    wrong = np.isfinite(fields) != valid
    wrong[~source.recorded[times]] = False
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
        "with data.holes=mask, or, where absence means a value as for ice, say which with data.holes=fill and `fill`."
    )
