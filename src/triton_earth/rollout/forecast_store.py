"""The forecast store: one Zarr v3 group with what a rollout gave, one array per variable.

Layout: ``NAME(init, lead_time, y, x)`` in float32, of an ensemble ``NAME(init, member, lead_time, y, x)``, with
coordinates ``init_time(init)`` and ``trajectory(init)``; valid_time = init_time + lead_time. Where init and member are
counted together, a row is init · members + member. A chunk holds one lead of a few rows; which is a matter of the grid
alone, so that the files do not depend on how many rows were forecast together.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr
import zarr.errors
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, grid_from_dict
from triton_earth.core.state import State
from triton_earth.core.time import Duration, decode_duration, encode_duration
from triton_earth.core.variables import Variables
from triton_earth.data.store import consolidate

FORMAT = "triton-earth forecast 1"

CHUNK_BYTES = 4 * 2**20
"""Most that a chunk of several fields holds."""

CHUNK_FIELDS = 16
"""Most fields in a chunk."""


def create_forecast_store(
    path: Path,
    *,
    variables: Variables,
    grid: Grid,
    time_step: Duration,
    steps: int,
    init_times: np.ndarray,
    trajectories: np.ndarray,
    provenance: dict[str, Any],
    members: int = 1,
) -> None:
    """Write an empty forecast store: coordinates, attributes and the arrays that leads are written into.

    Args:
        path: New folder.
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Step between leads.
        steps: Number of leads.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        provenance: How the forecast is made; plain values.
        members: Members of each ensemble; 1 for single forecasts, which have no such dimension.
    """
    y_name, x_name = grid.axes
    coordinates: dict[str, Any] = {
        "init_time": ("init", init_times),
        "trajectory": ("init", trajectories),
        "lead_time": np.arange(1, steps + 1) * time_step,
        y_name: grid.y,
        x_name: grid.x,
    }
    together = max(1, min(CHUNK_FIELDS, CHUNK_BYTES // (4 * math.prod(grid.shape))))
    dimensions, shape = ["init"], [len(init_times)]
    chunks = [max(1, min(len(init_times), together // members))]
    if members > 1:
        coordinates["member"] = np.arange(members)
        dimensions, shape = [*dimensions, "member"], [*shape, members]
        chunks.append(min(members, together))
    attributes = {
        "format": FORMAT,
        "grid": grid.to_dict(),
        "variables": variables.to_list(),
        "time_step": encode_duration(time_step),
        "provenance": provenance,
    }
    xr.Dataset(coords=coordinates, attrs=attributes).to_zarr(
        path, mode="w", zarr_format=3, consolidated=False
    )
    group = zarr.open_group(path, mode="r+")
    for variable in variables:
        array = group.create_array(
            variable.name,
            shape=(*shape, steps, *grid.shape),
            chunks=(*chunks, 1, *grid.shape),
            dtype="float32",
            fill_value=float("nan"),
            dimension_names=[*dimensions, "lead_time", y_name, x_name],
        )
        array.attrs["units"] = variable.units
        array.attrs["long_name"] = variable.long_name


def write_guard(path: Path, record: dict[str, Any]) -> None:
    """Store what the guard saw, as `triton_earth.rollout.guard.guard_record` gives it."""
    zarr.open_group(path, mode="r+").attrs["guard"] = record


def finish_forecast_store(path: Path) -> None:
    """Declare a forecast store complete and consolidate its metadata."""
    zarr.open_group(path, mode="r+").attrs["complete"] = True
    consolidate(path)


class ForecastStore:
    """A forecast store, open for reading.

    Attributes:
        path: Its folder.
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Step between leads.
        lead_times: Lead times, 1 … n time steps, timedelta64 or float64.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        members: Members of each ensemble; 1 where forecasts are single.
        chunk_inits: Initial conditions in one chunk.
        provenance: How the forecast was made.
        guard: What the guard saw, as `triton_earth.rollout.guard.guard_record` gives it; None where there was none.
    """

    def __init__(self, path: Path, coordinates: xr.Dataset) -> None:
        attributes = dict(coordinates.attrs)
        self.path = path
        self.variables = Variables.from_list(attributes["variables"])
        self.grid: Grid = grid_from_dict(attributes["grid"])
        self.time_step: Duration = decode_duration(attributes["time_step"])
        self.provenance: dict[str, Any] = attributes["provenance"]
        self.guard: dict[str, Any] | None = attributes.get("guard")
        self.lead_times: np.ndarray = coordinates["lead_time"].values
        self.init_times: np.ndarray = coordinates["init_time"].values
        self.trajectories: np.ndarray = coordinates["trajectory"].values
        self.members: int = coordinates.sizes.get("member", 1)
        self._arrays = [zarr.open_array(path, path=name, mode="r") for name in self.variables.names]
        self.chunk_inits: int = self._arrays[0].chunks[0]

    @classmethod
    def open(cls, path: Path, *, complete: bool = True) -> "ForecastStore":
        """Open a forecast store.

        Args:
            path: Its folder.
            complete: Refuse one whose forecast has not come to its end.

        Raises:
            UserError: if there is none, it is unfinished, or it is damaged.
        """
        if not path.exists():
            raise UserError(
                f"{path}: there is no forecast; make it with "
                "`triton-earth forecast MODEL STORE --out FORECAST`."
            )
        try:
            group = zarr.open_group(path, mode="r")
            if group.attrs.get("format") != FORMAT:
                raise UserError(
                    f"{path}: a Zarr group, but not a forecast of `triton-earth forecast`."
                )
            if complete and not group.attrs.get("complete"):
                raise UserError(
                    f"{path}: the forecast is unfinished; run the same command with --resume."
                )
            variables = Variables.from_list(group.attrs["variables"])  # type: ignore[arg-type]
            with warnings.catch_warnings():
                # An unfinished forecast holds a progress file, which is no part of the group.
                warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
                dataset = xr.open_zarr(path, consolidated=False)
            return cls(path, dataset.drop_vars(variables.names).load())
        except UserError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UserError(
                f"{path}: not a readable forecast ({type(error).__name__}: {error}); make it again."
            ) from error

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Read one lead of some initial conditions: the forecasts or, of ensembles, their means.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if a file of the store is damaged.
        """
        fields = self.read_members(inits, lead)
        if self.members == 1:
            return fields[:, 0]
        with np.errstate(invalid="ignore"):  # members that are infinite
            return fields.mean(axis=1, dtype=np.float64).astype(np.float32)

    def read_members(
        self, inits: slice, lead: int
    ) -> Float32[np.ndarray, "init member channel y x"]:
        """Read one lead of all members of some initial conditions; a single forecast is a member too.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if a file of the store is damaged.
        """
        try:
            if self.members == 1:
                fields = [np.asarray(array[inits, lead])[:, None] for array in self._arrays]
            else:
                fields = [np.asarray(array[inits, :, lead]) for array in self._arrays]
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{self.path}: lead {lead + 1} cannot be read ({error}); the forecast is damaged, make it again."
            ) from error
        return np.stack(fields, axis=2)

    def state(self, rows: slice, lead: int) -> State:
        """Read one lead of some rows, counted over inits and members, as a State [row, 1, channel, y, x]."""
        first, last = rows.start // self.members, (rows.stop - 1) // self.members + 1
        fields = self.read_members(slice(first, last), lead)
        fields = fields.reshape(-1, *fields.shape[2:])
        chosen = fields[rows.start - first * self.members : rows.stop - first * self.members]
        init_times = np.repeat(self.init_times, self.members)[rows]
        valid_times = (init_times + self.lead_times[lead])[:, None]
        return State(torch.from_numpy(chosen)[:, None], self.variables, self.grid, valid_times)


def open_for_writing(path: Path, names: Sequence[str]) -> list[zarr.Array]:
    """Open the arrays of a store that leads are written into."""
    return [zarr.open_array(path, path=name, mode="r+") for name in names]


def write_lead(arrays: Sequence[zarr.Array], rows: slice, lead: int, state: State) -> None:
    """Write one forecast state of some rows into a store.

    Args:
        arrays: One for each channel, open for writing.
        rows: Which forecasts, counted over initial conditions and members.
        lead: Index into the lead times.
        state: The forecast, [row, 1, channel, y, x].
    """
    fields = state.data[:, 0].float().cpu().numpy()
    for channel, array in enumerate(arrays):
        if array.ndim == fields.ndim:
            array[rows, lead] = fields[:, channel]
            continue
        for inside, inits, members in boxes(rows, array.shape[1]):
            box = (inits.stop - inits.start, members.stop - members.start, *fields.shape[2:])
            array[inits, members, lead] = fields[inside, channel].reshape(box)


def boxes(rows: slice, members: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield the parts of consecutive rows that are boxes of initial conditions and members, at most three.

    Args:
        rows: Rows init · members + member.
        members: Members of each ensemble.

    Yields:
        Positions within `rows`, initial conditions, and members of each box.
    """
    row = rows.start
    while row < rows.stop:
        init, member = divmod(row, members)
        whole = (rows.stop - row) // members if member == 0 else 0
        inits = max(1, whole)
        last = members if whole else min(members, member + rows.stop - row)
        count = inits * (last - member)
        yield (
            slice(row - rows.start, row - rows.start + count),
            slice(init, init + inits),
            slice(member, last),
        )
        row += count
