"""One variable of one file: when and where its fields are, and reading some of them."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import DTypeLike

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.curvilinear.finding import find_mesh, mesh_dimensions, part_of, window
from triton_earth.data.curvilinear.mesh import Mesh
from triton_earth.data.sources.channels import Channels
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.places.coordinates import (
    TRIPOLAR,
    Axis,
    is_nominal,
    latitude_axis,
    longitude_axis,
    same_longitudes,
)
from triton_earth.data.sources.times.axis import FileTimes, find_time, read_times
from triton_earth.data.sources.times.steps import is_calendar_step, parse_step, require_ascending
from triton_earth.data.sources.values.soundness import require_sound
from triton_earth.data.sources.values.stored_values import converted

logger = logging.getLogger("triton_earth")


@dataclass(frozen=True)
class FileFields:
    """The fields of one variable in one file.

    Attributes:
        source: Name of the file.
        dataset: The file.
        dimension: Its dimension of time; None where it has none.
        told: What the file says of its times, None where it has none.
        latitude: Their rows, south to north.
        longitude: Their columns, west to east.
        mesh: Their cells where these lie on a curvilinear grid, else None.
        nominal: By how many degrees axes of one dimension beside it are off, or None.
    """

    source: str
    dataset: xr.Dataset
    dimension: str | None
    told: FileTimes | None
    latitude: Axis
    longitude: Axis
    mesh: Mesh | None = None
    nominal: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along (y, x)."""
        return self.latitude.order.size, self.longitude.order.size

    @property
    def times(self) -> np.ndarray:
        """Stamps of the fields; empty where the file has none."""
        return np.array([], dtype="datetime64[ns]") if self.told is None else self.told.stamps

    @property
    def grid(self) -> LatLonGrid:
        """Cells of the fields."""
        return LatLonGrid(tuple(self.latitude.values), tuple(self.longitude.values))

    def in_few_cells(self, cells: int) -> "FileFields":
        """Return the fields in a part of their rows, in the middle, that has about so many cells."""
        rows = max(1, cells // self.longitude.order.size)
        first = max(0, (self.latitude.order.size - rows) // 2)
        some = slice(first, first + rows)
        latitude = self.latitude
        return replace(
            self,
            latitude=replace(latitude, order=latitude.order[some], values=latitude.values[some]),
        )

    def read(
        self,
        channels: Channels,
        steps: slice | None,
        allowed: Collection[str],
        dtype: DTypeLike = np.float64,
    ) -> Float[np.ndarray, "time channel y x"]:
        """Read some times, or the fields of a variable without time, and refuse what cannot be right.

        Args:
            channels: The variable.
            steps: Which times; None for a variable without.
            allowed: Channels whose values may look wrong.
            dtype: Precision of the result; checks are of double precision.

        Raises:
            UserError: if the file is damaged.
            UnsoundDataError: if a value cannot be right.
        """
        along = None if self.dimension is None or steps is None else {self.dimension: steps}
        axes = (self.latitude, self.longitude)
        stored = channels.read_stored(self.dataset, along, *axes, self.source)
        when = self.times[:0] if steps is None else self.times[steps]
        require_sound(stored, channels, self.source, when, axes, allowed)
        layout = channels.layouts[self.source]
        return converted(stored, layout.scale, layout.offset, dtype)


@dataclass(frozen=True)
class _FoundMesh:
    """The part of a mesh that is taken, and its rows and columns in the file."""

    cells: Mesh
    axes: tuple[Axis, Axis]


@dataclass
class FileReader:
    """Finds times and places of variables in files; what several variables share is read once.

    Attributes:
        data: What the recipe says.
    """

    data: GriddedData
    _times: dict[tuple[str, str], FileTimes] = field(default_factory=dict)
    _axes: dict[tuple[str, str, tuple[str, ...]], Axis] = field(default_factory=dict)
    _meshes: dict[tuple[str, tuple[str, ...], str], tuple[_FoundMesh | None, float | None]] = field(
        default_factory=dict
    )

    def fields(self, source: str, dataset: xr.Dataset, name: str, *, has_time: bool) -> FileFields:
        """Find when and where the fields of a variable are.

        Raises:
            UserError: if that cannot be told, or times do not ascend.
        """
        array = dataset[name]
        try:
            told = self._told(source, dataset, array) if has_time else None
            dimension = None if told is None else told.dimension
            mesh, nominal = self._mesh(source, dataset, array)
            if mesh is not None:
                rows, columns = mesh.axes
                return FileFields(
                    source, dataset, dimension, told, rows, columns, mesh.cells, nominal
                )
            return FileFields(
                source,
                dataset,
                dimension,
                told,
                self._axis(latitude_axis, source, dataset, array),
                self._axis(longitude_axis, source, dataset, array),
            )
        except UserError:
            raise
        except READ_ERRORS as error:
            raise UserError(
                f"{source}: its coordinates cannot be read ({first_line(error)}). The file is damaged; fetch it again."
            ) from error

    def _told(self, source: str, dataset: xr.Dataset, array: xr.DataArray) -> FileTimes | None:
        name = find_time(dataset, array.dims)
        if name is None:
            return None
        if (source, name) not in self._times:
            step = None if self.data.step is None else parse_step(self.data.step)
            along_calendar = step is not None and is_calendar_step(step)
            told = read_times(dataset, name, source, months=along_calendar)
            if along_calendar and np.any(np.diff(told.stamps) == np.timedelta64(0)):
                # Days of a calendar that has others than ours are no months.
                told = read_times(dataset, name, source)
            require_ascending(told.stamps, source)
            self._times[source, name] = told
        return self._times[source, name]

    def _mesh(
        self, source: str, dataset: xr.Dataset, array: xr.DataArray
    ) -> tuple[_FoundMesh | None, float | None]:
        """Return the curvilinear cells of a variable; those of another file if they are the same."""
        key = (source, tuple(map(str, array.dims)), str(array.encoding.get("coordinates")))
        if key not in self._meshes:
            found = find_mesh(dataset, array, source, self.data.region)
            if found is None:
                self._meshes[key] = (None, None)
            else:
                mesh, nominal = found
                parts = window(mesh, None if self.data.grid is None else self.data.region)
                numbers = [np.arange(part.start, part.stop) for part in parts]
                rows, columns = (
                    Axis(name, one, one.astype(np.float64), is_angle=False)
                    for name, one in zip(mesh_dimensions(dataset, mesh), numbers, strict=True)
                )
                cells = part_of(mesh, *parts)
                known = [one.cells for one, _ in self._meshes.values() if one is not None]
                cells = next((one for one in known if one.is_like(cells)), cells)
                self._meshes[key] = (_FoundMesh(cells, (rows, columns)), nominal)
        return self._meshes[key]

    def _axis(
        self, find: Callable[..., Axis], source: str, dataset: xr.Dataset, array: xr.DataArray
    ) -> Axis:
        key = (source, find.__name__, tuple(map(str, array.dims)))
        if key not in self._axes:
            axis = find(dataset, source, self.data.region, array.dims)
            if find is latitude_axis and is_nominal(dataset, axis) and not self._axes:
                logger.warning(
                    "prepare: %s: latitudes call themselves nominal, and north of %g N they may not be the true ones; "
                    "see `triton-earth inspect`.",
                    source,
                    TRIPOLAR,
                )
            self._axes[key] = axis
        return self._axes[key]


def on_the_cells_of(first: FileFields, other: FileFields) -> FileFields:
    """Return fields that have the same cells as others, with the coordinates of these.

    Raises:
        UserError: if they have other cells.
    """
    if first.mesh is not None or other.mesh is not None:
        if first.mesh is not other.mesh:
            raise UserError(
                f"{other.source}: its cells are not those of {first.source}, of which at least one lies on a "
                "curvilinear grid. Put files of one grid into one recipe."
            )
        return other
    rows, columns = first.latitude.values, first.longitude.values
    same = rows.shape == other.latitude.values.shape and np.allclose(
        rows, other.latitude.values, atol=1e-4
    )
    if same and same_longitudes(columns, other.longitude.values):
        return other
    one, another = (
        (first.latitude, other.latitude) if not same else (first.longitude, other.longitude)
    )
    raise UserError(
        f"{other.source}: '{another.name}' is not that of {first.source} ({another.values.size} cells from "
        f"{another.values[0]:g} against {one.values.size} from {one.values[0]:g}). "
        "Put files of one grid into one recipe."
    )
