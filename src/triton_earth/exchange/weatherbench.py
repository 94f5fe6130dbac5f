"""The layout of WeatherBench 2 and X: one Zarr with time, prediction_timedelta, number, level, latitude, longitude.

Source: documentation of WeatherBench 2, "Data guide". Format 2 of Zarr, which its tools read in every version.
"""

from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

from triton_earth.core.errors import UserError
from triton_earth.core.standard_names import (
    CONVENTIONS,
    INIT_TIME,
    LEAD_TIME,
    MEMBER,
    axis_attributes,
    variable_attributes,
)
from triton_earth.data.store.groups import beside_other_files
from triton_earth.exchange.exported import (
    Exported,
    Field,
    array_of,
    chunk_files,
    shared_levels,
)


class WeatherBench:
    """Fields as [time, prediction_timedelta, (number,) (level,) latitude, longitude]; `time` is the initial time."""

    name = "weatherbench"

    def check(self, exported: Exported) -> None:
        """Refuse boxes, model times, and variables with other levels than the first.

        Raises:
            UserError: saying which.
        """
        exported.require_globe(self.name)
        exported.require_calendar(self.name)
        levels = shared_levels(exported.fields)
        for field in exported.fields:
            if field.levels and field.levels != levels:
                raise UserError(
                    f"--layout {self.name}: all variables share one list of levels; '{field.name}' has "
                    f"{list(field.levels)}, others {list(levels)}. Forecast the same levels of each, or choose "
                    "--layout netcdf."
                )

    def create(self, folder: Path, exported: Exported) -> None:
        """Write coordinates and empty arrays."""
        grid = exported.require_globe(self.name)
        levels = shared_levels(exported.fields)
        axes = axis_attributes(grid)
        coordinates = {
            "time": ("time", exported.forecast.init_times, INIT_TIME),
            "prediction_timedelta": ("prediction_timedelta", exported.lead_times, LEAD_TIME),
            "latitude": ("latitude", grid.y, axes["latitude"]),
            "longitude": ("longitude", grid.x, axes["longitude"]),
        }
        if exported.members > 1:
            coordinates["number"] = ("number", np.arange(exported.members), MEMBER)
        if levels:
            words = {"long_name": "level", "units": _level_units(exported.fields)}
            coordinates["level"] = ("level", _whole(levels), words)
        encoding = {
            "time": {"units": "hours since 1970-01-01", "dtype": "int64"},
            "prediction_timedelta": {"units": "hours", "dtype": "int64"},
        }
        leads = np.asarray(exported.lead_times) / np.timedelta64(1, "h")
        if not np.all(leads == np.rint(leads)):
            encoding["prediction_timedelta"]["units"] = "seconds"
        attributes = {"Conventions": CONVENTIONS, "layout": self.name}
        with beside_other_files():
            xr.Dataset(coords=coordinates, attrs=attributes).to_zarr(
                LocalStore(folder), mode="a", zarr_format=2, consolidated=False, encoding=encoding
            )
        group = zarr.open_group(LocalStore(folder), mode="r+", zarr_format=2)
        for field in exported.fields:
            names, shape, chunks = self._shape(exported, field)
            array = group.create_array(
                field.name,
                shape=shape,
                chunks=chunks,
                dtype="float32",
                fill_value=float("nan"),
                overwrite=True,
            )
            words = variable_attributes(field.variable, grid)
            if field.levels:
                words["long_name"] = field.name.replace("_", " ")
            array.attrs.update({"_ARRAY_DIMENSIONS": names, **words})

    def write(self, folder: Path, exported: Exported, init: int) -> list[Path]:
        """Write the fields of one initial condition and return the files."""
        group = zarr.open_group(LocalStore(folder), mode="r+", zarr_format=2)
        arrays = [(field, array_of(group, field.name)) for field in exported.fields]
        for lead, members in enumerate(exported.leads_of(init)):
            for field, array in arrays:
                values = members[:, list(field.channels)]
                if not field.levels:
                    values = values[:, 0]
                if exported.members == 1:
                    values = values[0]
                array[init, lead] = values
        return [path for _, array in arrays for path in chunk_files(folder, array, init)]

    def finish(self, folder: Path, exported: Exported) -> None:
        """Consolidate the metadata."""
        with beside_other_files():
            zarr.consolidate_metadata(LocalStore(folder), zarr_format=2)

    def _shape(
        self, exported: Exported, field: Field
    ) -> tuple[list[str], tuple[int, ...], tuple[int, ...]]:
        """Return names, sizes and chunks: one lead and the whole map in a chunk."""
        names, shape = ["time", "prediction_timedelta"], [exported.inits, len(exported.lead_times)]
        chunks = [1, 1]
        for name, size in (
            ("number", exported.members if exported.members > 1 else 0),
            ("level", len(field.levels)),
            ("latitude", exported.grid.shape[0]),
            ("longitude", exported.grid.shape[1]),
        ):
            if size:
                names.append(name)
                shape.append(size)
                chunks.append(1 if name == "number" else size)
        return names, tuple(shape), tuple(chunks)


def _level_units(fields: list[Field]) -> str:
    depth = any("sea_water" in field.name or field.name == "salinity" for field in fields)
    return "m" if depth else "hPa"


def _whole(levels: tuple[float, ...]) -> np.ndarray:
    values = np.array(levels)
    return values.astype(np.int64) if np.all(values == np.rint(values)) else values
