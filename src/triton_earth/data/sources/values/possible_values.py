"""Possible values: what no single value of a variable can be below or above on Earth.

The limits are wide: records of the WMO and of reanalyses with a margin for models, interpolation and rounding. What
lies beyond is an undeclared missing value or has wrong units. Limits of the mean over a map, which are narrower, stand
in `known_variables.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from triton_earth.core.variables import Variable
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.names import known_variable, without_level
from triton_earth.data.sources.values.units import canonical_units, conversion

_LIMITS: dict[str, tuple[float, float]] = {
    # canonical name: (lowest, highest), in its canonical units
    "temperature": (90.0, 400.0),
    "u_component_of_wind": (-300.0, 300.0),
    "v_component_of_wind": (-300.0, 300.0),
    "geopotential": (-15000.0, 1.2e6),
    "specific_humidity": (-0.002, 0.06),
    "relative_humidity": (-0.2, 3.0),
    "vertical_velocity": (-100.0, 100.0),
    "divergence": (-0.1, 0.1),
    "potential_vorticity": (-1.0, 1.0),
    "ozone_mass_mixing_ratio": (-1e-5, 1e-3),
    "specific_cloud_liquid_water_content": (-1e-3, 0.1),
    "specific_cloud_ice_water_content": (-1e-3, 0.1),
    "2m_temperature": (150.0, 350.0),
    "2m_dewpoint_temperature": (100.0, 330.0),
    "2m_specific_humidity": (-0.002, 0.06),
    "10m_u_component_of_wind": (-150.0, 150.0),
    "10m_v_component_of_wind": (-150.0, 150.0),
    "100m_u_component_of_wind": (-150.0, 150.0),
    "100m_v_component_of_wind": (-150.0, 150.0),
    "wind_speed": (-0.1, 300.0),
    "mean_sea_level_pressure": (80000.0, 115000.0),
    "surface_pressure": (25000.0, 115000.0),
    "skin_temperature": (130.0, 400.0),
    "total_precipitation": (-0.001, 30.0),
    "precipitation_flux": (-1e-4, 0.2),
    "total_column_water_vapour": (-1.0, 150.0),
    "total_column_water": (-1.0, 200.0),
    "total_cloud_cover": (-0.01, 1.02),
    "boundary_layer_height": (-50.0, 20000.0),
    "surface_downward_shortwave_flux": (-10.0, 2000.0),
    "surface_downward_longwave_flux": (-10.0, 1000.0),
    "outgoing_longwave_flux": (20.0, 600.0),
    "surface_solar_radiation_downwards": (-1e6, 5e9),
    "surface_thermal_radiation_downwards": (-1e6, 5e9),
    "toa_incident_solar_radiation": (-1e6, 5e9),
    "surface_latent_heat_flux": (-3000.0, 5000.0),
    "surface_sensible_heat_flux": (-5000.0, 5000.0),
    "surface_downward_eastward_stress": (-50.0, 50.0),
    "surface_downward_northward_stress": (-50.0, 50.0),
    "land_sea_mask": (-0.01, 1.01),
    "surface_altitude": (-12000.0, 9000.0),
    "geopotential_at_surface": (-120000.0, 90000.0),
    "snow_depth": (-0.1, 3000.0),
    "soil_temperature_level_1": (130.0, 400.0),
    "volumetric_soil_water_layer_1": (-0.01, 1.01),
    "sea_surface_temperature": (255.0, 320.0),
    "sea_surface_temperature_anomaly": (-30.0, 30.0),
    "2m_temperature_anomaly": (-80.0, 80.0),
    "potential_temperature": (265.0, 320.0),
    "bottom_temperature": (265.0, 320.0),
    "salinity": (-0.5, 80.0),
    "eastward_sea_water_velocity": (-15.0, 15.0),
    "northward_sea_water_velocity": (-15.0, 15.0),
    "upward_sea_water_velocity": (-5.0, 5.0),
    "sea_surface_height": (-30.0, 30.0),
    "sea_level_anomaly": (-30.0, 30.0),
    "sea_level_anomaly_error": (-0.01, 30.0),
    "surface_geostrophic_eastward_velocity": (-50.0, 50.0),
    "surface_geostrophic_northward_velocity": (-50.0, 50.0),
    "surface_geostrophic_eastward_velocity_anomaly": (-50.0, 50.0),
    "surface_geostrophic_northward_velocity_anomaly": (-50.0, 50.0),
    "surface_geostrophic_eastward_velocity_anomaly_error": (-0.01, 50.0),
    "surface_geostrophic_northward_velocity_anomaly_error": (-0.01, 50.0),
    "ocean_mixed_layer_thickness": (-1.0, 12000.0),
    "sea_ice_concentration": (-0.01, 1.02),
    "sea_ice_thickness": (-0.05, 100.0),
    "eastward_sea_ice_velocity": (-10.0, 10.0),
    "northward_sea_ice_velocity": (-10.0, 10.0),
    "vorticity": (-1e4, 1e4),
}

_FRACTION = re.compile(r"area[_ ]fraction|cloud[_ ]cover|ice[_ ]cover|land[_ ]fraction")
_AMOUNT = re.compile(r"concentration|(mass|mole)[_ ]fraction|mixing[_ ]ratio")
_OTHERWISE = re.compile(
    r"anom|tendenc|change|differ|increment|trend|flux|transport|advect|log|error|uncertain|deviation|variance|bias"
)
UNDERSHOOT = 0.1
"""Share of the largest value by which numerics may take an amount below zero."""
ABSOLUTE = 100.0
"""K; where the mean is above this, values are temperatures and no differences of them."""


@dataclass(frozen=True)
class Possible:
    """What values can be.

    Attributes:
        lowest: No value is below this.
        highest: None is above this.
        units: Units of both.
        words: What has these limits.
        undershoot: Share of the largest value by which one may be below `lowest` all the same.
        mean_above: The limits hold only where the mean of all values is above this.
        whole: What 1 is in these units if the values are shares of a whole, or may be, else None.
    """

    lowest: float
    highest: float
    units: str
    words: str
    undershoot: float = 0.0
    mean_above: float = -np.inf
    whole: float | None = None

    def limits(self, mean: float, largest: float) -> tuple[float, float]:
        """Return the least and largest value among values of this mean and maximum."""
        if not mean > self.mean_above:
            return -np.inf, np.inf
        return self.lowest - self.undershoot * max(largest, 0.0), self.highest

    def is_fraction(self, largest: float) -> bool:
        """Return whether values in per cent that have this maximum over all look like fractions with a wrong label."""
        if self.whole is None:
            return False
        return bool(0.0 < largest <= min(self.highest, 1.5 * self.whole) / 100)

    def percent_hint(self, lowest: float, highest: float) -> str:
        """Return a sentence that says that values between these look like per cent, where shares of 1 do."""
        if self.whole is None or not (lowest >= -self.whole and highest > 2 * self.whole):
            return ""
        return " It looks like %." if highest <= 110 * self.whole else ""

    def describe(self, lowest: float, highest: float) -> str:
        """Return limits and whose they are, in words."""
        units = "" if self.units == "1" else f" {self.units}"
        if np.isinf(highest):
            return f"below {lowest:.4g}{units}, which {self.words} cannot be"
        return f"outside {lowest:.4g} to {highest:.4g}{units}, what {self.words} can be on Earth"


def possible_values_of(variable: Variable) -> Possible | None:
    """Return the possible values of a variable of a store or a forecast, or None where they are unknown."""
    known = known_variable(variable.name, without_level(variable.name))
    return possible_values(known, variable.units, (variable.name, variable.long_name))


def possible_values(
    known: KnownVariable | None, units: str, names: Iterable[str | None]
) -> Possible | None:
    """Return the possible values of a variable, or None where they are unknown.

    Args:
        known: What is known of it, or None.
        units: Units of the values; ``1`` for a variable that has others means that it has been normalised.
        names: Its name, CF standard name and name in words.
    """
    text = " ".join(name.lower() for name in names if name)
    if known is not None:
        to_known = known.conversion(units)
        if to_known is None or canonical_units(units) == "1" != known.units:
            return None
        scale, offset = to_known
        lowest, highest = ((limit - offset) / scale for limit in _LIMITS[known.name])
        is_share = known.units == "1" and known.highest <= 1.5
        return Possible(
            lowest, highest, units, known.long_name, whole=1 / scale if is_share else None
        )
    if _OTHERWISE.search(text):
        return None
    to_one = conversion(units, "1")
    if _FRACTION.search(text) and to_one is not None:
        lowest, highest = -0.01 / to_one[0], 1.02 / to_one[0]
        return Possible(lowest, highest, units, "a fraction", whole=1 / to_one[0])
    whole = 1 / to_one[0] if to_one is not None and canonical_units(units) in ("%", "1") else None
    if _AMOUNT.search(text):
        return Possible(0.0, np.inf, units, "an amount", undershoot=UNDERSHOOT, whole=whole)
    to_kelvin = conversion(units, "K")
    if to_kelvin is not None:
        zero, mean = ((limit - to_kelvin[1]) / to_kelvin[0] for limit in (0.0, ABSOLUTE))
        mean = mean if to_kelvin[1] == 0 else -np.inf
        return Possible(zero, np.inf, units, "a temperature", mean_above=mean)
    return None if whole is None else Possible(-np.inf, np.inf, units, "a share", whole=whole)
