"""Known names: what archives call a variable, its canonical name and units, and the values it can have on Earth.

Names come from the documentation of ERA5 and WeatherBench 2, CMIP6, GLORYS12, DUACS, OISST, SPEEDY (jcm), Veros and
the CF standard name table. The canonical name is that of ERA5 where ERA5 has the variable.
"""

from dataclasses import dataclass

from triton_earth.data.sources.units import canonical_units, conversion

STANDARD_GRAVITY = 9.80665
"""m s-2, by which geopotential is geopotential height."""


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
    """

    name: str
    units: str
    long_name: str
    aliases: tuple[str, ...]
    lowest: float
    highest: float
    other_units: tuple[tuple[str, float], ...] = ()

    def conversion(self, units: str) -> tuple[float, float] | None:
        """Return (scale, offset) from the given units to the canonical ones, or None where there is none."""
        for other, factor in self.other_units:
            if canonical_units(units) == other:
                return factor, 0.0
        return conversion(units, self.units)


def _known(
    name: str, units: str, long_name: str, aliases: str, lowest: float, highest: float
) -> KnownVariable:
    other = (("m", STANDARD_GRAVITY),) if name == "geopotential" else ()
    return KnownVariable(name, units, long_name, tuple(aliases.split()), lowest, highest, other)


KNOWN = (
    _known("temperature", "K", "air temperature", "t ta air_temperature t_sigma835 t_sigma510", 150.0, 350.0),
    _known("u_component_of_wind", "m s-1", "eastward wind", "u ua eastward_wind u_sigma835", -150.0, 150.0),
    _known("v_component_of_wind", "m s-1", "northward wind", "v va northward_wind v_sigma835", -150.0, 150.0),
    _known("geopotential", "m2 s-2", "geopotential", "z zg geopotential_height z_sigma510", -8000.0, 600000.0),
    _known("specific_humidity", "kg kg-1", "specific humidity", "q hus q_sigma835", 0.0, 0.04),
    _known("relative_humidity", "1", "relative humidity", "r hur", 0.0, 1.5),
    _known("2m_temperature", "K", "2 metre temperature", "t2m tas 2t t_near_surface", 200.0, 330.0),
    _known("10m_u_component_of_wind", "m s-1", "10 metre eastward wind", "u10 uas 10u", -60.0, 60.0),
    _known("10m_v_component_of_wind", "m s-1", "10 metre northward wind", "v10 vas 10v", -60.0, 60.0),
    _known(
        "mean_sea_level_pressure", "Pa", "mean sea level pressure",
        "msl psl prmsl air_pressure_at_mean_sea_level air_pressure_at_sea_level", 87000.0, 109000.0,
    ),
    _known("surface_pressure", "Pa", "surface pressure", "sp ps surface_air_pressure", 40000.0, 110000.0),
    _known("total_precipitation", "m", "total precipitation", "tp precip", 0.0, 1.0),
    _known("precipitation_flux", "kg m-2 s-1", "precipitation flux", "pr", 0.0, 0.01),
    _known(
        "sea_surface_temperature", "K", "sea surface temperature",
        "sst tos analysed_sst sea_surface_foundation_temperature surface_temperature", 268.0, 310.0,
    ),
    _known(
        "sea_surface_temperature_anomaly", "K", "sea surface temperature anomaly",
        "ssta sst_anomaly", -10.0, 10.0,
    ),
    _known("potential_temperature", "K", "sea water potential temperature",
           "thetao sea_water_potential_temperature temp t_lev4", 268.0, 310.0),
    _known("salinity", "1e-3", "sea water salinity",
           "so sss sos salt sea_water_salinity sea_water_practical_salinity sea_surface_salinity", 0.0, 45.0),
    _known("eastward_sea_water_velocity", "m s-1", "eastward current", "uo", -4.0, 4.0),
    _known("northward_sea_water_velocity", "m s-1", "northward current", "vo", -4.0, 4.0),
    _known("sea_surface_height", "m", "sea surface height above geoid",
           "zos ssh adt sea_surface_height_above_geoid", -4.0, 4.0),
    _known("sea_level_anomaly", "m", "sea level anomaly", "sla sea_surface_height_above_sea_level", -4.0, 4.0),
    _known("surface_geostrophic_eastward_velocity", "m s-1", "eastward geostrophic current",
           "ugos surface_geostrophic_eastward_sea_water_velocity", -5.0, 5.0),
    _known("surface_geostrophic_northward_velocity", "m s-1", "northward geostrophic current",
           "vgos surface_geostrophic_northward_sea_water_velocity", -5.0, 5.0),
    _known("sea_ice_concentration", "1", "sea ice concentration", "siconc sea_ice_area_fraction", 0.0, 1.01),
    _known("land_sea_mask", "1", "land fraction", "lsm sftlf land_area_fraction land_binary_mask", 0.0, 1.0),
    _known("vertical_velocity", "Pa s-1", "vertical velocity",
           "wap omega lagrangian_tendency_of_air_pressure", -20.0, 20.0),
    _known("total_column_water_vapour", "kg m-2", "total column water vapour",
           "tcwv prw atmosphere_mass_content_of_water_vapor", 0.0, 100.0),
    _known("total_cloud_cover", "1", "cloud cover", "tcc clt cloud_area_fraction", 0.0, 1.01),
    _known("skin_temperature", "K", "skin temperature", "skt ts", 180.0, 340.0),
    _known("2m_dewpoint_temperature", "K", "2 metre dewpoint", "d2m tdps dew_point_temperature", 170.0, 320.0),
    _known("wind_speed", "m s-1", "wind speed", "sfcwind si10 wspd", 0.0, 100.0),
    _known("surface_downward_shortwave_flux", "W m-2", "surface downward shortwave flux",
           "rsds surface_downwelling_shortwave_flux_in_air", 0.0, 1400.0),
    _known("surface_downward_longwave_flux", "W m-2", "surface downward longwave flux",
           "rlds surface_downwelling_longwave_flux_in_air", 0.0, 700.0),
    _known("outgoing_longwave_flux", "W m-2", "outgoing longwave flux at the top of the atmosphere",
           "rlut toa_outgoing_longwave_flux", 50.0, 400.0),
    _known("surface_latent_heat_flux", "W m-2", "upward latent heat flux",
           "hfls surface_upward_latent_heat_flux", -500.0, 1000.0),
    _known("surface_sensible_heat_flux", "W m-2", "upward sensible heat flux",
           "hfss surface_upward_sensible_heat_flux", -1000.0, 1000.0),
    _known("surface_downward_eastward_stress", "N m-2", "eastward wind stress",
           "tauu tauuo surface_taux", -5.0, 5.0),
    _known("surface_downward_northward_stress", "N m-2", "northward wind stress",
           "tauv tauvo surface_tauy", -5.0, 5.0),
    _known("ocean_mixed_layer_thickness", "m", "mixed layer thickness",
           "mlotst mld ocean_mixed_layer_thickness_defined_by_sigma_theta", 0.0, 6000.0),
    _known("sea_ice_thickness", "m", "sea ice thickness", "sithick sithk", 0.0, 30.0),
    _known("snow_depth", "m", "snow depth", "snd surface_snow_thickness", 0.0, 100.0),
    _known("surface_altitude", "m", "height of the surface", "orog rose", -500.0, 6000.0),
    _known("vorticity", "s-1", "relative vorticity",
           "vo_relative atmosphere_relative_vorticity ocean_relative_vorticity", -1e3, 1e3),
)  # fmt: skip
"""Every variable the package knows; others work too, under the name and units that the recipe gives them."""

BY_NAME = {known.name: known for known in KNOWN}


def known_variable(*names: str | None) -> KnownVariable | None:
    """Return the variable that one of the names (canonical, of a file, or CF standard name) means, or None."""
    for name in names:
        if name is None:
            continue
        if name in BY_NAME:
            return BY_NAME[name]
        for known in KNOWN:
            if name.lower() in known.aliases:
                return known
    return None
