"""The forecast store: one Zarr v3 group with what a rollout gave, one array per variable.

Layout: ``NAME(init, lead_time, y, x)`` in float32 with coordinates ``init_time(init)`` and ``trajectory(init)``;
valid_time = init_time + lead_time. One lead of a batch of initial conditions is one chunk.
"""

import warnings
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


def create_forecast_store(
    path: Path,
    *,
    variables: Variables,
    grid: Grid,
    time_step: Duration,
    steps: int,
    init_times: np.ndarray,
    trajectories: np.ndarray,
    batch_size: int,
    provenance: dict[str, Any],
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
        batch_size: Initial conditions in one chunk.
        provenance: How the forecast is made; plain values.
    """
    y_name, x_name = grid.axes
    coordinates: dict[str, Any] = {
        "init_time": ("init", init_times),
        "trajectory": ("init", trajectories),
        "lead_time": np.arange(1, steps + 1) * time_step,
        y_name: grid.y,
        x_name: grid.x,
    }
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
            shape=(len(init_times), steps, *grid.shape),
            chunks=(min(batch_size, len(init_times)), 1, *grid.shape),
            dtype="float32",
            fill_value=float("nan"),
            dimension_names=["init", "lead_time", y_name, x_name],
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
        """Read one lead of some initial conditions.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if a file of the store is damaged.
        """
        try:
            return np.stack([np.asarray(array[inits, lead]) for array in self._arrays], axis=1)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{self.path}: lead {lead + 1} cannot be read ({error}); the forecast is damaged, make it again."
            ) from error

    def state(self, inits: slice, lead: int) -> State:
        """Read one lead of some initial conditions as a State of shape [init, 1, channel, y, x]."""
        fields = torch.from_numpy(self.read(inits, lead))[:, None]
        valid_times = (self.init_times[inits] + self.lead_times[lead])[:, None]
        return State(fields, self.variables, self.grid, valid_times)


def write_lead(path: Path, inits: slice, lead: int, state: State) -> None:
    """Write one forecast state of some initial conditions into a store.

    Args:
        path: The store.
        inits: Which initial conditions.
        lead: Index into the lead times.
        state: The forecast, [init, 1, channel, y, x].
    """
    for channel, name in enumerate(state.variables.names):
        array = zarr.open_array(path, path=name, mode="r+")
        array[inits, lead] = state.data[:, 0, channel].float().cpu().numpy()
