"""Isotropic spectra: variance by wavenumber on boxes and in regions, detrended and windowed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Complex128, Float, Float64, Int
from torch import Tensor

from triton_earth.core.grid import ClosedGrid, Grid, LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.results import squared_units
from triton_earth.evaluation.spectra.names import ISOTROPIC, ISOTROPIC_ENERGY
from triton_earth.evaluation.spectra.transform import (
    Scale,
    Spectra,
    SpectralQuantity,
    paired,
    whole_channels,
    whole_velocities,
)
from triton_earth.physics.spectral import isotropic_sum, isotropic_wavenumbers
from triton_earth.physics.sphere import EARTH_RADIUS

FEWEST_CELLS = 8
"""Cells along a side below which there is no spectrum."""


@dataclass(frozen=True)
class IsotropicBox:
    """A box of equal cells, or a part of the globe that is taken for one.

    Attributes:
        grid: Its grid.
        lengths: Lengths of its sides (y, x): in km on latitudes and longitudes, from the mean size of the cells; else
            in the units of the grid.
    """

    grid: Grid
    lengths: tuple[float, float]

    @property
    def wavenumbers(self) -> Float64[np.ndarray, " wavenumber"]:
        """Central wavenumber of each bin, in rad per unit of length."""
        return isotropic_wavenumbers(self.grid.shape, self.lengths).numpy()

    @property
    def nyquist(self) -> float:
        """The largest wavenumber that is resolved both ways."""
        sizes = zip(self.grid.shape, self.lengths, strict=True)
        return math.pi * min(count / length for count, length in sizes)

    def windowed(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "*batch y x"]:
        """Return fields whose spectrum says something where sides are not periodic.

        Along such a side the linear trend is taken out, and a Hann window w with ⟨w²⟩ = 1 leads to zero at both ends;
        the mean goes as well. On a doubly periodic box fields stay as they are.
        """
        values = fields.astype(np.float64)
        open_axes = [
            axis
            for axis, padding in zip((-2, -1), self.grid.padding, strict=True)
            if padding != "periodic"
        ]
        with np.errstate(invalid="ignore", over="ignore"):
            for axis in open_axes:
                values = values - _trend(values, axis)
            for axis in open_axes:
                window = _hann(values.shape[axis])
                values = values * (window[:, None] if axis == -2 else window)
        return values

    def coefficients(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Complex128[Tensor, "*batch y half"]:
        """Return the Fourier coefficients f̂ = FFT/N of the windowed fields, for `spectrum`."""
        return torch.fft.rfft2(torch.from_numpy(self.windowed(fields)), norm="forward")

    def spectrum(
        self,
        ones: Complex128[Tensor, "*batch y half"],
        others: Complex128[Tensor, "*batch y half"],
    ) -> Float64[np.ndarray, "*batch wavenumber"]:
        """Return the cross-spectrum of two fields; of a field with itself it is its spectrum.

            X(k) = Σ Re(f̂ ĝ*)  over the bin around k,      Σ_k X(k) = ⟨f g⟩  of the windowed fields

        Args:
            ones: Coefficients of f.
            others: Coefficients of g.

        Returns:
            One value for each of `wavenumbers`, in the squared units of the variable.
        """
        density = (ones * others.conj()).real
        return isotropic_sum(density, self.grid.shape, self.lengths).numpy()


def isotropic_box(grid: Grid) -> IsotropicBox | None:
    """Return the box of a grid; None of one that reaches around the globe or has too few cells.

    Args:
        grid: The grid.
    """
    if min(grid.shape) < FEWEST_CELLS:
        return None
    if isinstance(grid, PeriodicGrid | ClosedGrid):
        return IsotropicBox(grid, (grid.length_y, grid.length_x))
    if not isinstance(grid, LatLonGrid) or grid.is_global_in_longitude:
        return None
    step_y, step_x = (np.deg2rad(np.diff(axis).mean()) for axis in (grid.y, grid.x))
    width = step_x * np.cos(np.deg2rad(grid.y)).mean()
    rows, columns = grid.shape
    radius = EARTH_RADIUS / 1e3
    return IsotropicBox(grid, (float(radius * step_y * rows), float(radius * width * columns)))


@dataclass(frozen=True)
class IsotropicSpectra:
    """How isotropic spectra are taken.

    Attributes:
        box: The box.
        variables: The variables.
        channels: Those without missing cells; the others have no spectrum.
    """

    box: IsotropicBox
    variables: Variables
    channels: Int[np.ndarray, " chosen"]

    @property
    def scale(self) -> Scale:
        """Wavenumbers up to the corners of the spectral plane."""
        numbers, largest = self.box.wavenumbers, self.box.nyquist
        if isinstance(self.box.grid, LatLonGrid):
            return Scale(numbers, "wavenumber", "rad km-1", largest, wavelength=2 * math.pi)
        return Scale(numbers, "wavenumber", "rad m-1", largest, wavelength=2 * math.pi / 1e3)

    @property
    def velocities(self) -> list[tuple[int, int]]:
        """Channels of both components of each velocity that has them everywhere."""
        return whole_velocities(self.variables, self.channels)

    @property
    def quantities(self) -> tuple[SpectralQuantity, ...]:
        """The variables, then the velocities."""
        windowed = "zero" in self.box.grid.padding
        how = (
            "linear trend and mean taken out, Hann window" if windowed else "of the field as it is"
        )
        words = (
            f"mean square of the waves in the bin around each wavenumber ({how}); all bins add up to the mean "
            "square"
        )
        each = [list(self.variables)[channel] for channel in self.channels]
        return (
            *(
                SpectralQuantity(ISOTROPIC, one.name, squared_units(one.units), words)
                for one in each
            ),
            *(
                SpectralQuantity(
                    ISOTROPIC_ENERGY,
                    self.variables.names[east],
                    "m2 s-2",
                    "half the sum of isotropic_spectrum of both components of a velocity",
                )
                for east, _ in self.velocities
            ),
        )

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return the spectra of every source."""
        found = {}
        for channel in self.channels.tolist():
            waves = [self.box.coefficients(field[:, channel]) for field in sources]
            found[channel] = paired(waves, self.box.spectrum)
        energies = [0.5 * (found[east] + found[north]) for east, north in self.velocities]
        return np.stack([*found.values(), *energies], axis=2)


def isotropic_spectra(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> IsotropicSpectra | None:
    """Return the spectra of a box or region; None where no variable has them.

    Vorticity on a doubly periodic box is left out: `FlowSpectra` are its spectra.
    """
    box = isotropic_box(grid)
    channels = whole_channels(variables, valid_mask)
    if isinstance(grid, PeriodicGrid) and VORTICITY.name in variables:
        channels = np.setdiff1d(channels, variables.indices([VORTICITY.name]))
    if box is None or not channels.size:
        return None
    return IsotropicSpectra(box, variables, channels)


def _trend(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the plane's part along one axis: the mean and the slope of the mean over the other axis."""
    position = np.arange(values.shape[axis]) - (values.shape[axis] - 1) / 2
    ramp = position[:, None] if axis == -2 else position
    mean = values.mean(axis=(-2, -1), keepdims=True)
    other = values.shape[-1 if axis == -2 else -2]
    slope = (values * ramp).sum(axis=(-2, -1), keepdims=True) / ((position**2).sum() * other)
    return np.asarray(mean + slope * ramp)


def _hann(count: int) -> Float64[np.ndarray, " cell"]:
    window = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
    return np.asarray(window / np.sqrt((window**2).mean()))
