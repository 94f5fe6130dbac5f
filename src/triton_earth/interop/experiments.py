"""The experiments of the original system as data: variables in the order of its channels, grid, step, statistics.

Source: the published code and configuration of the original system and arXiv:2505.19432; where files of its data say
more than its code, the facts are those of the files.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.grid import Grid, LatLonGrid, PeriodicGrid
from triton_earth.core.time import Duration
from triton_earth.core.variables import VORTICITY, Role, Variable, Variables

DAY = np.timedelta64(24 * 3600 * 10**9, "ns")

PRESSURES = (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
"""hPa, in the order of the channels."""
DEPTHS = (
    0, 2, 5, 7, 11, 15, 21, 29, 40, 55, 77, 92, 109, 130, 155, 186, 222, 266, 318, 380, 453, 541, 643,
)  # fmt: skip
"""m, as the original labels them, in the order of the channels."""

_SURFACE = (
    Variable("10m_u_component_of_wind", "m s-1", "eastward wind at 10 m"),
    Variable("10m_v_component_of_wind", "m s-1", "northward wind at 10 m"),
    Variable("2m_temperature", "K", "air temperature at 2 m"),
    Variable("mean_sea_level_pressure", "Pa", "air pressure at mean sea level"),
)


def _on_levels(
    kinds: tuple[tuple[str, str, str], ...], levels: tuple[int, ...], unit: str
) -> tuple[Variable, ...]:
    return tuple(
        Variable(f"{name}_{level}", units, f"{words} at {level} {unit}", float(level))
        for name, units, words in kinds
        for level in levels
    )


WEATHER = Variables(
    (
        *_SURFACE,
        *_on_levels(
            (
                ("u_component_of_wind", "m s-1", "eastward wind"),
                ("v_component_of_wind", "m s-1", "northward wind"),
                ("temperature", "K", "air temperature"),
                ("geopotential", "m2 s-2", "geopotential"),
                ("specific_humidity", "kg kg-1", "specific humidity"),
            ),
            PRESSURES,
            "hPa",
        ),
    )
)
OCEAN = Variables(
    (
        *_on_levels(
            (
                ("salinity", "1e-3", "sea water salinity"),
                ("eastward_sea_water_velocity", "m s-1", "eastward current"),
                ("northward_sea_water_velocity", "m s-1", "northward current"),
                ("potential_temperature", "K", "sea water potential temperature"),
            ),
            DEPTHS,
            "m",
        ),
        Variable("sea_surface_height", "m", "sea surface height above geoid"),
        *(Variable(one.name, one.units, one.long_name, role=Role.FORCING) for one in _SURFACE),
    )
)
KUROSHIO = Variables(
    (
        Variable("surface_geostrophic_eastward_velocity", "m s-1", "eastward geostrophic current"),
        Variable(
            "surface_geostrophic_northward_velocity", "m s-1", "northward geostrophic current"
        ),
    )
)
TURBULENCE = Variables((VORTICITY,))

Statistics = Literal["none", "mean and std"]


@dataclass(frozen=True)
class Experiment:
    """What the weights of an experiment do not say.

    Attributes:
        name: What it is called on the command line.
        variables: Channels in the order of the network: predicted ones, then forcings.
        frames: Frames that go in and come out.
        shape: Rows and columns that it was published on.
        step: Time step.
        statistics: Whether fields are normalised by statistics that come in files of their own.
        anomalies: Variables whose climatology by day of the year is subtracted.
        north_first: Whether rows run from north to south in the network.
        masked: Whether cells are undefined on land.
    """

    name: str
    variables: Variables
    frames: int
    shape: tuple[int, int]
    step: Duration
    statistics: Statistics = "none"
    anomalies: tuple[str, ...] = field(default=())
    north_first: bool = False
    masked: bool = False

    @property
    def channels(self) -> tuple[int, int]:
        """Channels that go in and that come out."""
        given = self.variables.with_role(Role.FORCING)
        return len(self.variables), len(self.variables) - len(given)

    def of_normalised_fields(self) -> "Experiment":
        """Return the experiment on fields that are normalised already, as ``{year}_norm.nc`` of the weather one.

        Raises:
            UserError: if its files hold fields in physical units.
        """
        if self.statistics == "none" or self.anomalies:
            raise UserError(
                f"--normalised: the files of the experiment '{self.name}' hold fields in physical units; leave it out."
            )
        channels = (replace(one, units="1") for one in self.variables)
        return replace(self, variables=Variables(tuple(channels)), statistics="none")

    def grid(self, shape: tuple[int, int]) -> Grid:
        """Return the grid with so many rows and columns.

        Raises:
            UserError: if the experiment has no such grid.
        """
        rows, columns = shape
        if self.name == "turbulence":
            return PeriodicGrid(rows, columns)
        if self.name == "kuroshio":
            return _kuroshio_grid(rows, columns)
        return _globe(rows, columns)


def _globe(rows: int, columns: int) -> LatLonGrid:
    """Return a globe from the North Pole on whose southernmost row was dropped."""
    step = 360 / columns
    if abs(rows * step - 180) > 1e-6:
        raise UserError(
            f"--shape: a globe of {columns} columns has {round(180 / step)} rows without that of the South Pole; found "
            f"{rows}. Give rows x columns of the fields that the weights were trained on."
        )
    latitude = 90 - step * np.arange(rows)
    return LatLonGrid(tuple(latitude[::-1]), tuple(step * np.arange(columns)))


def _kuroshio_grid(rows: int, columns: int) -> LatLonGrid:
    every = 256 // rows if rows else 0
    if rows != columns or rows not in (256, 128, 64):
        raise UserError(
            f"--shape: the Kuroshio experiment has 256x256, 128x128 or 64x64 cells; found {rows}x{columns}."
        )
    latitude = 10.0625 + 0.125 * np.arange(256)[::every]
    longitude = 123.0625 + 0.125 * np.arange(256)[::every]
    return LatLonGrid(tuple(latitude), tuple(longitude))


EXPERIMENTS = {
    one.name: one
    for one in (
        Experiment("weather", WEATHER, 1, (180, 360), DAY, "mean and std", north_first=True),
        Experiment(
            "ocean",
            OCEAN,
            1,
            (120, 240),
            DAY,
            "mean and std",
            anomalies=tuple(
                one.name
                for one in OCEAN
                if one.name.startswith(("salinity", "potential_temperature", "sea_surface_height"))
            ),
            north_first=True,
            masked=True,
        ),
        Experiment("kuroshio", KUROSHIO, 10, (256, 256), DAY, masked=True),
        Experiment("turbulence", TURBULENCE, 1, (128, 128), 0.055),
    )
}


UNNAMED = {
    (1, 70, 69): "the second version's multi-year climate runs",
    (1, 69, 69, 1536): "the second version's medium-range weather forecasts",
}
"""Experiments whose channels were not published, by frames and channels, and width of the network."""


def find_experiment(
    name: str | None, frames: int, inputs: int, outputs: int, width: int = 0
) -> Experiment:
    """Return the experiment of a name, or the one whose channels weights have.

    Args:
        name: Its name; None: it is found.
        frames: Frames that the weights take.
        inputs: Channels that they take.
        outputs: Channels that they give.
        width: Channels of the first layer of the network.

    Raises:
        UserError: if there is none, or the weights have other channels.
    """
    unnamed = UNNAMED.get((frames, inputs, outputs), UNNAMED.get((frames, inputs, outputs, width)))
    if name is None and unnamed is not None:
        raise UserError(
            f"the weights are of {unnamed}, of which it was not published in what order their channels are. If they "
            "are those of another experiment, name it with --experiment; or load the network alone with "
            "triton_earth.interop.official.load_network."
        )
    if name is not None and name not in EXPERIMENTS:
        raise UserError(f"--experiment: unknown '{name}'; {nearest(name, EXPERIMENTS)}")
    found = (frames, inputs, outputs)
    tried = list(EXPERIMENTS.values()) if name is None else [EXPERIMENTS[name]]
    for experiment in tried:
        if (experiment.frames, *experiment.channels) == found:
            return experiment
    known = "; ".join(
        f"{one.name}: {one.frames} frames of {one.channels[0]} channels to {one.channels[1]}"
        for one in tried
    )
    raise UserError(
        f"the weights take {frames} frames of {inputs} channels to {outputs}, which is no experiment of the original "
        f"system ({known}). Load the network alone with triton_earth.interop.official.load_network."
    )
