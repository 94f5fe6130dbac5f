"""The table of known variables: canonical names and units, other names, and the values that they can have on Earth.

Names come from the documentation of ERA5 and WeatherBench 2, CMIP6, GLORYS12, DUACS, OISST, SPEEDY (jcm), Veros and
the CF standard name table. The canonical name is that of ERA5 where ERA5 has the variable.
"""

from dataclasses import dataclass

from triton_earth.data.sources.values.units import canonical_units, conversion

STANDARD_GRAVITY = 9.80665
"""m s-2, by which geopotential is geopotential height."""
DAY = 86400.0

OtherUnits = tuple[tuple[str, float], ...]

_HEIGHT: OtherUnits = (
    ("m", STANDARD_GRAVITY),
    ("dam", 10 * STANDARD_GRAVITY),
    ("km", 1000 * STANDARD_GRAVITY),
)
_WATER: OtherUnits = (("kg m-2", 0.001),)
"""A layer of water of 1 m weighs 1000 kg m-2."""
_RAIN: OtherUnits = (
    ("m s-1", 1000.0),
    ("mm s-1", 1.0),
    ("mm h-1", 1 / 3600),
    ("mm d-1", 1 / DAY),
    ("m d-1", 1000 / DAY),
    ("kg m-2 d-1", 1 / DAY),
)
_SALT: OtherUnits = (("1", 1.0), ("1e-3", 1.0), ("g kg-1", 1.0), ("kg kg-1", 1000.0))
"""Practical salinity is a number without units, about that of grams in a kilogram."""


@dataclass(frozen=True)
class KnownVariable:
    """A variable that archives have under several names.

    Attributes:
        name: Canonical name.
        units: Canonical units.
        long_name: In words.
        aliases: Names in files and CF standard names.
        lowest: No sound mean over a map is below this, in canonical units.
        highest: Nor above this.
        other_units: Units that are another quantity, and the factor that turns it into this one.
        is_difference: Whether it is a difference: 1 degC is then 1 K.
    """

    name: str
    units: str
    long_name: str
    aliases: tuple[str, ...]
    lowest: float
    highest: float
    other_units: OtherUnits = ()
    is_difference: bool = False

    def conversion(self, units: str) -> tuple[float, float] | None:
        """Return (scale, offset) from the given units to the canonical ones, or None where there is none."""
        for other, factor in self.other_units:
            if canonical_units(units) == other:
                return factor, 0.0
        found = conversion(units, self.units)
        return found if found is None or not self.is_difference else (found[0], 0.0)


def _known(
    name: str,
    units: str,
    long_name: str,
    aliases: str,
    lowest: float,
    highest: float,
    other_units: OtherUnits = (),
) -> KnownVariable:
    names = tuple(aliases.split())
    difference = name.endswith("_anomaly")
    return KnownVariable(name, units, long_name, names, lowest, highest, other_units, difference)


KNOWN = (
    # The atmosphere by level.
    _known("temperature", "K", "air temperature", "t ta air_temperature t_sigma835 t_sigma510", 150.0, 350.0),
    _known("u_component_of_wind", "m s-1", "eastward wind", "u ua eastward_wind u_sigma835", -150.0, 150.0),
    _known("v_component_of_wind", "m s-1", "northward wind", "v va northward_wind v_sigma835", -150.0, 150.0),
    _known("geopotential", "m2 s-2", "geopotential", "z zg geopotential_height z_sigma510", -8000.0, 600000.0, _HEIGHT),
    _known("specific_humidity", "kg kg-1", "specific humidity", "q hus q_sigma835", 0.0, 0.04),
    _known("relative_humidity", "1", "relative humidity", "r hur", 0.0, 1.5),
    _known("vertical_velocity", "Pa s-1", "vertical velocity",
           "w wap omega lagrangian_tendency_of_air_pressure", -20.0, 20.0),
    _known("divergence", "s-1", "divergence of the wind", "d divergence_of_wind", -0.01, 0.01),
    _known("potential_vorticity", "K m2 kg-1 s-1", "potential vorticity", "pv ertel_potential_vorticity", -0.01, 0.01),
    _known("ozone_mass_mixing_ratio", "kg kg-1", "ozone", "o3_mmr mass_fraction_of_ozone_in_air", 0.0, 1e-4),
    _known("specific_cloud_liquid_water_content", "kg kg-1", "cloud liquid water",
           "clwc clw mass_fraction_of_cloud_liquid_water_in_air", 0.0, 0.02),
    _known("specific_cloud_ice_water_content", "kg kg-1", "cloud ice",
           "ciwc cli mass_fraction_of_cloud_ice_in_air", 0.0, 0.02),
    # The atmosphere near the ground and as a whole.
    _known("2m_temperature", "K", "2 metre temperature", "t2m tas 2t t_near_surface", 180.0, 330.0),
    _known("2m_dewpoint_temperature", "K", "2 metre dewpoint", "d2m 2d tdps dew_point_temperature", 170.0, 320.0),
    _known("2m_specific_humidity", "kg kg-1", "2 metre specific humidity", "huss", 0.0, 0.04),
    _known("10m_u_component_of_wind", "m s-1", "10 metre eastward wind", "u10 uas 10u", -60.0, 60.0),
    _known("10m_v_component_of_wind", "m s-1", "10 metre northward wind", "v10 vas 10v", -60.0, 60.0),
    _known("100m_u_component_of_wind", "m s-1", "100 metre eastward wind", "u100 100u", -80.0, 80.0),
    _known("100m_v_component_of_wind", "m s-1", "100 metre northward wind", "v100 100v", -80.0, 80.0),
    _known("wind_speed", "m s-1", "wind speed", "10m_wind_speed sfcwind si10 wspd", 0.0, 100.0),
    _known(
        "mean_sea_level_pressure", "Pa", "mean sea level pressure",
        "msl psl prmsl air_pressure_at_mean_sea_level air_pressure_at_sea_level", 87000.0, 109000.0,
    ),
    _known("surface_pressure", "Pa", "surface pressure", "sp ps surface_air_pressure", 40000.0, 110000.0),
    _known("skin_temperature", "K", "skin temperature", "skt ts surface_temperature", 180.0, 340.0),
    _known("total_precipitation", "m", "total precipitation",
           "tp total_precipitation_6hr total_precipitation_24hr lwe_thickness_of_precipitation_amount "
           "precipitation_amount", 0.0, 1.0, _WATER),
    _known("precipitation_flux", "kg m-2 s-1", "precipitation flux",
           "pr prate precip mtpr avg_tprate mean_total_precipitation_rate lwe_precipitation_rate", 0.0, 0.01, _RAIN),
    _known("total_column_water_vapour", "kg m-2", "total column water vapour",
           "tcwv prw atmosphere_mass_content_of_water_vapor", 0.0, 100.0),
    _known("total_column_water", "kg m-2", "total column water", "tcw", 0.0, 110.0),
    _known("total_cloud_cover", "1", "cloud cover", "tcc clt cloud_area_fraction", 0.0, 1.01),
    _known("boundary_layer_height", "m", "height of the boundary layer",
           "blh atmosphere_boundary_layer_thickness", 0.0, 8000.0),
    _known("surface_downward_shortwave_flux", "W m-2", "surface downward shortwave flux",
           "rsds surface_downwelling_shortwave_flux_in_air", 0.0, 1400.0),
    _known("surface_downward_longwave_flux", "W m-2", "surface downward longwave flux",
           "rlds surface_downwelling_longwave_flux_in_air", 0.0, 700.0),
    _known("outgoing_longwave_flux", "W m-2", "outgoing longwave flux at the top of the atmosphere",
           "rlut toa_outgoing_longwave_flux", 50.0, 400.0),
    _known("surface_solar_radiation_downwards", "J m-2", "accumulated surface downward shortwave",
           "ssrd", 0.0, 1e8),
    _known("surface_thermal_radiation_downwards", "J m-2", "accumulated surface downward longwave",
           "strd", 0.0, 1e8),
    _known("toa_incident_solar_radiation", "J m-2", "accumulated insolation at the top of the atmosphere",
           "tisr", 0.0, 1e8),
    _known("surface_latent_heat_flux", "W m-2", "upward latent heat flux",
           "hfls surface_upward_latent_heat_flux", -500.0, 1000.0),
    _known("surface_sensible_heat_flux", "W m-2", "upward sensible heat flux",
           "hfss surface_upward_sensible_heat_flux", -1000.0, 1000.0),
    _known("surface_downward_eastward_stress", "N m-2", "eastward wind stress",
           "tauu tauuo surface_taux surface_downward_x_stress", -5.0, 5.0),
    _known("surface_downward_northward_stress", "N m-2", "northward wind stress",
           "tauv tauvo surface_tauy surface_downward_y_stress", -5.0, 5.0),
    # Land.
    _known("land_sea_mask", "1", "land fraction",
           "lsm sftlf landfrac land_fraction land_area_fraction land_binary_mask", 0.0, 1.0),
    _known("surface_altitude", "m", "height of the surface", "orog rose", -500.0, 6000.0),
    _known("geopotential_at_surface", "m2 s-2", "geopotential of the surface",
           "surface_geopotential", -5000.0, 60000.0, _HEIGHT),
    _known("snow_depth", "m", "snow depth", "snd surface_snow_thickness", 0.0, 100.0),
    _known("soil_temperature_level_1", "K", "soil temperature, uppermost layer", "stl1", 180.0, 340.0),
    _known("volumetric_soil_water_layer_1", "m3 m-3", "soil water, uppermost layer", "swvl1", 0.0, 1.0),
    # The ocean.
    _known(
        "sea_surface_temperature", "K", "sea surface temperature",
        "sst tos analysed_sst sea_surface_foundation_temperature", 268.0, 310.0,
    ),
    _known("sea_surface_temperature_anomaly", "K", "sea surface temperature anomaly",
           "ssta sst_anomaly sst_anom", -10.0, 10.0),
    _known("2m_temperature_anomaly", "K", "2 metre temperature anomaly",
           "t2m_anomaly tas_anomaly tempanomaly air_temperature_anomaly surface_temperature_anomaly", -30.0, 30.0),
    _known("potential_temperature", "K", "sea water potential temperature",
           "thetao sea_water_potential_temperature temp t_lev4", 268.0, 310.0),
    _known("bottom_temperature", "K", "potential temperature at the sea floor",
           "bottomt tob sea_water_potential_temperature_at_sea_floor", 268.0, 310.0),
    _known("salinity", "1e-3", "sea water salinity",
           "so sss sos salt sea_water_salinity sea_water_practical_salinity sea_water_absolute_salinity "
           "sea_surface_salinity", 0.5, 45.0, _SALT),
    _known("eastward_sea_water_velocity", "m s-1", "eastward current", "uo sea_water_x_velocity", -4.0, 4.0),
    _known("northward_sea_water_velocity", "m s-1", "northward current", "vo sea_water_y_velocity", -4.0, 4.0),
    _known("upward_sea_water_velocity", "m s-1", "upward current", "wo", -0.1, 0.1),
    _known("sea_surface_height", "m", "sea surface height above geoid",
           "zos ssh adt sea_surface_height_above_geoid", -4.0, 4.0),
    _known("sea_level_anomaly", "m", "sea level anomaly", "sla sea_surface_height_above_sea_level", -4.0, 4.0),
    _known("sea_level_anomaly_error", "m", "error of the sea level anomaly", "err_sla", 0.0, 4.0),
    _known("surface_geostrophic_eastward_velocity", "m s-1", "eastward geostrophic current",
           "ugos surface_geostrophic_eastward_sea_water_velocity", -5.0, 5.0),
    _known("surface_geostrophic_northward_velocity", "m s-1", "northward geostrophic current",
           "vgos surface_geostrophic_northward_sea_water_velocity", -5.0, 5.0),
    _known("surface_geostrophic_eastward_velocity_anomaly", "m s-1", "eastward geostrophic current anomaly",
           "ugosa surface_geostrophic_eastward_sea_water_velocity_assuming_sea_level_for_geoid "
           "surface_geostrophic_eastward_sea_water_velocity_assuming_mean_sea_level_for_geoid", -5.0, 5.0),
    _known("surface_geostrophic_northward_velocity_anomaly", "m s-1", "northward geostrophic current anomaly",
           "vgosa surface_geostrophic_northward_sea_water_velocity_assuming_sea_level_for_geoid "
           "surface_geostrophic_northward_sea_water_velocity_assuming_mean_sea_level_for_geoid", -5.0, 5.0),
    _known("surface_geostrophic_eastward_velocity_anomaly_error", "m s-1",
           "error of the eastward geostrophic current anomaly", "err_ugosa", 0.0, 5.0),
    _known("surface_geostrophic_northward_velocity_anomaly_error", "m s-1",
           "error of the northward geostrophic current anomaly", "err_vgosa", 0.0, 5.0),
    _known("ocean_mixed_layer_thickness", "m", "mixed layer thickness",
           "mlotst mld ocean_mixed_layer_thickness_defined_by_sigma_theta", 0.0, 6000.0),
    _known("sea_ice_concentration", "1", "sea ice concentration",
           "siconc ci sea_ice_cover sea_ice_area_fraction", 0.0, 1.01),
    _known("sea_ice_thickness", "m", "sea ice thickness", "sithick sithk", 0.0, 30.0),
    _known("eastward_sea_ice_velocity", "m s-1", "eastward sea ice velocity", "usi sea_ice_x_velocity", -3.0, 3.0),
    _known("northward_sea_ice_velocity", "m s-1", "northward sea ice velocity", "vsi sea_ice_y_velocity", -3.0, 3.0),
    _known("vorticity", "s-1", "relative vorticity",
           "vo_relative atmosphere_relative_vorticity ocean_relative_vorticity", -1e3, 1e3),
)  # fmt: skip
"""Every variable the package knows; others work too, under the name and units that the recipe gives them."""

BY_NAME = {known.name: known for known in KNOWN}
