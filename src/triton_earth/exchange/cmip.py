"""The layout of AIMIP-1 and CMIP: one NetCDF file for each variable, start and member, along the valid time.

Source: CMIP6 data request (names, units), AIMIP-1 output specification (arXiv:2605.06944).
"""

import re
from pathlib import Path

import netCDF4
import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.standard_names import CONVENTIONS, MEMBER, axis_attributes
from triton_earth.data.sources.known_variables import STANDARD_GRAVITY
from triton_earth.exchange.exported import Exported, Field

NAMES = {
    "temperature": ("ta", "K", "air_temperature", 1.0),
    "u_component_of_wind": ("ua", "m s-1", "eastward_wind", 1.0),
    "v_component_of_wind": ("va", "m s-1", "northward_wind", 1.0),
    "specific_humidity": ("hus", "1", "specific_humidity", 1.0),
    "geopotential": ("zg", "m", "geopotential_height", 1 / STANDARD_GRAVITY),
    "2m_temperature": ("tas", "K", "air_temperature", 1.0),
    "2m_dewpoint_temperature": ("tdas", "K", "dew_point_temperature", 1.0),
    "10m_u_component_of_wind": ("uas", "m s-1", "eastward_wind", 1.0),
    "10m_v_component_of_wind": ("vas", "m s-1", "northward_wind", 1.0),
    "mean_sea_level_pressure": ("psl", "Pa", "air_pressure_at_mean_sea_level", 1.0),
    "surface_pressure": ("ps", "Pa", "surface_air_pressure", 1.0),
    "skin_temperature": ("ts", "K", "surface_temperature", 1.0),
    "precipitation_flux": ("pr", "kg m-2 s-1", "precipitation_flux", 1.0),
    "sea_surface_temperature": ("tos", "K", "sea_surface_temperature", 1.0),
    "potential_temperature": ("thetao", "K", "sea_water_potential_temperature", 1.0),
    "salinity": ("so", "1e-3", "sea_water_salinity", 1.0),
    "eastward_sea_water_velocity": ("uo", "m s-1", "eastward_sea_water_velocity", 1.0),
    "northward_sea_water_velocity": ("vo", "m s-1", "northward_sea_water_velocity", 1.0),
    "sea_surface_height": ("zos", "m", "sea_surface_height_above_geoid", 1.0),
}
"""CMIP's name, units and standard name of each variable, and the factor from our units."""

OCEAN = ("thetao", "so", "uo", "vo")
TABLES = {np.timedelta64(1, "D"): "day", np.timedelta64(6, "h"): "6hr"}
DAYS = "days since 1850-01-01"


class Cmip:
    """Files VAR_TABLE_MODEL_forecast_rRi1p1fF_gn_START-END.nc: r counts starts, f members."""

    name = "cmip"

    def check(self, exported: Exported) -> None:
        """Refuse boxes, model times and variables that CMIP does not name.

        Raises:
            UserError: saying which.
        """
        exported.require_globe(self.name)
        exported.require_calendar(self.name)
        unknown = [field.name for field in exported.fields if field.name not in NAMES]
        if unknown:
            raise UserError(
                f"--layout {self.name}: has no names for {unknown}; known are {sorted(NAMES)}. Leave them out "
                "(--variables), or choose --layout netcdf."
            )

    def create(self, folder: Path, exported: Exported) -> None:
        """Write nothing: every variable of a start is a file."""

    def write(self, folder: Path, exported: Exported, init: int) -> list[Path]:
        """Write the files of one initial condition under temporary names, rename them, and return them."""
        paths = {}
        files: list[netCDF4.Dataset] = []
        try:
            arrays = []
            for field in exported.fields:
                for member in range(exported.members):
                    path = folder / self._file_name(exported, field, init, member)
                    paths[path.with_name(f".{path.name}.tmp")] = path
                    files.append(netCDF4.Dataset(path.with_name(f".{path.name}.tmp"), "w"))
                    arrays.append(
                        (field, member, self._begin(files[-1], exported, field, init, member))
                    )
            for lead, members in enumerate(exported.leads_of(init)):
                for field, member, array in arrays:
                    factor = np.float32(NAMES[field.name][3])
                    values = members[member, list(field.channels)]
                    values = values if factor == 1 else values * factor
                    array[lead] = values if field.levels else values[0]
        finally:
            for file in files:
                file.close()
        for temporary, path in paths.items():
            temporary.rename(path)
        return list(paths.values())

    def finish(self, folder: Path, exported: Exported) -> None:
        """Write nothing more."""

    def _file_name(self, exported: Exported, field: Field, init: int, member: int) -> str:
        times = exported.forecast.init_times[init] + np.asarray(exported.lead_times)
        first, last = (
            str(time.astype("datetime64[D]")).replace("-", "") for time in (times[0], times[-1])
        )
        step = exported.forecast.time_step
        table = next((name for size, name in TABLES.items() if size == step), "step")
        model = re.sub(
            r"[^A-Za-z0-9-]+", "-", str(exported.forecast.provenance.get("model", "model"))
        )
        short = NAMES[field.name][0]
        return f"{short}_{table}_{model}_forecast_r{init + 1}i1p1f{member + 1}_gn_{first}-{last}.nc"

    def _begin(
        self, file: netCDF4.Dataset, exported: Exported, field: Field, init: int, member: int
    ) -> netCDF4.Variable:
        """Write the coordinates of a file and return its empty variable."""
        grid, forecast = exported.grid, exported.forecast
        short, units, standard, _ = NAMES[field.name]
        file.setncatts(
            {"Conventions": CONVENTIONS, "variable_id": short, "frequency": "instantaneous"}
        )
        times = forecast.init_times[init] + np.asarray(exported.lead_times)
        days = (times - np.datetime64("1850-01-01", "ns")) / np.timedelta64(1, "D")
        _axis(
            file,
            "time",
            days,
            {"units": DAYS, "calendar": "standard", "standard_name": "time", "axis": "T"},
        )
        dimensions = ["time"]
        if field.levels:
            ocean = short in OCEAN
            values = np.array(field.levels) * (1 if ocean else 100)
            words = {"units": "m" if ocean else "Pa", "axis": "Z", "positive": "down"}
            words["standard_name"] = "depth" if ocean else "air_pressure"
            name = "lev" if ocean else "plev"
            _axis(file, name, values, words)
            dimensions.append(name)
        axes = axis_attributes(grid)
        for name, long, values in (("lat", "latitude", grid.y), ("lon", "longitude", grid.x)):
            _axis(file, name, values, axes[long])
        dimensions += ["lat", "lon"]
        started = file.createVariable("forecast_reference_time", "f8", ())
        started.setncatts(
            {"units": DAYS, "calendar": "standard", "standard_name": "forecast_reference_time"}
        )
        first = forecast.init_times[init] - np.datetime64("1850-01-01", "ns")
        started[...] = first / np.timedelta64(1, "D")
        scalars = ["forecast_reference_time"]
        if exported.members > 1:
            number = file.createVariable("realization", "i4", ())
            number.setncatts({**MEMBER, "units": "1"})
            number[...] = member
            scalars.append("realization")
        made = file.createVariable(
            short,
            "f4",
            tuple(dimensions),
            fill_value=np.float32(1e20),
            zlib=True,
            complevel=1,
            shuffle=True,
        )
        made.setncatts(
            {
                "units": units,
                "standard_name": standard,
                "long_name": field.name.replace("_", " "),
                "missing_value": np.float32(1e20),
                "coordinates": " ".join(scalars),
            }
        )
        return made


def _axis(file: netCDF4.Dataset, name: str, values: np.ndarray, attributes: dict[str, str]) -> None:
    file.createDimension(name, len(values))
    made = file.createVariable(name, "f8", (name,))
    made.setncatts(attributes)
    made[:] = values
