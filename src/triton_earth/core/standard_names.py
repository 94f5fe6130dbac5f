"""CF standard names of variables, and the attributes that CF wants of coordinates.

Source: CF standard name table, version 92; CF conventions 1.11, chapter 4.
"""

import re

from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.variables import Variable

CONVENTIONS = "CF-1.11"

STANDARD_NAMES = {
    "temperature": "air_temperature",
    "u_component_of_wind": "eastward_wind",
    "v_component_of_wind": "northward_wind",
    "geopotential": "geopotential",
    "specific_humidity": "specific_humidity",
    "relative_humidity": "relative_humidity",
    "vertical_velocity": "lagrangian_tendency_of_air_pressure",
    "2m_temperature": "air_temperature",
    "2m_dewpoint_temperature": "dew_point_temperature",
    "10m_u_component_of_wind": "eastward_wind",
    "10m_v_component_of_wind": "northward_wind",
    "10m_wind_speed": "wind_speed",
    "wind_speed": "wind_speed",
    "mean_sea_level_pressure": "air_pressure_at_mean_sea_level",
    "surface_pressure": "surface_air_pressure",
    "skin_temperature": "surface_temperature",
    "total_precipitation": "lwe_thickness_of_precipitation_amount",
    "precipitation_flux": "precipitation_flux",
    "sea_surface_temperature": "sea_surface_temperature",
    "sea_surface_temperature_anomaly": "surface_temperature_anomaly",
    "potential_temperature": "sea_water_potential_temperature",
    "salinity": "sea_water_salinity",
    "eastward_sea_water_velocity": "eastward_sea_water_velocity",
    "northward_sea_water_velocity": "northward_sea_water_velocity",
    "sea_surface_height": "sea_surface_height_above_geoid",
    "sea_level_anomaly": "sea_surface_height_above_sea_level",
    "surface_geostrophic_eastward_velocity": "surface_geostrophic_eastward_sea_water_velocity",
    "surface_geostrophic_northward_velocity": "surface_geostrophic_northward_sea_water_velocity",
    "vorticity": "atmosphere_relative_vorticity",
}
"""Standard name of each known variable, without its level."""

_LEVEL = re.compile(r"_(\d+(?:\.\d+)?)$")


def base_name(variable: Variable) -> str:
    """Return the name of a variable without its level: ``temperature`` of ``temperature_850``."""
    if variable.level is None:
        return variable.name
    match = _LEVEL.search(variable.name)
    if match and float(match[1]) == variable.level:
        return variable.name[: match.start()]
    return variable.name


def standard_name(variable: Variable, grid: Grid) -> str | None:
    """Return the CF standard name of a variable on Earth, or None where it has none."""
    if not isinstance(grid, LatLonGrid):
        return None
    return STANDARD_NAMES.get(base_name(variable))


def variable_attributes(variable: Variable, grid: Grid) -> dict[str, str]:
    """Return units, long name and, where there is one, the standard name."""
    attributes = {"units": variable.units, "long_name": variable.long_name or variable.name}
    standard = standard_name(variable, grid)
    return attributes | ({"standard_name": standard} if standard else {})


def axis_attributes(grid: Grid) -> dict[str, dict[str, str]]:
    """Return the attributes of the two axes of a grid, by their names."""
    if isinstance(grid, LatLonGrid):
        return {
            "latitude": {
                "units": "degrees_north",
                "standard_name": "latitude",
                "long_name": "latitude",
                "axis": "Y",
            },
            "longitude": {
                "units": "degrees_east",
                "standard_name": "longitude",
                "long_name": "longitude",
                "axis": "X",
            },
        }
    return {
        name: {"long_name": f"{name} coordinate", "units": "1", "axis": name.upper()}
        for name in grid.axes
    }


INIT_TIME = {"standard_name": "forecast_reference_time", "long_name": "initial time"}
LEAD_TIME = {"standard_name": "forecast_period", "long_name": "lead time"}
VALID_TIME = {"standard_name": "time", "long_name": "valid time"}
MEMBER = {"standard_name": "realization", "long_name": "ensemble member", "units": "1"}
