"""The gridded source: files of any archive as canonical fields, read a few times at a time."""

import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64
from numpy.typing import DTypeLike

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.formats.groups import Opened, file_of
from triton_earth.data.sources.channel_array import named_channels
from triton_earth.data.sources.channels import Channels, choose_channels
from triton_earth.data.sources.chunks import SourceChunk, chunk_of
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.file_fields import FileFields, FileReader
from triton_earth.data.sources.files import open_files, require_chunks
from triton_earth.data.sources.places.coordinates import require_places, rotated_axes
from triton_earth.data.sources.places.onto_grid import onto_grid
from triton_earth.data.sources.times.cell_methods import aggregate
from triton_earth.data.sources.times.common import StoreTimes, TimedVariable, store_times
from triton_earth.data.sources.times.longer_steps import blocks_of_steps
from triton_earth.data.sources.times.steps import runs_of_equal_steps
from triton_earth.data.sources.values.computed import ANOMALY, compute, computed_variables
from triton_earth.data.sources.values.derived import derived_fields, derived_variables
from triton_earth.data.sources.values.soundness import (
    extremes,
    require_percent,
    require_possible_fill,
)
from triton_earth.data.statistics.climatology import Climatology

logger = logging.getLogger("triton_earth")

Maps = Float[np.ndarray, "time y x"]


class GriddedSource:
    """Canonical fields: known names and units, south to north, west to east, in equal steps of time.

    Attributes:
        name: What messages call it.
        files: Names of the files.
        variables: Channels: those of the files, then computed ones, derived forcings last.
        grid: Cells of the fields.
        times: Times of the fields, datetime64[ns] in equal steps.
        recorded: Where the files have a state, [time].
        regridding: How fields of curvilinear grids are put onto `grid`, in words, or None.
        lead_in: How long before the first time begins what it stands for.
        anomalies: Channels that are anomalies; they are read once `climatology` is set.
        climatology: Climatology of what the anomalies are of, in that order.
        ever: Cells of the files in which a variable with holes to fill has a value at some time, by channel; holes are
            filled once it is set.
    """

    def __init__(self, data: GriddedData, opened: Opened | None = None) -> None:
        """Open the files and check everything that can be checked without reading fields.

        Args:
            data: What the recipe says.
            opened: The files, where they are open already.

        Raises:
            UserError: naming the file, what is wrong with it, and what to do.
        """
        self._data = data
        if opened is None:
            opened = open_files(data.path, dict(data.storage_options), _names(data), data.group)
        self.name = opened[0][0] if len(opened) == 1 else f"{opened[0][0]} … {opened[-1][0]}"
        self.files = list(dict.fromkeys(file_of(source) for source, _ in opened))
        if data.array is not None:
            opened = named_channels(opened, data.array)
        for source, dataset in opened:
            if not rotated_axes(dataset):
                require_places(dataset, source)
        datasets = dict(opened)
        chosen = [choose_channels(choice, datasets) for choice in data.variables]
        self._channels: list[Channels] = [channels for several in chosen for channels in several]
        reader = FileReader(data)
        self._files = [
            _in_time(
                [
                    reader.fields(
                        source, datasets[source], channels.source_name, has_time=each.has_time
                    )
                    for source, each in channels.layouts.items()
                ]
            )
            for channels in self._channels
        ]
        named = [
            choice.name
            for choice, several in zip(data.variables, chosen, strict=True)
            for _ in several
        ]
        self._onto = onto_grid(
            list(zip(named, self._channels, self._files, strict=True)), data, self.name
        )
        self.grid = self._onto.grid
        self.regridding = self._onto.method
        self._kept = [
            name
            for choice, several in zip(data.variables, chosen, strict=True)
            for name in _in_order(choice.levels, several)
            if choice.keep
        ]
        self._allowed = _implausible(data, chosen)
        self._fill = {
            variable.name: choice.fill
            for choice, several in zip(data.variables, chosen, strict=True)
            for channels in several
            for variable in channels.variables
            if choice.fill is not None
        }
        given = _different([each for channels in self._channels for each in channels.variables])
        computed = [choice for choice in data.derive if choice.is_computed]
        self._computed = computed_variables(computed, list(given), self._onto.computing_grid)
        self.anomalies = [each for each in self._computed if each.kind == ANOMALY]
        self.climatology: Climatology | None = None
        self.ever: dict[str, Bool[np.ndarray, "row column"]] = {}
        self._derived = derived_variables(choice.kind for choice in data.derive)
        by_name = {variable.name: variable for variable in given}
        self.variables = _different(
            [
                *(by_name[name] for name in self._kept),
                *(each.variable for each in self._computed),
                *self._derived,
            ]
        )
        self._given = len(given)
        self._largest: dict[str, float] = {}
        if not len(self.variables.with_role(Role.PROGNOSTIC)):
            raise UserError(
                "data.variables: no variable is prognostic, so there is nothing to forecast. Give a variable the role "
                "prognostic."
            )
        if data.missing_chunks == "refuse":
            for channels, files in zip(self._channels, self._files, strict=True):
                for one in files:
                    require_chunks(one.source, channels.source_name)
        self._steps: StoreTimes = store_times(
            [
                TimedVariable(channels, files, name, data.stamps)
                for name, channels, files in zip(named, self._channels, self._files, strict=True)
            ],
            data,
            self.name,
        )
        self.times = self._steps.times
        self.recorded: Bool[np.ndarray, " time"] = self._steps.recorded
        self.lead_in = self._steps.lead_in

    @property
    def channels_in_memory(self) -> int:
        """Maps that are in memory for each time while it is read."""
        in_longer_steps = sum(
            len(channels.variables) for channels in self._channels if self._is_made(channels)
        )
        return self._given + in_longer_steps + len(self._computed) + len(self._derived)

    @property
    def native_cells(self) -> int:
        """Cells of a map as the files have it."""
        return max(int(np.prod(files[0].shape)) for files in self._files)

    @property
    def largest_chunk(self) -> SourceChunk | None:
        """The largest chunk that any file has of a variable, its times counted as those of the fields; None if none."""
        found = [
            chunk_of(one.dataset[channels.source_name], one.dimension)
            for channels, files in zip(self._channels, self._files, strict=True)
            for one in files
        ]
        chunks = [chunk for chunk in found if chunk is not None]
        if not chunks:
            return None
        largest = max(chunks, key=lambda chunk: chunk.nbytes)
        taken = self._steps.sampled[self.recorded]
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
        count = len(self.times[times])
        whole = np.empty((count, len(self.variables), *self.grid.shape), dtype=np.float32)
        for number, values in enumerate(fields.values()):
            whole[:, number] = values
        if len(self._derived):
            names = self._derived.names
            whole[:, len(fields) :] = derived_fields(names, self.times[times], self.grid)
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
        for channels, files in zip(self._channels, self._files, strict=True):
            if needed & {variable.name for variable in channels.variables}:
                values = self._read_channels(channels, files, times, self._precision(channels))
                for number, variable in enumerate(channels.variables):
                    native[variable.name] = self._filled(variable.name, values[:, number])
        fields: dict[str, Maps] = {}
        if self._onto.native is None:
            fields = {name: self._onto.put(name, native) for name in native if name in needed}
            native = fields
        for computed in self._computed:
            if computed.kind != ANOMALY and computed.variable.name in needed:
                of = {name: native[name] for name in computed.of}
                made = compute(computed, of, self._onto.computing_grid)
                native[computed.variable.name] = made
        if self._onto.native is not None:
            wanted = {
                *names,
                *(each.of[0] for each in self.anomalies if each.variable.name in names),
            }
            fields = {
                name: self._onto.onto(name, native[name]) for name in native if name in wanted
            }
        anomalies = [each for each in self.anomalies if each.variable.name in names]
        if anomalies:
            assert self.climatology is not None, (
                "the climatology is fitted before anomalies are read"
            )
            normal = self.climatology.at(self.times[times])
            for number, each in enumerate(self.anomalies):
                (normally,) = each.of
                fields[each.variable.name] = fields[normally] - normal[:, number]
        return {name: fields[name] for name in names}

    def find_holes(self, pieces: Iterable[slice]) -> dict[str, int]:
        """Find the cells whose holes are to be filled: those that have a value at some time.

        Args:
            pieces: Times to read at once.

        Returns:
            The number of holes of each channel that has any; `ever` is set.

        Raises:
            UserError: if a variable cannot have the value that is to fill them.
        """
        holes: dict[str, int] = {}
        ever: dict[str, Bool[np.ndarray, "row column"]] = {}
        for channels, files in zip(self._channels, self._files, strict=True):
            names = [
                variable.name for variable in channels.variables if variable.name in self._fill
            ]
            if not names:
                continue
            count = np.zeros((len(names), *files[0].shape), dtype=np.int64)
            for times in pieces:
                count += np.isfinite(self._read_channels(channels, files, times)).sum(axis=0)
            missing = int(self.recorded.sum()) - count
            for name, there, absent in zip(names, count > 0, missing, strict=True):
                ever[name] = there
                if absent[there].any():
                    holes[name] = int(absent[there].sum())
                    if name not in self._allowed:
                        require_possible_fill(name, self._fill[name], channels.possible)
        self.ever = ever
        return holes

    def require_percent(self, pieces: list[slice]) -> None:
        """Refuse shares that are labelled per cent and are fractions, by all their values.

        What has been read so far mostly tells; only where it does not are more pieces read.

        Raises:
            UnsoundDataError: naming the variable.
        """
        for channels, files in zip(self._channels, self._files, strict=True):
            possible = channels.possible
            if not channels.in_percent or possible is None:
                continue
            for variable in channels.variables:
                if variable.name in self._allowed:
                    continue
                for times in pieces:
                    largest = self._largest.get(variable.name, 0.0)
                    if largest > 0 and not possible.is_fraction(largest):
                        break
                    self._read_channels(channels, files, times)
                require_percent(self._largest[variable.name], channels, variable)

    def _precision(self, channels: Channels) -> type[np.float32 | np.float64]:
        """Return single precision for what goes into the store as it is, double for what is computed with."""
        others = {name for computed in self._computed for name in computed.of}
        of_others = any(
            variable.name in others or not self._onto.leaves(variable.name)
            for variable in channels.variables
        )
        computed_with = of_others or self._is_made(channels) or channels.in_percent
        return np.float64 if computed_with else np.float32

    def _read_file(
        self, channels: Channels, one: FileFields, steps: slice | None, dtype: DTypeLike
    ) -> Float[np.ndarray, "time channel y x"]:
        fields = one.read(channels, steps, self._allowed, dtype)
        if channels.in_percent:
            for number, variable in enumerate(channels.variables):
                largest = extremes(fields[:, number])[1]
                before = self._largest.get(variable.name, 0.0)
                self._largest[variable.name] = float(np.fmax(before, largest))
        return fields

    def _filled(self, name: str, values: Maps) -> Maps:
        if name not in self.ever:
            return values
        return np.where(np.isnan(values) & self.ever[name], self._fill[name], values)

    def _needed(self, names: list[str]) -> set[str]:
        """Return the named variables and all that they are computed of."""
        needed = set(names)
        for computed in reversed(self._computed):
            if computed.variable.name in needed:
                needed |= set(computed.of)
        return self._onto.needed(needed)

    def _is_made(self, channels: Channels) -> bool:
        """Whether each time of the store is made of several fields of a variable."""
        return self._steps.is_longer and channels.has_time and channels.aggregation != "sample"

    def _read_channels(
        self,
        channels: Channels,
        files: list[FileFields],
        times: slice,
        dtype: DTypeLike = np.float64,
    ) -> Float[np.ndarray, "time channel y x"]:
        """Read a variable at times of the store."""
        sampled = self._steps.sampled[times]
        if not channels.has_time or channels in self._steps.constant:
            steps = slice(0, 1) if channels.has_time else None
            once = self._read_file(channels, files[0], steps, dtype)
            return np.repeat(once, len(sampled), axis=0)
        if not self._is_made(channels):
            return self._read_fields(channels, files, sampled, dtype)
        assert channels.aggregation is not None
        shape = (len(sampled), len(channels.variables), *files[0].shape)
        made = np.full(shape, np.nan)
        for block in blocks_of_steps(self._steps.first[times], self._steps.stop[times]):
            start = int(self._steps.first[times][block[0]])
            stop = int(self._steps.stop[times][block[-1]])
            fields = self._read_fields(channels, files, np.arange(start, stop), np.float64)
            for number in block:
                first, last = self._steps.first[times][number], self._steps.stop[times][number]
                made[number] = aggregate(channels.aggregation, fields[first - start : last - start])
        return made

    def _read_fields(
        self,
        channels: Channels,
        files: list[FileFields],
        indices: Int64[np.ndarray, " field"],
        dtype: DTypeLike,
    ) -> Float[np.ndarray, "field channel y x"]:
        """Read the fields of these numbers, NaN where the number is −1."""
        shape = (len(indices), len(channels.variables), *files[0].shape)
        fields: np.ndarray | None = None
        offset = 0
        for one in files:
            here = np.flatnonzero((indices >= offset) & (indices < offset + len(one.times)))
            for run in runs_of_equal_steps(indices[here] - offset):
                local = indices[here[run]] - offset
                step = int(local[1] - local[0]) if local.size > 1 else 1
                steps = slice(int(local[0]), int(local[-1]) + 1, step)
                read = self._read_file(channels, one, steps, dtype)
                if len(local) == len(indices):
                    return read
                if fields is None:
                    fields = np.full(shape, np.nan, dtype=dtype)
                fields[here[run]] = read
            offset += len(one.times)
        return np.full(shape, np.nan, dtype=dtype) if fields is None else fields


def _in_time(files: list[FileFields]) -> list[FileFields]:
    """Return files in the order of their times, whatever the order of their names."""
    return sorted(files, key=lambda one: (one.times[:1].astype(np.int64).tolist(), one.source))


def _in_order(levels: tuple[float, ...] | None, several: list[Channels]) -> list[str]:
    """Return the names of channels in the order in which a recipe asks for their levels."""
    variables = [variable for channels in several for variable in channels.variables]
    if levels is not None:
        variables.sort(
            key=lambda variable: (
                levels.index(variable.level or 0.0) if variable.level in levels else 0
            )
        )
    return [variable.name for variable in variables]


def _names(data: GriddedData) -> list[str]:
    """Return the names in the files, where the recipe gives them all."""
    names = [choice.source for choice in data.variables]
    return [name for name in names if name is not None] if all(names) else []


def _implausible(data: GriddedData, chosen: list[list[Channels]]) -> set[str]:
    """Return the channels whose values may look wrong; a variable's name stands for all its levels."""
    of_name = {
        choice.name: {variable.name for each in several for variable in each.variables}
        for choice, several in zip(data.variables, chosen, strict=True)
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
