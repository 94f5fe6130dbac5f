"""Spectra by spherical-harmonic degree: of variables without missing cells, and of velocities on the whole globe."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.variables import Variables
from triton_earth.evaluation.results import squared_units
from triton_earth.evaluation.spectra.names import (
    DEGREE_ENERGY,
    DEGREE_ENSTROPHY,
    DEGREE_ROTATIONAL_ENERGY,
    DEGREES,
)
from triton_earth.evaluation.spectra.transform import (
    Scale,
    Spectra,
    SpectralQuantity,
    paired,
    whole_channels,
    whole_velocities,
)
from triton_earth.physics.sphere import EARTH_RADIUS
from triton_earth.physics.spherical_harmonics import SphericalTransform, cross_by_degree

FEWEST_ROWS = 8
"""Rows below which a globe has no spectrum."""

_OF_VELOCITIES = (
    (DEGREE_ENERGY, "m2 s-2", "half the sum of degree_spectrum of both components of a velocity"),
    (
        DEGREE_ROTATIONAL_ENERGY,
        "m2 s-2",
        "kinetic energy of the rotational part of a velocity at each degree: degree_enstrophy times a2 / (l (l + 1)), "
        "a the radius of the Earth and l the degree",
    ),
    (
        DEGREE_ENSTROPHY,
        "s-2",
        "half the mean square vorticity at each degree of the spherical harmonics; all degrees add up to the enstrophy",
    ),
)


@dataclass(frozen=True)
class DegreeSpectra:
    """How spectra by degree are taken.

    Attributes:
        grid: The globe.
        variables: The variables.
        channels: Those without missing cells; the others have no spectrum.
    """

    grid: LatLonGrid
    variables: Variables
    channels: Int[np.ndarray, " chosen"]

    @property
    def transform(self) -> SphericalTransform:
        """The transform of the grid."""
        return _transform(self.grid)

    @property
    def scale(self) -> Scale:
        """Degrees up to the highest that the grid holds."""
        return Scale(np.arange(self.transform.highest + 1, dtype=np.float64), "degree")

    @property
    def velocities(self) -> list[tuple[int, int]]:
        """Channels of both components of each velocity that has them on the whole globe."""
        return whole_velocities(self.variables, self.channels)

    @property
    def quantities(self) -> tuple[SpectralQuantity, ...]:
        """The variables, then what there is of each velocity."""
        each = [list(self.variables)[channel] for channel in self.channels]
        return (
            *(
                SpectralQuantity(
                    DEGREES,
                    variable.name,
                    squared_units(variable.units),
                    "mean square at each degree of the spherical harmonics; all degrees add up to the mean square over "
                    "the globe",
                )
                for variable in each
            ),
            *(
                SpectralQuantity(family, self.variables.names[east], units, words)
                for east, _ in self.velocities
                for family, units, words in _OF_VELOCITIES
            ),
        )

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return the spectra of every source."""
        found = {}
        for channel in self.channels.tolist():
            fields = np.stack([field[:, channel] for field in sources])
            found[channel] = paired(list(self.transform.coefficients(fields)), cross_by_degree)
        of_velocities = []
        degrees = self.scale.numbers
        inverse = EARTH_RADIUS**2 / np.maximum(degrees * (degrees + 1), 1.0) * (degrees > 0)
        for east, north in self.velocities:
            u, v = (np.stack([field[:, one] for field in sources]) for one in (east, north))
            waves = self.transform.vorticity(u, v)
            enstrophy = 0.5 * paired(list(waves), cross_by_degree)
            of_velocities += [0.5 * (found[east] + found[north]), enstrophy * inverse, enstrophy]
        return np.stack([*found.values(), *of_velocities], axis=2)


def degree_spectra(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> DegreeSpectra | None:
    """Return the spectra of a globe; None where no variable is defined on all of one."""
    channels = whole_channels(variables, valid_mask)
    if not isinstance(grid, LatLonGrid) or not is_globe(grid) or not channels.size:
        return None
    return DegreeSpectra(grid, variables, channels)


def is_globe(grid: LatLonGrid) -> bool:
    """Return whether a grid reaches around the globe and, to a row, from pole to pole."""
    step = float(np.median(np.diff(grid.y)))
    reach = min(grid.y[-1], -grid.y[0])
    return (
        grid.is_global_in_longitude
        and len(grid.y) >= FEWEST_ROWS
        and bool(reach + 1.01 * step > 90)
    )


@lru_cache(maxsize=1)
def _transform(grid: LatLonGrid) -> SphericalTransform:
    return SphericalTransform(grid.y, grid.shape[1])
