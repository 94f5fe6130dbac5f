"""What a layout is given of a stored forecast, and what it must do: create its files, then write start after start."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import zarr
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.standard_names import base_name
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.rollout.storage.forecast_store import ForecastStore


def array_of(group: zarr.Group, name: str) -> zarr.Array:
    """Return an array of a group."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def chunk_files(folder: Path, array: zarr.Array, init: int) -> list[Path]:
    """Return the files in which one initial condition of an array lies that has a chunk for each.

    Args:
        folder: Of the group that holds the array.
        array: Dimensions [init, ...]; chunks that hold nothing but missing values have no file.
        init: Index of the initial condition.
    """
    counts = [-(-size // chunk) for size, chunk in zip(array.shape, array.chunks, strict=True)]
    keys = (
        array.metadata.encode_chunk_key((init, *place))
        for place in itertools.product(*map(range, counts[1:]))
    )
    paths = [folder / array.basename / key for key in keys]
    return [path for path in paths if path.exists()]


@dataclass(frozen=True)
class Field:
    """A variable with all its levels.

    Attributes:
        name: Its name without the level.
        levels: Its levels, ascending; empty for a variable without.
        channels: Channel of each level.
        variable: The first of its variables.
    """

    name: str
    levels: tuple[float, ...]
    channels: tuple[int, ...]
    variable: Variable


def join_levels(variables: Variables) -> list[Field]:
    """Return the variables with their levels joined, in the order in which they come."""
    found: dict[str, list[tuple[float | None, int, Variable]]] = {}
    for channel, variable in enumerate(variables):
        found.setdefault(base_name(variable), []).append((variable.level, channel, variable))
    fields = []
    for name, parts in found.items():
        if len(parts) == 1 and base_name(parts[0][2]) == parts[0][2].name:
            fields.append(Field(name, (), (parts[0][1],), parts[0][2]))
            continue
        ordered = sorted(parts, key=lambda part: part[0] or 0.0)
        fields.append(
            Field(
                name,
                tuple(float(level or 0.0) for level, _, _ in ordered),
                tuple(channel for _, channel, _ in ordered),
                ordered[0][2],
            )
        )
    return fields


def shared_levels(fields: list[Field]) -> tuple[float, ...]:
    """Return the levels of the first field that has any, which a layout with one list of levels asks of all."""
    return next((field.levels for field in fields if field.levels), ())


@dataclass(frozen=True)
class Exported:
    """A stored forecast that is written in another layout.

    Attributes:
        forecast: The forecast.
        initial: Store of the initial states, which are lead 0 of the layout; None: there is no lead 0.
    """

    forecast: ForecastStore
    initial: TrainingStore | None = None

    @property
    def grid(self) -> Grid:
        """Where the cells are."""
        return self.forecast.grid

    @property
    def fields(self) -> list[Field]:
        """What is forecast, levels joined."""
        return join_levels(self.forecast.variables)

    @property
    def lead_times(self) -> np.ndarray:
        """Lead times, 0 first where there are initial states."""
        leads = np.asarray(self.forecast.lead_times)
        if self.initial is None:
            return leads
        return np.concatenate([np.zeros(1, leads.dtype), leads])

    @property
    def inits(self) -> int:
        """Number of initial conditions."""
        return len(self.forecast.init_times)

    @property
    def members(self) -> int:
        """Members of each forecast."""
        return self.forecast.members

    def leads_of(self, init: int) -> Iterator[Float32[np.ndarray, "member channel y x"]]:
        """Yield the fields of an initial condition, lead after lead, 0 first where there are initial states.

        Raises:
            UserError: if the store of the initial states does not have one.
        """
        forecast = self.forecast
        if self.initial is not None:
            time = forecast.init_times[init]
            index = self.initial.find_time(time)
            if index is None:
                raise UserError(
                    f"--initial {self.initial.path}: has no state at {time}, the initial time of a forecast. Name the "
                    "store that the forecast started from."
                )
            channels = self.initial.variables.indices(forecast.variables.names)
            state = self.initial.read(int(forecast.trajectories[init]), slice(index, index + 1))
            yield np.repeat(state[:, channels], self.members, axis=0)
        for lead in range(len(forecast.lead_times)):
            yield forecast.read_members(slice(init, init + 1), lead)[0]

    def require_globe(self, layout: str) -> LatLonGrid:
        """Return the grid, which the layout wants in latitude and longitude.

        Raises:
            UserError: if it is a box.
        """
        if not isinstance(self.grid, LatLonGrid):
            raise UserError(
                f"--layout {layout}: holds fields on latitude and longitude; the forecast is on a {self.grid}. Choose "
                "--layout netcdf."
            )
        return self.grid

    def require_calendar(self, layout: str) -> None:
        """Refuse times that are no dates.

        Raises:
            UserError: if they are numbers.
        """
        if np.asarray(self.forecast.init_times).dtype.kind != "M":
            raise UserError(
                f"--layout {layout}: wants dates; the forecast has model times (numbers). Choose --layout netcdf."
            )


class Layout(Protocol):
    """A layout of another tool."""

    name: str

    def check(self, exported: Exported) -> None:
        """Refuse a forecast that the layout cannot hold, before anything is written.

        Raises:
            UserError: saying why.
        """
        ...

    def create(self, folder: Path, exported: Exported) -> None:
        """Write everything but the fields."""
        ...

    def write(self, folder: Path, exported: Exported, init: int) -> list[Path]:
        """Write the fields of one initial condition and return the files; a second time gives the same."""
        ...

    def finish(self, folder: Path, exported: Exported) -> None:
        """Write the parts that can only be written at the end."""
        ...
