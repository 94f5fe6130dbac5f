"""What a recipe says about gridded data: where it is, which variables, which part, and what each period is for."""

from typing import Annotated, Any, Literal, get_args

import pydantic
from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role
from triton_earth.data.preparation.periods import PeriodSplits
from triton_earth.data.sources.times.axis import Stamp
from triton_earth.data.sources.times.cell_methods import Aggregation
from triton_earth.data.sources.values.derived import DerivedName
from triton_earth.data.store.writer import Compression

ComputedName = Literal[
    "wind_speed", "vorticity", "geostrophic_eastward", "geostrophic_northward", "anomaly"
]


class VariableChoice(StrictConfig):
    """One variable to take from the files; a plain name stands for one with the defaults below.

    Attributes:
        name: Name in the store. A canonical name (`data/sources/known_variables.py`) finds the file's own by itself and
            brings its units along.
        source: Name in the files, where it is neither `name` nor a known other name of it.
        levels: Levels to take, in hPa or m; each becomes a channel ``NAME_LEVEL``. None for a variable without levels.
        role: Part in the forecast.
        units: Units in the store; those of the known variable, or of the file, if not given.
        source_units: Units in the files, where these do not say or say it wrongly.
        long_name: In words.
        fill: Value, in the units of the store, that stands where the file has none at some times only; with
            `data.holes` being ``fill``. None for a variable whose holes are refused.
        keep: Whether it goes into the store; others are only there for `data.derive` to compute from.
        aggregate: What becomes of it where `data.step` is longer than the step of the files: the ``sum``, ``mean``,
            ``maximum`` or ``minimum`` over the longer step, or a ``sample`` of its moment; what the file says if not
            given.
    """

    name: str = Field(min_length=1)
    source: str | None = None
    levels: tuple[float, ...] | None = None
    role: Role = Role.PROGNOSTIC
    units: str | None = None
    source_units: str | None = None
    long_name: str | None = None
    fill: float | None = None
    keep: bool = True
    aggregate: Aggregation | None = None


def _from_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _from_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class DerivedChoice(StrictConfig):
    """A variable to derive; a plain name stands for one that follows from time and place alone.

    Attributes:
        kind: One of `DerivedName`, which follow from time and place; or ``wind_speed`` √(u² + v²) or ``vorticity``
            ∂v/∂x − ∂u/∂y of two components, eastward first; ``geostrophic_eastward`` or ``geostrophic_northward``
            current of a sea surface height; or ``anomaly`` from the day-of-year climatology of the training period.
        of: What it is computed of: names in `data.variables`, with the level where they have one (``temperature_850``),
            or of earlier entries.
        name: Name in the store, without the level; one that says what it is, if not given.
        role: Part in the forecast; prognostic if not given.
    """

    kind: Literal[DerivedName, ComputedName]
    of: Annotated[tuple[str, ...], pydantic.BeforeValidator(_as_list)] = ()
    name: str | None = None
    role: Role | None = None

    @pydantic.model_validator(mode="after")
    def _complete(self) -> "DerivedChoice":
        if self.is_computed:
            needed = 2 if self.kind in ("wind_speed", "vorticity") else 1
            if len(self.of) != needed:
                raise UserError(
                    f"{self.kind} is computed of {needed} variable{'s' * (needed > 1)}; found {list(self.of)}. "
                    "Correct `of`."
                )
        elif self.of or self.name or self.role:
            raise UserError(f"{self.kind} has its own name and role. Leave out all but its kind.")
        return self

    @property
    def is_computed(self) -> bool:
        """Whether it is computed of other variables."""
        return self.kind in get_args(ComputedName)


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


class NamedChannel(StrictConfig):
    """One channel of a nameless array, or as many as there are levels; a plain name stands for one.

    Attributes:
        name: What to call it in `data.variables`.
        levels: Levels in hPa or m, one for each channel, in the order of the array.
        units: Its units; ``1`` if it has been normalised.
    """

    name: str = Field(min_length=1)
    levels: tuple[float, ...] | None = None
    units: str | None = None


class ChannelArray(StrictConfig):
    """How to read files that hold all channels in one nameless array [time, channel, y, x].

    Attributes:
        name: The array, for example ``fields``.
        channels: What the channels are, in order.
        latitude: (first, last) cell centre in degrees north, in the order of the files.
        longitude: (first, last) cell centre in degrees east.
        start: Time of the first field of the first file, for example ``1993-01-01``, each file going on where the one
            before ends; or ``{year}-01-01`` with the year that is in each file's name.
        step_hours: Hours between fields.
    """

    name: str
    channels: tuple[Annotated[NamedChannel, pydantic.BeforeValidator(_from_name)], ...]
    latitude: tuple[float, float]
    longitude: tuple[float, float]
    start: Annotated[str, pydantic.BeforeValidator(str)]
    step_hours: float = Field(gt=0)

    @pydantic.model_validator(mode="after")
    def _same_levels(self) -> "ChannelArray":
        kinds = {channel.levels for channel in self.channels} - {None}
        if len(kinds) > 1:
            raise UserError(
                f"channels: all variables with levels need the same ones; found {len(kinds)} different lists. Name the "
                "channels of the others one by one."
            )
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the variables that have some."""
        return next((one.levels for one in self.channels if one.levels is not None), ())


class TargetGrid(StrictConfig):
    """A grid of equal angles that the fields are put onto.

    It covers the region, or else the area of the files; around a whole circle of latitude the first centre is at 0.

    Curvilinear grids (NEMO, MOM, ROMS, WRF, rotated poles) need one.

    Attributes:
        latitudes: Rows.
        longitudes: Columns.
        method: ``conservative`` averages with cell areas, onto a coarser grid, or ``bilinear`` interpolation.
    """

    latitudes: int = Field(ge=2)
    longitudes: int = Field(ge=4)
    method: Literal["conservative", "bilinear"] = "conservative"


class GriddedData(StrictConfig):
    """A training store made of gridded files.

    Attributes:
        kind: Tag by which a recipe says that its data is of this class.
        path: NetCDF or GRIB file, several of them, a pattern such as ``era5/*.nc``, a Zarr folder or address, or
            ``shipped:NAME`` for data that comes with the package, or ``jcm:DAYS`` for weather that is simulated.
        group: Group in the files, or several, each with variables on the same cells; if not given the outermost, or
            the only one that has fields.
        variables: What to take.
        derive: What to compute: forcings that follow from time and place, by name, and variables from other variables.
        splits: Which periods are for training, validation and test.
        gap: Unused times between two splits; a window of the recipe's model if not given, and never less.
        step: Distance between the times of the store: ``6 h``, ``1 d``, or ``month`` or ``year`` of the calendar; that
            of the files if not given. Onto a longer one accumulations are summed, means averaged, momentary values
            sampled (`VariableChoice.aggregate`).
        stamps: Where in its day, month or step the time of a mean or sum lies: at its ``start``, ``middle`` or ``end``;
            the bounds in the files say it if not given.
        region: Part of the globe; all of it if not given.
        grid: Grid to put the fields onto; that of the files if not given.
        weights: NetCDF file with weights of ESMF, SCRIP or CDO from the curvilinear grid of the files onto latitudes
            times longitudes, in place of those that `grid` asks for; it then says the grid.
        rotate: Pairs of variables that are components of a vector along the rows and columns of a curvilinear grid and
            are turned to east and north; if not given, those whose standard names say so.
        array: How to read files without names; None for files that describe themselves.
        holes: What to do about cells that lack a value at some times only: ``refuse`` them, naming the first; ``mask``
            them at all times; or ``fill`` them with what their variable says (`fill`), where absence means a value, as
            for ice. The last two read the files twice.
        gaps: What to do about times that the files lack within a period: ``refuse`` them, naming the first, or
            ``split`` the period there; windows then do not cross them. Outside all periods they may be missing.
        allow_implausible: Variables whose values may look like fill values, or lie outside what is possible on Earth;
            all others are refused then.
        missing_chunks: What to do about chunks of a local Zarr array that were never written: ``refuse`` them, or take
            the array's fill value (``fill``), which is right where a writer leaves out chunks that hold nothing else.
        storage_options: Options for remote storage, for example ``{token: anon}``.
        memory_mb: Largest amount of memory for fields that are being prepared.
        compression: How the store's fields are packed, ``none`` or ``lz4``.
    """

    kind: Literal["gridded"]
    path: str | tuple[str, ...]
    group: Annotated[tuple[str, ...], pydantic.BeforeValidator(_as_list)] = ()
    variables: tuple[Annotated[VariableChoice, pydantic.BeforeValidator(_from_name)], ...] = Field(
        min_length=1
    )
    derive: tuple[Annotated[DerivedChoice, pydantic.BeforeValidator(_from_kind)], ...] = ()
    splits: PeriodSplits
    gap: int | None = Field(default=None, ge=0)
    step: str | None = None
    stamps: Stamp | None = None
    region: Region | None = None
    grid: TargetGrid | None = None
    weights: str | None = None
    rotate: tuple[tuple[str, str], ...] | None = None
    array: ChannelArray | None = None
    holes: Literal["refuse", "mask", "fill"] = "refuse"
    gaps: Literal["refuse", "split"] = "refuse"
    allow_implausible: tuple[str, ...] = ()
    missing_chunks: Literal["refuse", "fill"] = "refuse"
    storage_options: dict[str, Any] = Field(default_factory=dict)
    memory_mb: float = Field(default=512.0, gt=0)
    compression: Compression = "none"

    @pydantic.model_validator(mode="after")
    def _weights_say_where(self) -> "GriddedData":
        if self.weights is not None and self.region is not None:
            raise UserError(
                "data.weights says where the cells of the store lie, and so does data.region. Leave out one of them."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _fill_and_its_value(self) -> "GriddedData":
        filled = [choice.name for choice in self.variables if choice.fill is not None]
        if self.holes == "fill" and not filled:
            raise UserError(
                "holes is 'fill', but no variable says what stands for an absent value. Say it: "
                f"variables: [{{name: {self.variables[0].name}, fill: VALUE}}]."
            )
        if self.holes != "fill" and filled:
            raise UserError(
                f"variables: '{filled[0]}' has `fill`, but holes is '{self.holes}'. Say `holes: fill`, or leave it out."
            )
        return self
