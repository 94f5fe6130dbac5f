"""The gridded source: files of any archive as canonical fields, read a few times at a time."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float32, Float64

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.climatology import Climatology
from triton_earth.data.computed import ANOMALY, compute, computed_variables
from triton_earth.data.derived import derived_fields, derived_variables
from triton_earth.data.formats.groups import file_of
from triton_earth.data.regrid import Regrid, bilinear, conservative, equal_angle_grid
from triton_earth.data.sources.channel_array import named_channels
from triton_earth.data.sources.channels import Channels, choose_channels
from triton_earth.data.sources.chunks import SourceChunk, chunk_of
from triton_earth.data.sources.config import GriddedData, Region, TargetGrid
from triton_earth.data.sources.coordinates import Axis, latitude_axis, longitude_axis
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.files import open_files, require_chunks
from triton_earth.data.sources.soundness import require_sound
from triton_earth.data.sources.time_axis import (
    decode_times,
    find_time,
    regular_times,
    require_ascending,
)

Maps = Float64[np.ndarray, "time y x"]


@dataclass(frozen=True)
class _Piece:
    """One file: its part of the time axis, and which cells of it are taken.

    Attributes:
        source: Name of the file.
        dataset: The file.
        time: Its time dimension, None for a file without one.
        times: Its times.
        latitude: Its rows, south to north.
        longitude: Its columns, west to east.
    """

    source: str
    dataset: xr.Dataset
    time: str | None
    times: np.ndarray
    latitude: Axis
    longitude: Axis


class GriddedSource:
    """Canonical fields: known names and units, south to north, west to east, in equal steps of time.

    Attributes:
        name: What messages call it.
        files: Names of the files.
        variables: Channels: those of the files, then computed ones, derived forcings last.
        grid: Cells of the fields.
        times: Times of the fields, datetime64[ns] in equal steps.
        recorded: Where the files have a state, [time].
        anomalies: Channels that are anomalies; they are read once `climatology` is set.
        climatology: Climatology of what the anomalies are of, in that order.
    """

    def __init__(self, data: GriddedData) -> None:
        """Open the files and check everything that can be checked without reading fields.

        Raises:
            UserError: naming the file, what is wrong with it, and what to do.
        """
        self._data = data
        opened = open_files(data.path, dict(data.storage_options), _names(data), data.group)
        self.name = opened[0][0] if len(opened) == 1 else f"{opened[0][0]} … {opened[-1][0]}"
        self.files = list(dict.fromkeys(file_of(source) for source, _ in opened))
        if data.array is not None:
            opened = named_channels(opened, data.array)
        pieces = [_piece(source, dataset, data) for source, dataset in opened]
        first = pieces[0]
        for piece in pieces[1:]:
            _require_same_cells(first, piece)
        self._native = LatLonGrid(tuple(first.latitude.values), tuple(first.longitude.values))
        self._regrid = None if data.grid is None else _regrid(self._native, data.grid, data.region)
        self.grid = self._native if self._regrid is None else self._regrid.target
        datasets = {piece.source: piece.dataset for piece in pieces}
        self._channels: list[Channels] = [
            choose_channels(choice, datasets) for choice in data.variables
        ]
        self._kept = [
            variable.name
            for choice, channels in zip(data.variables, self._channels, strict=True)
            for variable in channels.variables
            if choice.keep
        ]
        self._allowed = _implausible(data, self._channels)
        given = _different([each for channels in self._channels for each in channels.variables])
        chosen = [choice for choice in data.derive if choice.is_computed]
        self._computed = computed_variables(chosen, list(given), self._native)
        self.anomalies = [each for each in self._computed if each.kind == ANOMALY]
        self.climatology: Climatology | None = None
        self._derived = derived_variables(choice.kind for choice in data.derive)
        self.variables = _different(
            [
                *(variable for variable in given if variable.name in self._kept),
                *(each.variable for each in self._computed),
                *self._derived,
            ]
        )
        self._given = len(given)
        if not len(self.variables.with_role(Role.PROGNOSTIC)):
            raise UserError(
                "data.variables: none is prognostic, so there is nothing to forecast. Give one that role."
            )
        self._pieces = {
            channels.source_name: [
                piece for piece in pieces if channels.source_name in piece.dataset.variables
            ]
            for channels in self._channels
        }
        if data.missing_chunks == "refuse":
            for name, holding in self._pieces.items():
                for piece in holding:
                    require_chunks(piece.source, name)
        self._all_times = self._common_times()
        start, end = data.splits.bounds
        inside = np.flatnonzero((self._all_times >= start) & (self._all_times <= end))
        taken, self.times = regular_times(self._all_times[inside], data.step, self.name)
        self.recorded: Bool[np.ndarray, " time"] = taken >= 0
        self._indices = np.where(self.recorded, inside[taken], -1)

    @property
    def channels_in_memory(self) -> int:
        """Maps that are in memory for each time while it is read."""
        return self._given + len(self._computed) + len(self._derived)

    @property
    def native_cells(self) -> int:
        """Cells of a map as the files have it."""
        return int(np.prod(self._native.shape))

    @property
    def largest_chunk(self) -> SourceChunk | None:
        """The largest chunk that any file has of a variable, its times counted as those of the fields; None if none."""
        found = [
            chunk_of(piece.dataset[channels.source_name], piece.time)
            for channels in self._channels
            for piece in self._pieces[channels.source_name]
        ]
        chunks = [chunk for chunk in found if chunk is not None]
        if not chunks:
            return None
        largest = max(chunks, key=lambda chunk: chunk.nbytes)
        taken = self._indices[self.recorded]
        every = int(np.median(np.diff(taken))) if len(taken) > 1 else 1
        return replace(largest, times=max(1, largest.times // every))

    def read(self, times: slice) -> Float32[np.ndarray, "time channel y x"]:
        """Read fields of consecutive times.

        Args:
            times: Slice of `times`.

        Returns:
            Values in the units of `variables`; NaN where the files have no value, and throughout where they have no
            state.

        Raises:
            UserError: naming file, variable and time, if a file is damaged or a value is infinite or a fill value.
        """
        fields = self._fields(times, [*self._kept, *(one.variable.name for one in self._computed)])
        parts = [values.astype(np.float32)[:, None] for values in fields.values()]
        if len(self._derived):
            parts.append(derived_fields(self._derived.names, self.times[times], self.grid))
        whole = np.concatenate(parts, axis=1)
        whole[~self.recorded[times]] = np.nan
        return whole

    def before_anomalies(self, times: slice) -> Float64[np.ndarray, "time channel y x"]:
        """Read the fields of consecutive times that anomalies are of, in the order of `anomalies`."""
        names = [each.of[0] for each in self.anomalies]
        fields = self._fields(times, names)
        return np.stack([fields[name] for name in names], axis=1)

    def _fields(self, times: slice, names: list[str]) -> dict[str, Maps]:
        """Return the named fields on the grid of the store; what they are computed of is so on that of the files."""
        needed = self._needed(names)
        native: dict[str, Maps] = {}
        for channels in self._channels:
            if needed & {variable.name for variable in channels.variables}:
                values = self._read_channels(channels, self._indices[times])
                for number, variable in enumerate(channels.variables):
                    native[variable.name] = values[:, number]
        for computed in self._computed:
            if computed.kind != ANOMALY and computed.variable.name in needed:
                native[computed.variable.name] = compute(computed, native, self._native)
        onto = self._regrid or np.asarray
        fields = {name: onto(native[name]) for name in names if name in native}
        anomalies = [each for each in self.anomalies if each.variable.name in names]
        if anomalies:
            assert self.climatology is not None, (
                "the climatology is fitted before anomalies are read"
            )
            normal = self.climatology.at(self.times[times])
            for number, each in enumerate(self.anomalies):
                (of,) = each.of
                field = fields[of] if of in fields else onto(native[of])
                fields[each.variable.name] = field - normal[:, number]
        return {name: fields[name] for name in names}

    def _needed(self, names: list[str]) -> set[str]:
        """Return the named variables and all that they are computed of."""
        needed = set(names)
        for computed in reversed(self._computed):
            if computed.variable.name in needed:
                needed |= set(computed.of)
        return needed

    def _read_channels(
        self, channels: Channels, indices: np.ndarray
    ) -> Float64[np.ndarray, "time channel y x"]:
        if not channels.has_time:
            once = self._read_piece(channels, self._pieces[channels.source_name][0], None)
            return np.repeat(once, len(indices), axis=0)
        shape = (len(indices), len(channels.variables), *self._native.shape)
        fields = np.full(shape, np.nan)
        offset = 0
        for piece in self._pieces[channels.source_name]:
            here = np.flatnonzero((indices >= offset) & (indices < offset + len(piece.times)))
            for run in _equal_steps(indices[here] - offset):
                local = indices[here[run]] - offset
                step = int(local[1] - local[0]) if local.size > 1 else 1
                steps = slice(int(local[0]), int(local[-1]) + 1, step)
                fields[here[run]] = self._read_piece(channels, piece, steps)
            offset += len(piece.times)
        return fields

    def _read_piece(
        self, channels: Channels, piece: _Piece, steps: slice | None
    ) -> Float64[np.ndarray, "time channel y x"]:
        """Read some times of one file, or a variable without time, and refuse what cannot be right."""
        times = None if steps is None else {str(piece.time): steps}
        axes = (piece.latitude, piece.longitude)
        fields = channels.read(piece.dataset, times, *axes, piece.source)
        when = piece.times[:0] if steps is None else piece.times[steps]
        require_sound(fields, channels, piece.source, when, axes, self._allowed)
        return fields

    def _common_times(self) -> np.ndarray:
        """Return the times that all variables have, which have to be the same for each."""
        common: np.ndarray | None = None
        first = ""
        for channels in self._channels:
            if not channels.has_time:
                continue
            for piece in self._pieces[channels.source_name]:
                if piece.times.size == 0:
                    raise UserError(
                        f"{piece.source}: '{channels.source_name}' has no times. Leave the file out."
                    )
            pieces = self._pieces[channels.source_name] = sorted(
                self._pieces[channels.source_name], key=lambda piece: piece.times[0]
            )
            times = np.concatenate([piece.times for piece in pieces])
            require_ascending(times, self.name)
            if common is None:
                common, first = times, channels.source_name
            elif not np.array_equal(common, times):
                raise UserError(
                    f"{self.name}: '{first}' has {len(common)} times from {common[0]} and '{channels.source_name}' "
                    f"{len(times)} from {times[0]}; they have to be the same. Give files for the same times."
                )
        if common is None:
            raise UserError(
                f"{self.name}: no variable depends on time, so there is nothing to forecast. Correct data.variables."
            )
        return common


def _equal_steps(indices: np.ndarray) -> list[slice]:
    """Return stretches of ascending indices that have equal steps."""
    runs = []
    first = 0
    while first < len(indices):
        last = first + 1
        while last + 1 < len(indices) and (
            indices[last + 1] - indices[last] == indices[first + 1] - indices[first]
        ):
            last += 1
        runs.append(slice(first, last + 1))
        first = last + 1
    return runs


def _names(data: GriddedData) -> list[str]:
    """Return the names in the files, where the recipe gives them all."""
    names = [choice.source for choice in data.variables]
    return [name for name in names if name is not None] if all(names) else []


def _implausible(data: GriddedData, channels: list[Channels]) -> set[str]:
    """Return the channels whose values may look wrong; a variable's name stands for all its levels."""
    of_name = {
        choice.name: {variable.name for variable in each.variables}
        for choice, each in zip(data.variables, channels, strict=True)
    }
    of_name |= {name: {name} for names in list(of_name.values()) for name in names}
    for name in data.allow_implausible:
        if name not in of_name:
            raise UserError(
                f"data.allow_implausible: '{name}' is not among data.variables; {nearest(name, of_name)}"
            )
    return {name for allowed in data.allow_implausible for name in of_name[allowed]}


def _different(variables: list[Variable]) -> Variables:
    names = [variable.name for variable in variables]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(
            f"data.variables: {repeated} occur more than once. Name each variable once."
        )
    return Variables(tuple(variables))


def _regrid(native: LatLonGrid, wanted: TargetGrid, region: Region | None) -> Regrid:
    target = equal_angle_grid(
        native, wanted.latitudes, wanted.longitudes, pole_to_pole=region is None
    )
    return (conservative if wanted.method == "conservative" else bilinear)(native, target)


def _piece(source: str, dataset: xr.Dataset, data: GriddedData) -> _Piece:
    try:
        time = find_time(dataset)
        times = np.array([], dtype="datetime64[ns]")
        dimension = None
        if time is not None and dataset.variables[time].ndim == 1:
            dimension = str(dataset.variables[time].dims[0])
            times = decode_times(dataset, time, source)
            require_ascending(times, source)
        return _Piece(
            source,
            dataset,
            dimension,
            times,
            latitude_axis(dataset, source, data.region),
            longitude_axis(dataset, source, data.region),
        )
    except UserError:
        raise
    except READ_ERRORS as error:
        raise UserError(
            f"{source}: its coordinates cannot be read ({first_line(error)}). The file is damaged; fetch it again."
        ) from error


def _require_same_cells(one: _Piece, other: _Piece) -> None:
    for first, second in ((one.latitude, other.latitude), (one.longitude, other.longitude)):
        if first.values.shape != second.values.shape or not np.allclose(
            first.values, second.values, atol=1e-4
        ):
            raise UserError(
                f"{other.source}: '{second.name}' is not that of {one.source} ({second.values.size} cells from "
                f"{second.values[0]:g} against {first.values.size} from {first.values[0]:g}). "
                "Put files of one grid into one recipe."
            )
