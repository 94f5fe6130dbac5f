"""The forecast store: one Zarr v3 group with what a rollout gave, one array per variable.

Layout: ``NAME(init, lead_time, y, x)`` in float32, of an ensemble ``NAME(init, member, lead_time, y, x)``, with
coordinates ``init_time(init)`` and ``trajectory(init)``; valid_time = init_time + lead_time. Where init and member are
counted together, a row is init · members + member. A chunk holds one lead of a few rows; which is a matter of the grid
alone, so that the files do not depend on how many rows were forecast together.

Where only statistics are stored they are ``statistics(init[, member], lead_time, variable, statistic)``. Of an ensemble
there may be ``NAME_mean`` and ``NAME_spread`` ``(init, lead_time, y, x)`` too, and where stabilisers were on
``stabilizer_change(init[, member], lead_time, corrected, stabilizer)``, the root mean square that each changed each
prognostic variable. With means over calendar months the leads are the last steps of these, ``month(lead_time)`` is the
first day of each, and the attribute ``every`` says so.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Float32
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import LocalStore

from triton_earth.core.errors import DAMAGE, UserError, first_line
from triton_earth.core.grid import Grid, grid_from_dict
from triton_earth.core.standard_names import CONVENTIONS, variable_attributes
from triton_earth.core.time import Duration, decode_duration, encode_duration
from triton_earth.core.variables import Variables
from triton_earth.data.store.codecs import require_format_3
from triton_earth.data.store.groups import (
    as_texts,
    beside_other_files,
    consolidate,
    from_texts,
    require_sealed,
    write_group,
    write_seal,
)
from triton_earth.rollout.ensemble import mean_over_members
from triton_earth.rollout.monthly_means import MONTH, Month
from triton_earth.rollout.storage.forecast_coordinates import (
    ALONG_LEADS,
    MEANS,
    forecast_coordinates,
    month_coordinates,
    plain_attributes,
    with_initial_times,
)
from triton_earth.rollout.storage.lost_files import require_files
from triton_earth.rollout.stored_rows import boxes

FORMAT = "triton-earth forecast 1"

CHUNK_BYTES, CHUNK_FIELDS = 4 * 2**20, 16
"""Most that a chunk of several fields holds, in bytes and in fields."""

STATISTICS, STATISTICS_LEADS = "statistics", 64
"""Name of the array of statistics, and leads in a chunk of it."""

CHANGE = "stabilizer_change"
"""Name of the array of what stabilisers changed."""

SERIES = (STATISTICS, CHANGE)
"""Arrays without cells."""

MEAN, SPREAD = "_mean", "_spread"
"""What is added to the name of a variable for mean and standard deviation over members."""


def create_forecast_store(
    path: Path,
    *,
    variables: Variables,
    grid: Grid,
    time_step: Duration,
    steps: int | Sequence[int],
    init_times: np.ndarray,
    trajectories: np.ndarray,
    provenance: dict[str, Any],
    members: int = 1,
    statistics: Sequence[str] = (),
    mean_and_spread: bool = False,
    corrected: Sequence[str] = (),
    stabilizers: Sequence[str] = (),
    months: Sequence[Month] = (),
) -> None:
    """Write an empty forecast store: coordinates, attributes and the arrays that leads are written into.

    Args:
        path: Folder without a group.
        variables: What is stored.
        grid: Where the cells are.
        time_step: Step of the model.
        steps: Number of leads, or their steps; the first step is 1.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        provenance: How the forecast is made; plain values.
        members: Members of each ensemble; 1 for single forecasts, which have no such dimension.
        statistics: Names of the statistics that are stored in place of fields; none for fields.
        mean_and_spread: Whether there are means and standard deviations over members.
        corrected: Names of the variables that stabilisers act on.
        stabilizers: Names of the stabilisers; none where none is on.
        months: Calendar months whose means are stored, each at its last step; none for single steps.
    """
    variables.require_storable()
    y_name, x_name = grid.axes
    numbers = np.arange(1, steps + 1) if isinstance(steps, int) else np.asarray(steps)
    coordinates = forecast_coordinates(
        None if statistics else grid,
        init_times,
        trajectories,
        np.asarray(numbers * time_step),
        members,
        statistic=statistics,
        variable=variables.names if statistics else (),
        stabilizer=stabilizers,
        corrected=corrected if stabilizers else (),
    )
    if months:
        coordinates |= month_coordinates(months)
    together = fields_in_chunk(grid)
    rows = _Dimensions(["init"], [len(init_times)], [min(len(init_times), together)])
    ensemble = rows
    if members > 1:
        ensemble = _Dimensions(
            ["init", "member"],
            [len(init_times), members],
            [max(1, min(len(init_times), together // members)), min(members, together)],
        )
    attributes = {
        "Conventions": CONVENTIONS,
        "format": FORMAT,
        "grid": grid.to_dict(),
        "variables": variables.to_list(),
        "time_step": encode_duration(time_step),
        "provenance": provenance,
        **({"every": MONTH} if months else {}),
    }
    write_group(path, coordinates, attributes)
    group = zarr.open_group(LocalStore(path), mode="r+")
    lead = _Dimensions(["lead_time"], [len(numbers)], [1])
    leads = _Dimensions(["lead_time"], [len(numbers)], [min(len(numbers), STATISTICS_LEADS)])
    if stabilizers:
        shape = [len(corrected), len(stabilizers)]
        _create(
            group, CHANGE, ensemble + leads + _Dimensions(["corrected", "stabilizer"], shape, shape)
        )
    if statistics:
        shape = [len(variables), len(statistics)]
        each = _Dimensions(["variable", "statistic"], shape, shape)
        _create(group, STATISTICS, ensemble + leads + each)
        return
    cells = _Dimensions([y_name, x_name], list(grid.shape), list(grid.shape))
    for variable in variables:
        words = {**variable_attributes(variable, grid), **(MEANS if months else {})}
        _create(group, variable.name, ensemble + lead + cells, words)
        for suffix in (MEAN, SPREAD) if mean_and_spread else ():
            _create(group, variable.name + suffix, rows + lead + cells, words)


def fields_in_chunk(grid: Grid) -> int:
    """Return how many fields of a grid a chunk holds."""
    return max(1, min(CHUNK_FIELDS, CHUNK_BYTES // (4 * math.prod(grid.shape))))


@dataclass(frozen=True)
class _Dimensions:
    """Names, sizes and chunks of successive dimensions of an array."""

    names: list[str]
    shape: list[int]
    chunks: list[int]

    def __add__(self, other: "_Dimensions") -> "_Dimensions":
        return _Dimensions(
            self.names + other.names, self.shape + other.shape, self.chunks + other.chunks
        )


def _create(
    group: zarr.Group,
    name: str,
    dimensions: _Dimensions,
    attributes: Mapping[str, str] | None = None,
) -> None:
    array = group.create_array(
        name,
        shape=dimensions.shape,
        chunks=tuple(dimensions.chunks),
        compressors=[ZstdCodec(level=0), Crc32cCodec()],
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=dimensions.names,
    )
    if attributes:
        array.attrs.update(attributes)


def write_guard(path: Path, record: dict[str, Any]) -> None:
    """Store what the guard saw, as `triton_earth.rollout.guard.guard_record` gives it."""
    zarr.open_group(LocalStore(path), mode="r+").attrs.update(as_texts({"guard": record}))


def finish_forecast_store(path: Path) -> None:
    """Declare a forecast store complete, consolidate its metadata and seal them."""
    group = zarr.open_group(LocalStore(path), mode="r+")
    group.attrs.update(as_texts({"complete": True}))
    consolidate(path)
    write_seal(path, field_names(path))


def field_names(path: Path) -> list[str]:
    """Return the arrays of a forecast store that leads are written into; times along the leads are coordinates."""
    described = {file.parent.name: file for file in path.glob("*/zarr.json")}
    return sorted(
        name
        for name, file in described.items()
        if name not in ALONG_LEADS
        and "lead_time" in (json.loads(file.read_bytes()).get("dimension_names") or ())
    )


class ForecastStore:
    """A forecast store, open for reading.

    Attributes:
        path: Its folder.
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Step of the model.
        lead_times: Lead times, multiples of the time step, timedelta64 or float64.
        init_times: Time of each initial condition.
        trajectories: Trajectory of each initial condition.
        members: Members of each ensemble; 1 where forecasts are single.
        chunk_inits: Initial conditions in one chunk.
        statistics: Statistics that were stored in place of fields; None where there are fields.
        stabilizer_change: Root mean square that each stabiliser changed each variable; None where none was on.
        provenance: How the forecast was made.
        guard: What the guard saw, as `triton_earth.rollout.guard.guard_record` gives it; None where there was none.
        every: ``month`` where fields are means over calendar months; None where they are single steps.
    """

    def __init__(self, path: Path, coordinates: xr.Dataset) -> None:
        attributes = from_texts(coordinates.attrs)
        self.path = path
        self.variables = Variables.from_list(attributes["variables"])
        self.grid: Grid = grid_from_dict(attributes["grid"])
        self.time_step: Duration = decode_duration(attributes["time_step"])
        self.provenance: dict[str, Any] = attributes["provenance"]
        self.guard: dict[str, Any] | None = attributes.get("guard")
        self.every: str | None = attributes.get("every")
        self.lead_times: np.ndarray = coordinates["lead_time"].values
        self.init_times: np.ndarray = coordinates["init_time"].values
        self.trajectories: np.ndarray = coordinates["trajectory"].values
        self.members: int = coordinates.sizes.get("member", 1)
        self.statistics: xr.DataArray | None = coordinates.get(STATISTICS)
        self.stabilizer_change: xr.DataArray | None = coordinates.get(CHANGE)
        self._complete = bool(attributes.get("complete"))
        names = self.variables.names if self.statistics is None else [STATISTICS]
        self._arrays = [zarr.open_array(LocalStore(path), path=name, mode="r") for name in names]
        self.chunk_inits: int = self._arrays[0].chunks[0]

    @classmethod
    def open(cls, path: str | Path, *, complete: bool = True) -> "ForecastStore":
        """Open a forecast store.

        Args:
            path: Its folder.
            complete: Refuse one whose forecast has not come to its end.

        Raises:
            UserError: if there is none, it is unfinished, or it is damaged.
        """
        path = Path(path)
        if not path.exists():
            raise UserError(
                f"{path}: there is no forecast; make it with "
                "`triton-earth forecast MODEL STORE --out FORECAST`."
            )
        try:
            require_format_3(path)
            group = zarr.open_group(LocalStore(path), mode="r", zarr_format=3)
            if group.attrs.get("format") != FORMAT:
                raise UserError(
                    f"{path}: this Zarr group was not written by `triton-earth forecast`. `triton-earth evaluate` "
                    "judges forecasts of other programs too, in the layouts of docs/judging.md."
                )
            attributes = from_texts(group.attrs.asdict())
            if complete and not attributes.get("complete"):
                raise UserError(
                    f"{path}: the forecast is unfinished; run the same command with --resume."
                )
            with beside_other_files():
                dataset = xr.open_zarr(LocalStore(path), consolidated=False, zarr_format=3)
            fields = [name for name, array in dataset.data_vars.items() if name not in SERIES]
            opened = cls(path, dataset.drop_vars(fields).load())
            if complete:
                require_sealed(path, attributes)
            return opened
        except UserError:
            raise
        except DAMAGE as error:
            raise UserError(
                f"{path}: not a readable forecast ({first_line(error)}); make it again."
            ) from error

    @property
    def first_trip(self) -> tuple[int, int] | None:
        """Initial condition and step of the forecast that left the training climate first; None where none did."""
        trips = self.guard["trips"] if self.guard else []
        return (trips[0]["init"], trips[0]["step"]) if trips else None

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Read one lead of some initial conditions: the forecasts or, of ensembles, their means.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if a file of the store is damaged or lost.
        """
        return mean_over_members(self.read_members(inits, lead))

    def read_members(
        self, inits: slice, lead: int
    ) -> Float32[np.ndarray, "init member channel y x"]:
        """Read one lead of all members of some initial conditions; a single forecast is a member too.

        Args:
            inits: Which initial conditions.
            lead: Index into `lead_times`.

        Raises:
            UserError: if the store holds statistics only, or a file of it is damaged or lost. One that the guard's
                policy ``stop`` left out is not.
        """
        if self.statistics is not None:
            raise UserError(
                f"{self.path}: the forecast holds statistics only, no fields; make it without --statistics-only."
            )
        try:
            if self.members == 1:
                fields = [np.asarray(array[inits, lead])[:, None] for array in self._arrays]
            else:
                fields = [np.asarray(array[inits, :, lead]) for array in self._arrays]
        except DAMAGE as error:
            raise UserError(
                f"{self.path}: lead {self._number(lead)} cannot be read ({first_line(error)}); the forecast is damaged"
                "; make it again."
            ) from error
        if self._complete:
            rows = range(*inits.indices(len(self.init_times)))
            for array, values in zip(self._arrays, fields, strict=True):
                require_files(
                    self.path,
                    array,
                    values,
                    rows,
                    lead,
                    number=self._number(lead),
                    init_times=self.init_times,
                    guard=self.guard,
                )
        return np.stack(fields, axis=2)

    def to_xarray(self) -> xr.Dataset:
        """Return the forecasts as a dataset whose fields are read when they are needed.

        Its attributes are texts and numbers, so that NetCDF can hold them, and ``init_time`` is an index where each
        initial time is there once.

        Example:
            fields = stored.to_xarray()
            fields.isel(init=0, lead_time=-1).to_netcdf("last.nc")
        """
        with beside_other_files():
            dataset = xr.open_zarr(LocalStore(self.path), zarr_format=3)
        dataset.attrs = plain_attributes(self.grid, self.provenance, self.guard)
        return with_initial_times(dataset)

    def _number(self, lead: int) -> int:
        return round(float(self.lead_times[lead] / self.time_step))


def open_for_writing(path: Path, names: Sequence[str]) -> list[zarr.Array]:
    """Open the arrays of a store that leads are written into.

    Files of missing values are written too, so that one that is not there is lost.
    """
    with zarr.config.set({"array.write_empty_chunks": True}):
        return [zarr.open_array(LocalStore(path), path=name, mode="r+") for name in names]


def write_lead(
    arrays: Sequence[zarr.Array],
    rows: slice,
    members: int,
    lead: int,
    values: Sequence[Float32[np.ndarray, "row ..."]],
) -> None:
    """Write one lead of some rows into a store.

    Args:
        arrays: Where to, open for writing.
        rows: Which forecasts, counted over initial conditions and members.
        members: Members of each ensemble.
        lead: Index into the lead times.
        values: What to write into each array.
    """
    for array, value in zip(arrays, values, strict=True):
        if members == 1:
            array[rows, lead] = value
            continue
        for inside, inits, chosen in boxes(rows, members):
            box = (inits.stop - inits.start, chosen.stop - chosen.start, *value.shape[1:])
            array[inits, chosen, lead] = value[inside].reshape(box)


def write_mean_and_spread(path: Path) -> None:
    """Write mean and standard deviation (divided by M − 1) over members, lead by lead, from the members' fields."""
    stored = ForecastStore.open(path, complete=False)
    arrays = {
        suffix: open_for_writing(path, [name + suffix for name in stored.variables.names])
        for suffix in (MEAN, SPREAD)
    }
    inits = len(stored.init_times)
    for first in range(0, inits, stored.chunk_inits):
        some = slice(first, min(first + stored.chunk_inits, inits))
        for lead in range(len(stored.lead_times)):
            fields = stored.read_members(some, lead).astype(np.float64)
            with np.errstate(invalid="ignore"):  # members that are infinite
                moments = {MEAN: fields.mean(axis=1), SPREAD: fields.std(axis=1, ddof=1)}
            for suffix, values in moments.items():
                for channel, array in enumerate(arrays[suffix]):
                    array[some, lead] = values[:, channel].astype(np.float32)
