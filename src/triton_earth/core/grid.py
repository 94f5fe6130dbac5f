"""Grids: coordinates, cell areas and the padding rule of each axis."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from triton_earth.core.errors import UserError

Padding = Literal["zero", "periodic"]


@runtime_checkable
class Grid(Protocol):
    """What every grid can tell: its shape, coordinates, cell areas and padding rule."""

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along (y, x)."""
        ...

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the two axes in files, (y, x)."""
        ...

    @property
    def y(self) -> Float64[np.ndarray, " y"]:
        """Cell coordinates along the first axis."""
        ...

    @property
    def x(self) -> Float64[np.ndarray, " x"]:
        """Cell coordinates along the second axis."""
        ...

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """How a convolution continues the field beyond the sides along (y, x)."""
        ...

    @property
    def cell_area_weights(self) -> Float64[np.ndarray, "y x"]:
        """Cell areas divided by their mean."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON that `grid_from_dict` reads back."""
        ...


@dataclass(frozen=True)
class _EqualCells:
    """Rectangle of equal cells.

    Attributes:
        ny: Cells along y.
        nx: Cells along x.
        length_y: Side along y, in units of length (2π for the turbulence experiments).
        length_x: Side along x.
    """

    kind: ClassVar[str]

    ny: int
    nx: int
    length_y: float = 2 * math.pi
    length_x: float = 2 * math.pi

    def __post_init__(self) -> None:
        if self.ny < 1 or self.nx < 1:
            raise ValueError(
                f"a grid needs at least one cell each way; found {self.ny} x {self.nx}."
            )
        if not (self.length_y > 0 and self.length_x > 0):
            raise ValueError(
                f"box sides must be positive; found {self.length_y} and {self.length_x}."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along (y, x)."""
        return self.ny, self.nx

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the two axes in files."""
        return "y", "x"

    @property
    def cell_area_weights(self) -> Float64[np.ndarray, "y x"]:
        """Ones: all cells are equal."""
        return np.ones(self.shape)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"kind": self.kind, **asdict(self)}

    def __str__(self) -> str:
        return f"{self.kind} box {self.ny} x {self.nx}, sides {self.length_y:.4g} x {self.length_x:.4g}"


@dataclass(frozen=True)
class PeriodicGrid(_EqualCells):
    """Doubly periodic box of equal cells; its first points lie at 0.

    Example:
        box = triton_earth.PeriodicGrid(64, 64)  # sides of 2π
        box.shape, box.axes
    """

    kind = "periodic"

    @property
    def y(self) -> Float64[np.ndarray, " y"]:
        """Coordinates j Δy, j = 0 … ny − 1."""
        return np.arange(self.ny) * (self.length_y / self.ny)

    @property
    def x(self) -> Float64[np.ndarray, " x"]:
        """Coordinates i Δx, i = 0 … nx − 1."""
        return np.arange(self.nx) * (self.length_x / self.nx)

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """Periodic both ways."""
        return "periodic", "periodic"


@dataclass(frozen=True)
class ClosedGrid(_EqualCells):
    """Box of equal cells between four walls; its first points lie half a cell from them."""

    kind = "closed"

    @property
    def y(self) -> Float64[np.ndarray, " y"]:
        """Cell centres (j + ½) Δy, j = 0 … ny − 1."""
        return (np.arange(self.ny) + 0.5) * (self.length_y / self.ny)

    @property
    def x(self) -> Float64[np.ndarray, " x"]:
        """Cell centres (i + ½) Δx, i = 0 … nx − 1."""
        return (np.arange(self.nx) + 0.5) * (self.length_x / self.nx)

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """Zero at the walls."""
        return "zero", "zero"


@dataclass(frozen=True, init=False, eq=False)
class LatLonGrid:
    """Latitude-longitude grid, global (periodic in longitude) or regional.

    Attributes:
        latitude: Cell centres in degrees north, ascending; an array that nobody can write to.
        longitude: Cell centres in degrees east, ascending; the same.

    Example:
        grid = triton_earth.LatLonGrid((-60.0, 0.0, 60.0), (0.0, 90.0, 180.0, 270.0))
        grid.is_global_in_longitude, grid.cell_area_weights.shape
        xr.Dataset(coords={"latitude": grid.latitude, "longitude": grid.longitude})
    """

    latitude: Float64[np.ndarray, " y"]
    longitude: Float64[np.ndarray, " x"]

    def __init__(self, latitude: Iterable[float], longitude: Iterable[float]) -> None:
        for name, given in (("latitude", latitude), ("longitude", longitude)):
            values = np.array(list(given), np.float64) + 0.0  # a zero without a sign
            values.setflags(write=False)
            object.__setattr__(self, name, values)
            if len(values) < 2 or not np.all(np.diff(values) > 0):
                raise ValueError(
                    f"{name} must ascend and hold at least two values; found {_ends(values)}. "
                    "Sort the data first (xarray: ds.sortby)."
                )
        if self.latitude[0] < -90 or self.latitude[-1] > 90:
            raise ValueError(f"latitude must lie within -90..90; found {_ends(self.latitude)}.")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LatLonGrid)
            and np.array_equal(self.latitude, other.latitude)
            and np.array_equal(self.longitude, other.longitude)
        )

    def __hash__(self) -> int:
        return hash((self.latitude.tobytes(), self.longitude.tobytes()))

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along (latitude, longitude)."""
        return len(self.latitude), len(self.longitude)

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the two axes in files."""
        return "latitude", "longitude"

    @property
    def y(self) -> Float64[np.ndarray, " y"]:
        """Latitude, degrees north."""
        return self.latitude.copy()

    @property
    def x(self) -> Float64[np.ndarray, " x"]:
        """Longitude, degrees east."""
        return self.longitude.copy()

    @property
    def is_global_in_longitude(self) -> bool:
        """Whether the last cell's eastern neighbour is the first cell."""
        longitude = self.x
        step = float(np.median(np.diff(longitude)))
        return bool(abs(longitude[-1] - longitude[0] + step - 360.0) < 0.01 * step)

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """Zero at the poles or the regional border, periodic in longitude where the grid is global."""
        return "zero", "periodic" if self.is_global_in_longitude else "zero"

    @property
    def cell_area_weights(self) -> Float64[np.ndarray, "y x"]:
        """Weights w ∝ sin φ_north − sin φ_south of each cell, mean 1.

        Cell borders lie half-way between centres; the outermost are as far out as the next inner ones, but not beyond
        the poles.
        """
        latitude = self.y
        inner = 0.5 * (latitude[1:] + latitude[:-1])
        south = max(-90.0, latitude[0] - (inner[0] - latitude[0]))
        north = min(90.0, latitude[-1] + (latitude[-1] - inner[-1]))
        borders = np.sin(np.deg2rad(np.concatenate([[south], inner, [north]])))
        return _over_longitude(np.diff(borders), self.shape[1])

    @property
    def cos_latitude_weights(self) -> Float64[np.ndarray, "y x"]:
        """Weights w ∝ cos φ of each cell centre, mean 1."""
        return _over_longitude(np.cos(np.deg2rad(self.y)), self.shape[1])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": "latlon",
            "latitude": self.latitude.tolist(),
            "longitude": self.longitude.tolist(),
        }

    def __str__(self) -> str:
        return (
            f"latitude-longitude {self.shape[0]} x {self.shape[1]}, "
            f"latitude {_ends(self.latitude)}, longitude {_ends(self.longitude)}"
        )


def grid_from_dict(values: Mapping[str, Any]) -> PeriodicGrid | ClosedGrid | LatLonGrid:
    """Read back what a grid's `to_dict` gave.

    Raises:
        UserError: if the kind of grid is unknown.
    """
    arguments = dict(values)
    kind = arguments.pop("kind", None)
    if kind == "latlon":
        return LatLonGrid(**arguments)
    for boxes in (PeriodicGrid, ClosedGrid):
        if kind == boxes.kind:
            return boxes(**arguments)
    raise UserError(f"unknown kind of grid {kind!r}; known are 'closed', 'latlon' and 'periodic'.")


def box_of(attributes: Mapping[Any, Any]) -> dict[str, Any] | None:
    """Return the box of the attributes ``grid_kind``, …, for `grid_from_dict`; None where there is none."""
    told = {
        str(key).removeprefix("grid_"): value.item() if isinstance(value, np.generic) else value
        for key, value in attributes.items()
        if str(key).startswith("grid_") and str(key) != "grid_mapping"
    }
    return told if "kind" in told else None


def _over_longitude(weights: np.ndarray, columns: int) -> Float64[np.ndarray, "y x"]:
    return np.repeat((weights / weights.mean())[:, None], columns, axis=1)


def _ends(values: Float64[np.ndarray, " cell"]) -> str:
    return f"{values[0]:g}..{values[-1]:g}" if values.size else "nothing"
