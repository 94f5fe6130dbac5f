"""The training store: one Zarr v3 group with everything a model is trained on and judged against.

Layout: ``state(trajectory, time, channel, y, x)`` in float32; one time of one trajectory is one chunk, many chunks make
one file (shard). A reanalysis is one trajectory, a set of simulations many. The channel coordinate carries name, units,
long name, level and role; ``split(trajectory)`` says what each trajectory may be used for.
"""

import hashlib
import warnings
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import torch
import xarray as xr
import zarr
import zarr.errors
from jaxtyping import Bool, Float32

from triton_earth.core.errors import UserError
from triton_earth.core.files import remove
from triton_earth.core.grid import Grid, LatLonGrid, PeriodicGrid, grid_from_dict
from triton_earth.core.state import State
from triton_earth.core.time import Duration, uniform_step
from triton_earth.core.variables import Variables

FORMAT = "triton-earth training store 1"


def create_store(
    path: Path,
    *,
    variables: Variables,
    grid: PeriodicGrid | LatLonGrid,
    times: np.ndarray,
    splits: list[str],
    provenance: dict[str, Any],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> None:
    """Write an empty store: coordinates, attributes and the array that trajectories are then written into.

    Args:
        path: New folder.
        variables: Channels of the state.
        grid: Cells of the state.
        times: Times of every trajectory, datetime64 or float64.
        splits: Split of each trajectory (``train``, ``valid`` or ``test``); its length is the number of trajectories.
        provenance: Where the data comes from; plain values.
        valid_mask: True where a channel is defined; None where every channel is defined everywhere.
    """
    y_name, x_name = grid.axes
    coordinates: dict[str, Any] = {
        "trajectory": np.arange(len(splits)),
        "time": times,
        "channel": np.array(variables.names, dtype=object),
        y_name: grid.y,
        x_name: grid.x,
        "units": ("channel", np.array([variable.units for variable in variables], dtype=object)),
        "long_name": (
            "channel",
            np.array([variable.long_name for variable in variables], dtype=object),
        ),
        "role": ("channel", np.array([str(variable.role) for variable in variables], dtype=object)),
        "level": (
            "channel",
            np.array(
                [np.nan if variable.level is None else variable.level for variable in variables]
            ),
        ),
        "split": ("trajectory", np.array(splits, dtype=object)),
    }
    if valid_mask is not None:
        coordinates["valid_mask"] = (("channel", y_name, x_name), valid_mask)
    attributes = {
        "format": FORMAT,
        "grid": grid.to_dict(),
        "variables": variables.to_list(),
        "provenance": provenance,
    }
    xr.Dataset(coords=coordinates, attrs=attributes).to_zarr(
        path, mode="w", zarr_format=3, consolidated=False
    )
    one_time = (1, 1, len(variables), *grid.shape)
    zarr.open_group(path, mode="r+").create_array(
        "state",
        shape=(len(splits), len(times), len(variables), *grid.shape),
        chunks=one_time,
        shards=(1, len(times), *one_time[2:]),
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=["trajectory", "time", "channel", y_name, x_name],
    )


def write_trajectory(
    path: Path, trajectory: int, fields: Float32[np.ndarray, "time channel y x"]
) -> str:
    """Write one trajectory into a store made by `create_store` and return the SHA-256 of its values."""
    # Zarr reads a file before it writes into it, and fails if that file is damaged.
    remove(path / "state" / "c" / str(trajectory))
    zarr.open_array(path, path="state", mode="r+")[trajectory] = fields
    return hash_fields(fields)


def read_trajectory(path: Path, trajectory: int) -> Float32[np.ndarray, "time channel y x"] | None:
    """Return one trajectory of an unfinished store, or None where it cannot be read."""
    try:
        return np.asarray(zarr.open_array(path, path="state", mode="r")[trajectory])
    except (OSError, ValueError, RuntimeError):
        return None


def hash_fields(fields: Float32[np.ndarray, "time channel y x"]) -> str:
    """Return the SHA-256 of the values of one trajectory, in C order and little-endian float32."""
    return hashlib.sha256(np.ascontiguousarray(fields, dtype="<f4").tobytes()).hexdigest()


def finish_store(path: Path, hashes: list[str]) -> str:
    """Declare a store complete: store its content hash and consolidate its metadata.

    Args:
        path: The store.
        hashes: SHA-256 of each trajectory, in order.

    Returns:
        The content hash: SHA-256 over the hashes of all trajectories.
    """
    content_hash = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    group = zarr.open_group(path, mode="r+")
    group.attrs["trajectory_hashes"] = hashes
    group.attrs["content_hash"] = content_hash
    consolidate(path)
    return content_hash


def consolidate(path: Path) -> None:
    """Write consolidated metadata, so that `xarray.open_zarr` opens the group with one read."""
    with warnings.catch_warnings():
        # Zarr v3 has not yet specified consolidated metadata; readers that do not know it ignore it.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(path)


class TrainingStore:
    """A complete training store, open for reading.

    Attributes:
        path: Its folder.
        variables: Channels of the state.
        grid: Cells of the state.
        times: Times of every trajectory, datetime64 or float64.
        time_step: Step between times.
        splits: Split of each trajectory.
        valid_mask: True where a channel is defined, or None.
        content_hash: SHA-256 of all values.
        provenance: Where the data comes from.
    """

    def __init__(self, path: Path, state: zarr.Array, coordinates: xr.Dataset) -> None:
        attributes = dict(coordinates.attrs)
        self.path = path
        self.variables = Variables.from_list(attributes["variables"])
        self.grid: Grid = grid_from_dict(attributes["grid"])
        self.times: np.ndarray = coordinates["time"].values
        self.time_step: Duration = uniform_step(self.times)
        self.splits: list[str] = [str(split) for split in coordinates["split"].values]
        self.valid_mask: np.ndarray | None = (
            coordinates["valid_mask"].values.astype(bool) if "valid_mask" in coordinates else None
        )
        self.content_hash: str = attributes["content_hash"]
        self.provenance: dict[str, Any] = attributes["provenance"]
        self._state = state

    @classmethod
    def open(cls, path: Path) -> "TrainingStore":
        """Open a store.

        Raises:
            UserError: if there is no store, it is unfinished, or files of it are missing or damaged.
        """
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
            group = zarr.open_group(path, mode="r")
            if group.attrs.get("format") != FORMAT or "content_hash" not in group.attrs:
                raise UserError(f"{path}: a Zarr group, but not a finished training store; {again}")
            state = zarr.open_array(path, path="state", mode="r")
            missing = state.nchunks - state.nchunks_initialized
            if missing:
                raise UserError(
                    f"{damaged}: {missing} of {state.nchunks} fields are missing; {again}"
                )
            with xr.open_zarr(path) as dataset:
                coordinates = dataset.drop_vars("state").load()
            return cls(path, state, coordinates)
        except UserError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UserError(f"{damaged} ({_first_line(error)}); {again}") from error

    @property
    def trajectories(self) -> np.ndarray:
        """Numbers of the trajectories, 0 … n − 1."""
        return np.arange(len(self.splits))

    def trajectories_in(self, split: str) -> np.ndarray:
        """Return the numbers of the trajectories in a split.

        Raises:
            UserError: if there are none.
        """
        chosen = np.flatnonzero(np.array(self.splits) == split)
        if chosen.size == 0:
            raise UserError(
                f"{self.path}: no trajectory is in split '{split}'; it has {sorted(set(self.splits))}."
            )
        return chosen

    def read(self, trajectory: SupportsIndex, times: slice) -> Float32[np.ndarray, "time channel y x"]:
        """Read consecutive times of one trajectory.

        Raises:
            UserError: if a file of the store is damaged.
        """
        try:
            fields = np.asarray(self._state[int(trajectory), times])
            # An empty file reads as one that was never written: as NaN throughout.
            if np.isnan(fields).all(axis=(1, 2, 3)).any():
                raise ValueError("a time has no value at all")
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{self.path}: trajectory {trajectory} cannot be read ({_first_line(error)}); the store is damaged, "
                "make it again with `triton-earth prepare RECIPE --out STORE`."
            ) from error
        return fields

    def find_time(self, time: float | np.datetime64) -> int | None:
        """Return the index of a time, or None where the store does not have it (to 1e-3 of the time step)."""
        distance = np.abs((self.times - np.asarray(time)) / np.asarray(self.time_step))
        index = int(np.argmin(distance))
        return index if distance[index] < 1e-3 else None

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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
