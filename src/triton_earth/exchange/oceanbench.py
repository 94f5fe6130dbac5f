"""OceanBench's challenger layout: one Zarr of forecast days by depth, and the script that opens it.

Source: OceanBench 0.6, "challenger dataset" and its evaluated variables.
"""

from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Float32
from zarr.storage import LocalStore

from triton_earth.core.errors import UserError
from triton_earth.core.standard_names import CONVENTIONS, axis_attributes
from triton_earth.exchange.exported import (
    Exported,
    Field,
    array_of,
    chunk_files,
    shared_levels,
)
from triton_earth.interop.statistics import CELSIUS

DATA = "challenger.zarr"
SCRIPT = '''"""Opens the forecasts for OceanBench: oceanbench evaluate challenger.py."""

from pathlib import Path

import xarray

challenger_dataset = xarray.open_zarr(Path(__file__).parent / "challenger.zarr")
'''

DAY = np.timedelta64(1, "D")
NAMES = {
    "sea_surface_height": ("zos", "m", "sea_surface_height_above_geoid"),
    "potential_temperature": ("thetao", "degrees_C", "sea_water_potential_temperature"),
    "salinity": ("so", "1e-3", "sea_water_salinity"),
    "eastward_sea_water_velocity": ("uo", "m s-1", "eastward_sea_water_velocity"),
    "northward_sea_water_velocity": ("vo", "m s-1", "northward_sea_water_velocity"),
}
"""What OceanBench calls the variables that it evaluates, their units and standard names."""


class OceanBench:
    """Fields as [first_day_datetime, lead_day_index, (depth,) latitude, longitude], longitudes -180 to 180.

    Day 0 of the layout is the first forecast day: it is the lead of one day after the initial time.
    """

    name = "oceanbench"

    def check(self, exported: Exported) -> None:
        """Refuse boxes, ensembles, steps other than a day, other variables, other depths than the first variable's.

        Raises:
            UserError: saying which.
        """
        exported.require_globe(self.name)
        exported.require_calendar(self.name)
        if exported.members > 1:
            raise UserError(
                f"--layout {self.name}: holds single forecasts; this one has {exported.members} members. Forecast "
                "without --members."
            )
        if exported.initial is not None:
            raise UserError(f"--layout {self.name}: has no lead 0; leave --initial out.")
        wanted = DAY * np.arange(1, len(exported.lead_times) + 1)
        if not np.array_equal(exported.lead_times, wanted):
            raise UserError(
                f"--layout {self.name}: wants every day from the first on; found the leads "
                f"{(np.asarray(exported.lead_times) / DAY).tolist()[:5]} in days. Forecast daily leads."
            )
        unknown = [field.name for field in exported.fields if field.name not in NAMES]
        if unknown:
            raise UserError(
                f"--layout {self.name}: evaluates {sorted(NAMES)}; found {unknown}. Forecast these alone "
                "(--variables)."
            )
        depths = shared_levels(exported.fields)
        for field in exported.fields:
            if field.levels and field.levels != depths:
                raise UserError(
                    f"--layout {self.name}: all variables share one list of depths; '{field.name}' has "
                    f"{list(field.levels)}, others {list(depths)}. Forecast the same depths of each."
                )

    def create(self, folder: Path, exported: Exported) -> None:
        """Write coordinates, empty arrays and the script."""
        grid = exported.require_globe(self.name)
        depths, axes = shared_levels(exported.fields), axis_attributes(grid)
        coordinates = {
            "first_day_datetime": (
                "first_day_datetime",
                np.asarray(exported.forecast.init_times) + DAY,
                {"long_name": "first forecast day"},
            ),
            "lead_day_index": (
                "lead_day_index",
                np.arange(len(exported.lead_times)),
                {"long_name": "days after the first forecast day"},
            ),
            "latitude": ("latitude", grid.y, axes["latitude"]),
            "longitude": ("longitude", _longitudes(grid.x)[0], axes["longitude"]),
        }
        if depths:
            words = {"units": "m", "positive": "down", "standard_name": "depth", "axis": "Z"}
            coordinates["depth"] = ("depth", np.array(depths), words)
        store = LocalStore(folder / DATA)
        encoding = {"first_day_datetime": {"units": "hours since 1970-01-01", "dtype": "int64"}}
        xr.Dataset(coords=coordinates, attrs={"Conventions": CONVENTIONS}).to_zarr(
            store, mode="a", zarr_format=2, consolidated=False, encoding=encoding
        )
        group = zarr.open_group(store, mode="r+", zarr_format=2)
        for field in exported.fields:
            name, units, standard = NAMES[field.name]
            names = ["first_day_datetime", "lead_day_index", "latitude", "longitude"]
            shape = [exported.inits, len(exported.lead_times), *grid.shape]
            chunks = [1, 1, *grid.shape]
            if field.levels:
                names.insert(2, "depth")
                shape.insert(2, len(depths))
                chunks.insert(2, len(depths))
            array = group.create_array(
                name,
                shape=tuple(shape),
                chunks=tuple(chunks),
                dtype="float32",
                fill_value=float("nan"),
                overwrite=True,
            )
            array.attrs.update(
                {"_ARRAY_DIMENSIONS": names, "units": units, "standard_name": standard}
            )
        (folder / "challenger.py").write_text(SCRIPT, encoding="utf-8")

    def write(self, folder: Path, exported: Exported, init: int) -> list[Path]:
        """Write the fields of one initial condition and return the files."""
        group = zarr.open_group(LocalStore(folder / DATA), mode="r+", zarr_format=2)
        order = _longitudes(exported.grid.x)[1]
        arrays = [(field, array_of(group, NAMES[field.name][0])) for field in exported.fields]
        for lead, members in enumerate(exported.leads_of(init)):
            for field, array in arrays:
                values = _in_units(field, members[0, list(field.channels)][..., order])
                array[init, lead] = values if field.levels else values[0]
        return [path for _, array in arrays for path in chunk_files(folder / DATA, array, init)]

    def finish(self, folder: Path, exported: Exported) -> None:
        """Consolidate the metadata."""
        zarr.consolidate_metadata(LocalStore(folder / DATA), zarr_format=2)


def _longitudes(longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitudes from -180 to 180, ascending, and the order that brings fields into theirs."""
    turned = np.where(longitude >= 180, longitude - 360, longitude)
    order = np.argsort(turned, kind="stable")
    return turned[order], order


def _in_units(
    field: Field, values: Float32[np.ndarray, "depth y x"]
) -> Float32[np.ndarray, "depth y x"]:
    if field.name == "potential_temperature" and field.variable.units == "K":
        return (values - np.float32(CELSIUS)).astype(np.float32)
    return values
