"""The training store: one Zarr v3 group with everything a model is trained on and judged against.

Layout: ``state(trajectory, time, channel, y, x)`` in float32; one time of one trajectory is one chunk, many chunks make
one file (shard). A reanalysis is one trajectory, a set of simulations many. The channel coordinate carries name, units,
long name, level and role; ``split(trajectory)`` or ``split(trajectory, time)`` says what each trajectory, or each time
of it, may be used for: ``train``, ``valid``, ``test``, or nothing in the gaps between them.
"""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import torch
import xarray as xr
import zarr
from jaxtyping import Float32
from zarr.storage import LocalStore

from triton_earth.core.errors import DAMAGE, UserError, first_line
from triton_earth.core.grid import Grid, grid_from_dict
from triton_earth.core.region import Cut, find_cut
from triton_earth.core.state import State
from triton_earth.core.time import Duration, uniform_step
from triton_earth.core.variables import Variables
from triton_earth.data.preparation.periods import gaps_between_splits
from triton_earth.data.store.codecs import require_format_3
from triton_earth.data.store.groups import from_texts, require_sealed
from triton_earth.data.store.shards import Shards, missing_chunks
from triton_earth.data.store.writer import (
    FORMAT,
    create_store,
    finish_store,
    hash_fields,
    read_times,
    read_trajectory,
    write_times,
    write_trajectory,
)
from triton_earth.data.windows import Segment, consecutive

__all__ = [
    "FORMAT",
    "TrainingStore",
    "create_store",
    "finish_store",
    "hash_fields",
    "read_times",
    "read_trajectory",
    "write_times",
    "write_trajectory",
]


class TrainingStore:
    """A complete training store, open for reading.

    Attributes:
        path: Its folder.
        variables: Channels of the state.
        grid: Cells of the state.
        times: Times of every trajectory, datetime64 or float64.
        time_units: Units of times without a calendar; "1" where they are not known.
        time_step: Step between times.
        split: Split of each time of each trajectory, [trajectory, time]; "" for times that no split may use.
        trajectory_hashes: SHA-256 of the values of each trajectory.
        valid_mask: True where a channel is defined, or None.
        recorded: Where there is a state, [time].
        content_hash: SHA-256 of all values and of what they are, see `content_hash.py`.
        provenance: Where the data comes from.
    """

    def __init__(self, path: Path, state: zarr.Array, coordinates: xr.Dataset) -> None:
        attributes = from_texts(coordinates.attrs)
        self.path = path
        self.variables = Variables.from_list(attributes["variables"])
        self.grid: Grid = grid_from_dict(attributes["grid"])
        self.times: np.ndarray = coordinates["time"].values
        self.time_units = str(coordinates["time"].attrs.get("units", "1"))
        self.time_step: Duration = uniform_step(self.times)
        split = coordinates["split"].values.astype(object)
        self.split: np.ndarray = (
            split if split.ndim == 2 else np.repeat(split[:, None], self.times.size, axis=1)
        )
        self.trajectory_hashes: list[str] = list(attributes["trajectory_hashes"])
        self.valid_mask: np.ndarray | None = (
            coordinates["valid_mask"].values.astype(bool) if "valid_mask" in coordinates else None
        )
        self.recorded: np.ndarray = (
            coordinates["recorded"].values.astype(bool)
            if "recorded" in coordinates
            else np.ones(self.times.size, dtype=bool)
        )
        self.content_hash: str = attributes["content_hash"]
        self.provenance: dict[str, Any] = attributes["provenance"]
        self._state = state
        self._cut: Cut | None = None
        self._shards = Shards.of(path / "state", state)

    @classmethod
    def open(cls, path: str | Path) -> "TrainingStore":
        """Open a store.

        Raises:
            UserError: if there is no store, it is unfinished, or files of it are missing or damaged.
        """
        path = Path(path)
        if not path.exists():
            hint = (
                "an unfinished one is there: run the same `triton-earth prepare` with --resume."
                if path.with_name(path.name + ".partial").exists()
                else "make it with `triton-earth prepare RECIPE --out STORE`."
            )
            raise UserError(f"{path}: there is no training store; {hint}")
        damaged = f"{path}: not a readable training store"
        again = "make it again with `triton-earth prepare RECIPE --out STORE`."
        try:
            require_format_3(path)
            group = zarr.open_group(LocalStore(path), mode="r", zarr_format=3)
            if group.attrs.get("format") != FORMAT or "content_hash" not in group.attrs:
                raise UserError(f"{path}: a Zarr group, but not a finished training store; {again}")
            state = zarr.open_array(LocalStore(path), path="state", mode="r", zarr_format=3)
            missing = missing_chunks(state)
            if missing:
                raise UserError(
                    f"{damaged}: {missing} of {state.nchunks} fields are missing; {again}"
                )
            with xr.open_zarr(LocalStore(path), zarr_format=3) as dataset:
                coordinates = dataset.drop_vars("state").load()
            _require_sound(coordinates)
            opened = cls(path, state, coordinates)
            require_sealed(path, from_texts(group.attrs.asdict()))
            return opened
        except UserError:
            raise
        except DAMAGE as error:
            raise UserError(f"{damaged} ({first_line(error)}); {again}") from error

    def on(self, grid: Grid) -> "TrainingStore":
        """Return this store on a part of its grid; this store itself where `grid` is none."""
        cut = None if grid == self.grid else find_cut(self.grid, grid)
        if cut is None:
            return self
        part = copy.copy(self)
        part.grid, part._cut = cut.grid, cut
        if self.valid_mask is not None:
            part.valid_mask = self.valid_mask[:, cut.rows[:, None], cut.columns]
        return part

    @property
    def trajectories(self) -> np.ndarray:
        """Numbers of the trajectories, 0 … n − 1."""
        return np.arange(self.split.shape[0])

    @property
    def split_names(self) -> list[str]:
        """Names of the splits that some time belongs to."""
        return sorted(set(self.split.ravel().tolist()) - {""})

    def trajectories_in(self, split: str) -> np.ndarray:
        """Return the numbers of the trajectories with a time in a split.

        Raises:
            UserError: if there are none.
        """
        chosen = np.flatnonzero((self.split == split).any(axis=1))
        if chosen.size == 0:
            raise UserError(
                f"{self.path}: no trajectory is in split '{split}'; it has {self.split_names}."
            )
        return chosen

    def segments(self, split: str) -> tuple[Segment, ...]:
        """Return the stretches of consecutive times in a split: what a window may lie in.

        Raises:
            UserError: if there are none.
        """
        return tuple(
            Segment(trajectory, start, stop)
            for trajectory in self.trajectories_in(split).tolist()
            for start, stop in consecutive(self.split[trajectory] == split)
        )

    def require_gap(self, length: int) -> None:
        """Refuse a store in which two splits of one trajectory are closer together than a window.

        Args:
            length: Times in a window, history × (1 + horizon).

        Raises:
            UserError: naming the two.
        """
        for trajectory in self.trajectories:
            split = self.split[trajectory]
            for before, after in gaps_between_splits(split):
                if after - before - 1 < length:
                    raise UserError(
                        f"{self.path}: between {split[before]} and {split[after]} are {after - before - 1} unused "
                        f"times, fewer than a window of {length} (history × (1 + horizon)). Prepare the store with "
                        f"data.gap={length}, or shorten train.horizon."
                    )

    def read(
        self, trajectory: SupportsIndex, times: slice
    ) -> Float32[np.ndarray, "time channel y x"]:
        """Read ascending times of one trajectory; consecutive ones are one read.

        Raises:
            UserError: if a file of the store is damaged.
        """
        wanted = range(*times.indices(self.times.size))
        fields = np.empty((len(wanted), len(self.variables), *self.grid.shape), dtype=np.float32)
        if wanted.step == 1:
            self.read_into(fields, int(trajectory), wanted.start)
        else:
            for field, time in zip(fields, wanted, strict=True):
                self.read_into(field[None], int(trajectory), time)
        return fields

    def read_into(
        self, out: Float32[np.ndarray, "time channel y x"], trajectory: int, start: int
    ) -> None:
        """Fill `out` with consecutive times of one trajectory, from time `start` on; any thread may.

        Raises:
            UserError: if a file of the store is damaged.
        """
        whole = out
        if self._cut is not None:
            whole = np.empty((len(out), *self._state.shape[2:]), dtype=np.float32)
        try:
            if self._shards is not None:
                self._shards.read(trajectory, start, whole)
            else:
                whole[:] = self._state[trajectory, start : start + len(whole)]
                # An empty file reads as one that was never written: as NaN throughout.
                there = self.recorded[start : start + len(whole)]
                if np.isnan(whole).all(axis=(1, 2, 3))[there].any():
                    raise ValueError("a time has no value at all")
        except DAMAGE as error:
            raise UserError(
                f"{self.path}: trajectory {trajectory} cannot be read ({first_line(error)}); the store is damaged, "
                "make it again with `triton-earth prepare RECIPE --out STORE`."
            ) from error
        if self._cut is not None:
            out[:] = whole[:, :, self._cut.rows[:, None], self._cut.columns]

    def blocks(
        self, segment: Segment, megabytes: float = 256.0
    ) -> Iterator[Float32[np.ndarray, "time channel y x"]]:
        """Read a segment in blocks of consecutive times, each of at most so many megabytes (or one time)."""
        one_time = 4 * len(self.variables) * math.prod(self.grid.shape)
        length = max(1, int(megabytes * 1e6 // one_time))
        for start in range(segment.start, segment.stop, length):
            yield self.read(segment.trajectory, slice(start, min(start + length, segment.stop)))

    def find_time(self, time: float | np.datetime64) -> int | None:
        """Return the index of a time, or None where the store does not have it (to 1e-3 of the time step).

        Nor does it have a time without a state.

        A month, ``np.datetime64("2003-01")``, is the only time that the store has in it.
        """
        if isinstance(time, np.datetime64) and time.dtype == "datetime64[M]":
            inside = np.flatnonzero(self.times.astype("datetime64[M]") == time)
            return int(inside[0]) if inside.size == 1 and self.recorded[inside[0]] else None
        distance = np.abs((self.times - np.asarray(time)) / np.asarray(self.time_step))
        index = int(np.argmin(distance))
        return index if distance[index] < 1e-3 and self.recorded[index] else None

    def as_state(
        self, fields: Float32[np.ndarray, "batch time channel y x"], valid_times: np.ndarray
    ) -> State:
        """Return fields of this store as a State.

        Args:
            fields: Values in the store's units.
            valid_times: Their times, [batch, time].
        """
        mask = None if self.valid_mask is None else torch.from_numpy(self.valid_mask)
        return State(torch.from_numpy(fields), self.variables, self.grid, valid_times, mask)

    def windows(self, trajectories: list[int], starts: list[int], length: int) -> State:
        """Read windows of consecutive times as one State.

        Args:
            trajectories: Trajectory of each window.
            starts: Index of the first time of each window.
            length: Times in each window.

        Returns:
            State of shape [batch, length, channel, y, x].
        """
        slices = [slice(start, start + length) for start in starts]
        fields = [self.read(*where) for where in zip(trajectories, slices, strict=True)]
        return self.as_state(np.stack(fields), np.stack([self.times[times] for times in slices]))


def _require_sound(coordinates: xr.Dataset) -> None:
    """Refuse coordinates whose files are lost: Zarr reads them as fill values without a word.

    Raises:
        ValueError: naming the coordinate.
    """
    grid = grid_from_dict(from_texts(coordinates.attrs)["grid"])
    times = coordinates["time"].values
    sound = {
        "time": not np.isnat(times).any() if times.dtype.kind == "M" else np.isfinite(times).all(),
        "split": (coordinates["split"].values != "").any(),
        "valid_mask": "valid_mask" not in coordinates or coordinates["valid_mask"].values.any(),
        **{
            name: np.array_equal(coordinates[name].values, values)
            for name, values in zip(grid.axes, (grid.y, grid.x), strict=True)
        },
    }
    for name, is_sound in sound.items():
        if not is_sound:
            raise ValueError(f"the values of '{name}' are lost")
