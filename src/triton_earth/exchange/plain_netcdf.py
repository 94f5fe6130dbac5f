"""Plain NetCDF: one file for each start, with its valid times, on any grid."""

from pathlib import Path

import netCDF4
import numpy as np

from triton_earth.core.grid import Grid
from triton_earth.core.standard_names import (
    CONVENTIONS,
    INIT_TIME,
    LEAD_TIME,
    MEMBER,
    VALID_TIME,
    axis_attributes,
    variable_attributes,
)
from triton_earth.exchange.exported import Exported

SECONDS = "seconds since 1970-01-01"


class PlainNetCDF:
    """Variables as [(number,) lead_time, y, x], each level a variable of its own."""

    name = "netcdf"

    def check(self, exported: Exported) -> None:
        """Take every forecast."""

    def create(self, folder: Path, exported: Exported) -> None:
        """Write nothing: every start is a file."""

    def write(self, folder: Path, exported: Exported, init: int) -> list[Path]:
        """Write the file of one initial condition under a temporary name, rename it, and return it."""
        path = folder / f"{file_name(exported, init)}.nc"
        temporary = path.with_name(f".{path.name}.tmp")
        forecast, members = exported.forecast, exported.members
        with netCDF4.Dataset(temporary, "w") as file:
            file.Conventions = CONVENTIONS
            file.title = f"forecast of {forecast.provenance.get('model', 'a model')}"
            dimensions = ["lead_time", *exported.grid.axes]
            file.createDimension("lead_time", len(exported.lead_times))
            write_axes(file, exported.grid)
            if members > 1:
                dimensions.insert(0, "number")
                file.createDimension("number", members)
                _variable(file, "number", "i4", ("number",), MEMBER)[:] = np.arange(members)
            write_times(file, exported, init)
            arrays = [
                _variable(
                    file,
                    variable.name,
                    "f4",
                    tuple(dimensions),
                    {
                        **variable_attributes(variable, exported.grid),
                        "coordinates": "valid_time init_time",
                    },
                    fill=np.float32(np.nan),
                )
                for variable in forecast.variables
            ]
            for lead, fields in enumerate(exported.leads_of(init)):
                for channel, array in enumerate(arrays):
                    if members > 1:
                        array[:, lead] = fields[:, channel]
                    else:
                        array[lead] = fields[0, channel]
        temporary.rename(path)
        return [path]

    def finish(self, folder: Path, exported: Exported) -> None:
        """Write nothing more."""


def file_name(exported: Exported, init: int) -> str:
    """Return the name of the file of one initial condition: its time, or its number and time without a calendar."""
    time, trajectory = exported.forecast.init_times[init], int(exported.forecast.trajectories[init])
    if isinstance(time, np.datetime64):
        stamp = str(time.astype("datetime64[m]")).replace(":", "").replace("-", "")
        same = np.asarray(exported.forecast.init_times) == time
        return f"forecast_{stamp}" + (f"_{trajectory:04d}" if same.sum() > 1 else "")
    return f"forecast_{trajectory:04d}_{float(time):g}"


def write_axes(file: netCDF4.Dataset, grid: Grid) -> None:
    """Write the two axes of a grid."""
    for (name, attributes), values in zip(
        axis_attributes(grid).items(), (grid.y, grid.x), strict=True
    ):
        file.createDimension(name, len(values))
        _variable(file, name, "f8", (name,), attributes)[:] = values


def write_times(file: netCDF4.Dataset, exported: Exported, init: int) -> None:
    """Write initial time, lead times and valid times; without a calendar as numbers."""
    start, leads = exported.forecast.init_times[init], np.asarray(exported.lead_times)
    if isinstance(start, np.datetime64):
        second = np.timedelta64(1, "s")
        epoch = np.datetime64("1970-01-01", "ns")
        numbers = {
            "init_time": ((start - epoch) / second, {**INIT_TIME, "units": SECONDS}),
            # By this type newer versions of xarray tell a length of time from a number.
            "lead_time": (
                leads / second,
                {**LEAD_TIME, "units": "seconds", "dtype": "timedelta64[ns]"},
            ),
            "valid_time": ((start + leads - epoch) / second, {**VALID_TIME, "units": SECONDS}),
        }
        kind = "i8"
    else:
        numbers = {
            "init_time": (start, {**INIT_TIME, "units": "1"}),
            "lead_time": (leads, {**LEAD_TIME, "units": "1"}),
            "valid_time": (start + leads, {"long_name": "valid time", "units": "1"}),
        }
        kind = "f8"
    for name, (values, attributes) in numbers.items():
        calendar = {"calendar": "standard"} if attributes["units"] == SECONDS else {}
        dimensions = () if name == "init_time" else ("lead_time",)
        _variable(file, name, kind, dimensions, {**attributes, **calendar})[...] = np.asarray(
            values
        )


def _variable(
    file: netCDF4.Dataset,
    name: str,
    kind: str,
    dimensions: tuple[str, ...],
    attributes: dict[str, str],
    fill: np.float32 | None = None,
) -> netCDF4.Variable:
    packed = len(dimensions) > 1
    made = file.createVariable(
        name, kind, dimensions, fill_value=fill, zlib=packed, complevel=1, shuffle=packed
    )
    made.setncatts(attributes)
    return made
