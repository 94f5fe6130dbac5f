"""What a recipe says about gridded data: where it is, which variables, which part, and what each period is for."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.derived import DerivedName
from triton_earth.data.periods import PeriodSplits


class VariableChoice(StrictConfig):
    """One variable to take from the files; a plain name stands for one with the defaults below.

    Attributes:
        name: Name in the store. A canonical name (`data/sources/names.py`) finds the file's own by itself and brings
            its units along.
        source: Name in the files, where it is neither `name` nor a known other name of it.
        levels: Levels to take, in hPa or m; each becomes a channel ``NAME_LEVEL``. None for a variable without levels.
        role: Part in the forecast.
        units: Units in the store; those of the known variable, or of the file, if not given.
        source_units: Units in the files, where these do not say or say it wrongly.
        long_name: In words.
    """

    name: str = Field(min_length=1)
    source: str | None = None
    levels: tuple[float, ...] | None = None
    role: Role = Role.PROGNOSTIC
    units: str | None = None
    source_units: str | None = None
    long_name: str | None = None


def _from_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Region(StrictConfig):
    """A part of the globe; both ends belong to it.

    Attributes:
        latitude: (south, north) in degrees north.
        longitude: (west, east) in degrees east; west may be larger than east, across the meridian where the files'
            longitudes start again.
    """

    latitude: tuple[float, float] = (-90.0, 90.0)
    longitude: tuple[float, float] | None = None

    @pydantic.model_validator(mode="after")
    def _south_before_north(self) -> "Region":
        south, north = self.latitude
        if not south < north:
            raise UserError(
                f"latitude is (south, north); found south {south:g}, north {north:g}. Exchange them."
            )
        return self


class ChannelArray(StrictConfig):
    """How to read files that hold all channels in one nameless array [time, channel, y, x].

    Attributes:
        name: The array, for example ``fields``.
        channels: What each channel is called, in order.
        latitude: (first, last) cell centre in degrees north, in the order of the files.
        longitude: (first, last) cell centre in degrees east.
        start: Time of the first field of the first file, for example ``1993-01-01``.
        step_hours: Hours between fields.
    """

    name: str
    channels: tuple[str, ...]
    latitude: tuple[float, float]
    longitude: tuple[float, float]
    start: Annotated[str, pydantic.BeforeValidator(str)]
    step_hours: float = Field(gt=0)


class ConservativeGrid(StrictConfig):
    """A global grid of equal angles that the fields are averaged onto, weighted with cell areas.

    Attributes:
        latitudes: Cells from pole to pole.
        longitudes: Cells around a circle of latitude; the first centre is at 0.
    """

    latitudes: int = Field(ge=2)
    longitudes: int = Field(ge=4)


class GriddedData(StrictConfig):
    """A training store made of gridded files.

    Attributes:
        kind: Tag by which a recipe says that its data is of this class.
        path: NetCDF file, several of them, a pattern such as ``era5/*.nc``, a Zarr folder or address, or
            ``shipped:NAME`` for data that comes with the package.
        variables: What to take.
        derive: Forcings to compute from time and place.
        splits: Which periods are for training, validation and test.
        gap: Unused times between two splits; a window of the recipe's model if not given, and never less.
        step: Distance between the times taken: ``6 h``, ``1 d``, or ``month`` for calendar months; that of the files if
            not given.
        region: Part of the globe; all of it if not given.
        grid: Coarser grid to average onto; that of the files if not given.
        array: How to read files without names; None for files that describe themselves.
        holes: What to do about cells that lack a value at some times only: ``refuse`` them, naming the first, or
            ``mask`` them at all times, which reads the files twice.
        missing_chunks: What to do about chunks of a local Zarr array that were never written: ``refuse`` them, or take
            the array's fill value (``fill``), which is right where a writer leaves out chunks that hold nothing else.
        storage_options: Options for remote storage, for example ``{token: anon}``.
        memory_mb: Largest amount of memory for fields that are being prepared.
    """

    kind: Literal["gridded"]
    path: str | tuple[str, ...]
    variables: tuple[Annotated[VariableChoice, pydantic.BeforeValidator(_from_name)], ...] = Field(
        min_length=1
    )
    derive: tuple[DerivedName, ...] = ()
    splits: PeriodSplits
    gap: int | None = Field(default=None, ge=0)
    step: str | None = None
    region: Region | None = None
    grid: ConservativeGrid | None = None
    array: ChannelArray | None = None
    holes: Literal["refuse", "mask"] = "refuse"
    missing_chunks: Literal["refuse", "fill"] = "refuse"
    storage_options: dict[str, Any] = Field(default_factory=dict)
    memory_mb: float = Field(default=512.0, gt=0)
